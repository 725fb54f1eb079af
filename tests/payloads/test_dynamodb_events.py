"""The DynamoDB event: its shape as recorded on AWS, and its size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import DynamoDBStreamModel
from hypothesis import given
from hypothesis import strategies as st

from esm.payloads.dynamodb import TTL_IDENTITY, DynamoDbEvents, UserIdentity, make_record

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2024-06-10T19:26:16.525"
SHARD = "shardId-00000001733226011000-f4dbdf21"
EVENT_ID = "c4ca4238a0b923820dcc509a6f75849b"
PART = {
    "ApproximateCreationDateTime": 1733226011.0,
    "Keys": {"Id": {"N": "101"}},
    "NewImage": {"Id": {"N": "101"}, "Message": {"S": "New item!"}},
    "SequenceNumber": "4421584500000000017450439091",
    "SizeBytes": 26,
    "StreamViewType": "NEW_AND_OLD_IMAGES",
}


def record(
    part: Mapping[str, Any] = PART, identity: UserIdentity | None = None, **more: Any
) -> Any:
    given = {"event_name": "INSERT", "event_id": EVENT_ID, "shard_id": SHARD, "ordinal": 1} | more
    return make_record(part, user_identity=identity, **given)


EVENTS = DynamoDbEvents(ARN, "us-east-1")


def test_the_event_is_the_recorded_one_key_by_key():
    assert json.dumps(EVENTS.build(SHARD, [record()])) == json.dumps(
        {
            "Records": [
                {
                    "eventID": EVENT_ID,
                    "eventName": "INSERT",
                    "eventVersion": "1.1",
                    "eventSource": "aws:dynamodb",
                    "awsRegion": "us-east-1",
                    "dynamodb": PART,
                    "eventSourceARN": ARN,
                }
            ]
        }
    )


def test_only_a_delete_by_time_to_live_says_who_did_it():
    by_user, by_ttl = EVENTS.build(SHARD, [record(), record(identity=TTL_IDENTITY)])["Records"]

    assert "userIdentity" not in by_user
    assert by_ttl.pop("userIdentity") == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }
    assert by_ttl == by_user


def test_every_event_is_fresh():
    records = [record()]
    EVENTS.build(SHARD, records)["Records"][0]["dynamodb"]["Keys"].clear()

    assert EVENTS.build(SHARD, records)["Records"][0]["dynamodb"] == PART


def test_a_partial_response_names_sequence_numbers():
    assert EVENTS.identifiers([record()]) == ["4421584500000000017450439091"]


def test_a_discarded_batch_is_told_in_whole_seconds():
    later = record(PART | {"ApproximateCreationDateTime": 1733226012.0, "SequenceNumber": "5"})

    assert EVENTS.batch_info(SHARD, [record(), later], ARN) == (
        "DDBStreamBatchInfo",
        {
            "shardId": SHARD,
            "startSequenceNumber": "4421584500000000017450439091",
            "endSequenceNumber": "5",
            "approximateArrivalOfFirstRecord": "2024-12-03T11:40:11Z",
            "approximateArrivalOfLastRecord": "2024-12-03T11:40:12Z",
            "batchSize": 2,
            "streamArn": ARN,
        },
    )


def test_powertools_reads_it():
    removed = PART | {"OldImage": {"Id": {"N": "101"}, "raw": {"B": "Zm9vYmFy"}}}
    event = EVENTS.build(SHARD, [record(), record(removed, TTL_IDENTITY, event_name="REMOVE")])

    first, second = DynamoDBStreamModel.model_validate(event).Records

    assert first.dynamodb.NewImage == {"Id": 101, "Message": "New item!"}
    assert second.dynamodb.OldImage["raw"] == "Zm9vYmFy"
    assert second.userIdentity is not None
    assert second.userIdentity.principalId == "dynamodb.amazonaws.com"


def test_a_record_shows_its_part_its_keys_and_its_whole_second():
    it = record(written_ms=1733226011999)

    assert it.json == PART
    assert json.loads(it.data) == PART
    assert it.partition_key == '{"Id":{"N":"101"}}'
    assert it.arrived_at.isoformat() == "2024-12-03T11:40:11+00:00"
    assert it.position == 4421584500000000017450439091


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"pk": {"S": "a"}, "sk": {"N": "1"}}, {"sk": {"N": "1.0"}, "pk": {"S": "a"}}),
        ({"pk": {"N": "10"}}, {"pk": {"N": "1E1"}}),
    ],
)
def test_the_same_item_has_the_same_key_however_it_is_written(one, other):
    assert record(PART | {"Keys": one}).key == record(PART | {"Keys": other}).key


# Half a surrogate pair is no character, and no JSON text can carry it in UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = TEXT.filter(bool) | st.sampled_from(['"', "\\", "\x00", "\x1f\x7f", "é", "🌍"])
IMAGES = st.dictionaries(NAMES, TEXT.map(lambda text: {"S": text}), max_size=3)
PARTS = st.fixed_dictionaries(
    {
        "ApproximateCreationDateTime": st.integers(0, 253_402_300_799).map(float),
        "Keys": IMAGES,
        "SequenceNumber": st.integers(0, 10**40 - 1).map(str),
        "SizeBytes": st.integers(0, 10**6),
        "StreamViewType": TEXT,
    },
    optional={"NewImage": IMAGES, "OldImage": IMAGES},
)
IDENTITIES = st.none() | st.just(TTL_IDENTITY) | st.builds(UserIdentity, TEXT, TEXT)
RECORDS = st.builds(record, PARTS, IDENTITIES, event_name=TEXT, event_id=TEXT)


@given(records=st.lists(RECORDS, min_size=1, max_size=5), arn=TEXT, region=TEXT)
def test_sizes_add_up_to_the_bytes_of_compact_json(records, arn, region):
    events = DynamoDbEvents(arn, region)
    envelope = events.envelope(SHARD)

    counted = (
        envelope.event_bytes + envelope.record_bytes * len(records) + sum(r.size for r in records)
    )

    text = json.dumps(events.build(SHARD, records), ensure_ascii=False, separators=(",", ":"))
    assert counted == len(text.encode())
