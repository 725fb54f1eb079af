"""The Kinesis event: its shape as recorded on AWS, and its size."""

import base64
import json

import pytest
from aws_lambda_powertools.utilities.parser.models import KinesisDataStreamModel
from hypothesis import given
from hypothesis import strategies as st

from esm.payloads.kinesis import KinesisEvents, make_record

ARN = "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"
ROLE = "arn:aws:iam::123456789012:role/lambda-role"
SHARD = "shardId-000000000006"
SEQUENCE_NUMBER = "49590338271490256608559692538361571095921575989136588898"


def record(*, key="1", data=b"Hello", arrived_ms=1545084650987, position=int(SEQUENCE_NUMBER)):
    return make_record(
        position=position,
        key=key,
        arrived_ms=arrived_ms,
        base64=base64.b64encode(data).decode(),
        shard_id=SHARD,
        ordinal=1,
    )


EVENTS = KinesisEvents(ARN, "us-east-2", ROLE)


def test_the_event_is_the_recorded_one_key_by_key():
    assert json.dumps(EVENTS.build(SHARD, [record()])) == json.dumps(
        {
            "Records": [
                {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": "1",
                        "sequenceNumber": SEQUENCE_NUMBER,
                        "data": "SGVsbG8=",
                        "approximateArrivalTimestamp": 1545084650.987,
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": f"{SHARD}:{SEQUENCE_NUMBER}",
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": ROLE,
                    "awsRegion": "us-east-2",
                    "eventSourceARN": ARN,
                }
            ]
        }
    )


def test_every_event_is_fresh():
    records = [record()]
    EVENTS.build(SHARD, records)["Records"][0]["kinesis"].clear()

    assert EVENTS.build(SHARD, records)["Records"][0]["kinesis"]["data"] == "SGVsbG8="


def test_a_partial_response_names_sequence_numbers():
    assert EVENTS.identifiers([record(position=3), record(position=20)]) == ["3", "20"]


def test_powertools_reads_it():
    model = KinesisDataStreamModel.model_validate(
        EVENTS.build(SHARD, [record(data=b'{"id": 1}'), record(data=b"\xf0\x9f\x8c\x8d")])
    )

    assert [r.kinesis.data for r in model.Records] == [b'{"id": 1}', b"\xf0\x9f\x8c\x8d"]
    assert model.Records[0].kinesis.approximateArrivalTimestamp == 1545084650.987


def test_a_record_shows_its_data_and_its_time():
    it = record(data=b'{"id": 1}', key="user-1")

    assert (it.partition_key, it.data, it.json) == ("user-1", b'{"id": 1}', {"id": 1})
    assert it.arrived_at.isoformat() == "2018-12-17T22:10:50.987000+00:00"


def test_data_that_is_no_json_says_so():
    with pytest.raises(ValueError, match="Expecting value"):
        _ = record(data=b"Hello").json


# Half a surrogate pair is no character, and no JSON text can carry it in UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = TEXT.filter(bool) | st.sampled_from(['"', "\\", "\x00", "\x1f\x7f", "é", "🌍", "</script>"])
RECORDS = st.builds(
    record,
    key=KEYS,
    data=st.binary(max_size=60),
    arrived_ms=st.integers(0, 253_402_300_799_999),
    position=st.integers(0, 10**57),
)


@given(
    records=st.lists(RECORDS, min_size=1, max_size=6),
    shard_id=KEYS,
    arn=TEXT,
    region=TEXT,
    role=TEXT,
)
def test_sizes_add_up_to_the_bytes_of_compact_json(records, shard_id, arn, region, role):
    events = KinesisEvents(arn, region, role)
    envelope = events.envelope(shard_id)

    counted = (
        envelope.event_bytes + envelope.record_bytes * len(records) + sum(r.size for r in records)
    )

    text = json.dumps(
        events.build(shard_id, records), ensure_ascii=False, separators=(",", ":")
    ).encode()
    assert counted == len(text)


@pytest.mark.parametrize(
    "arrived_ms",
    [0, 1, 999_999_999_999, 1_000_000_000_000, 1_767_225_600_000, 1_767_225_600_100,
     1_767_225_600_120, 1_767_225_600_123, 9_999_999_999_999, 10_000_000_000_000],
)  # fmt: skip
def test_an_instant_weighs_what_is_written_of_it(arrived_ms):
    it = record(arrived_ms=arrived_ms)
    written = json.dumps(arrived_ms / 1000)
    assert it.size == len('"1"') + 2 * len(SEQUENCE_NUMBER) + len(it.base64) + len(written)
