"""Captures of a table's stream: each form, and what is no capture of one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esm import Harness
from esm.core.model import TrimHorizon
from esm.errors import InputError, Place
from esm.payloads.dynamodb import TTL_IDENTITY
from esm.sources.capture import CaptureSource, read_captures
from esm.sources.capture_dynamodb import UNKNOWN_SHARD
from esm.sources.capture_text import CaptureFile

EVENTS = Path(__file__).parents[2] / "events"
ORDERS, OUTPUT = EVENTS / "dynamodb" / "orders.json", EVENTS / "dynamodb" / "get-records.json"
ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a document, or one a line, to a file of the test's own."""

    def write(*documents: Any, name: str = "capture.json") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(document) + "\n" for document in documents))
        return path

    return write


@pytest.fixture
def h() -> Harness:
    return Harness()


def event() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ORDERS.read_text(encoding="utf-8"))
    return document


def nothing(event: dict[str, Any], context: Any) -> None:
    """A handler that is content."""


def read(*paths: Path) -> list[Any]:
    return CaptureSource(read_captures(paths)).records


def test_a_function_gets_the_event_that_was_captured(h):
    mapping = h.replay(nothing, ORDERS, at_once=True)
    h.drain()
    assert [invocation.event for invocation in mapping.invocations] == [event()]
    assert mapping.source.arn == ARN
    assert {record.shard_id for record in mapping.delivered} == {UNKNOWN_SHARD}
    assert mapping.checkpoint() == event()["Records"][-1]["dynamodb"]["SequenceNumber"]


def test_records_keep_their_number_and_the_second_of_their_writing(h):
    mapping = h.replay(nothing, ORDERS)
    h.drain()
    given = [record["dynamodb"] for record in event()["Records"]]
    assert [r.sequence_number for r in mapping.delivered] == [p["SequenceNumber"] for p in given]
    assert [r.arrived_at.timestamp() for r in mapping.delivered] == [
        p["ApproximateCreationDateTime"] for p in given
    ]
    assert [i.started_at.second for i in mapping.invocations] == [1, 2, 3, 5, 6, 7, 8]


def test_what_get_records_gives_becomes_an_event(h):
    mapping = h.replay(nothing, OUTPUT, at_once=True)
    h.drain()
    changed, expired = mapping.invocations[0].event["Records"]
    assert changed["dynamodb"]["ApproximateCreationDateTime"] == 1_772_452_810.0
    assert expired["userIdentity"] == {
        "type": "Service", "principalId": "dynamodb.amazonaws.com",
    }  # fmt: skip
    assert mapping.delivered[1].user_identity == TTL_IDENTITY
    assert (changed["awsRegion"], changed["eventSourceARN"].split(":")[3]) == ("eu-central-1",) * 2


def test_a_folder_of_both_is_one_stream(h):
    mapping = h.replay(nothing, ORDERS.parent, at_once=True)
    h.drain()
    assert mapping.batches == [list(range(1, 10))]
    assert mapping.source.arn == ARN


def test_records_on_lines(write):
    records = event()["Records"]
    assert len(read(write(*records, name="orders.jsonl"))) == len(records)


def test_what_was_captured_twice_is_there_once(write):
    capture = read_captures([ORDERS, write(*event()["Records"], name="again.jsonl")])
    assert (capture.duplicates, len(capture.shards[UNKNOWN_SHARD])) == (7, 7)


def test_only_an_on_failure_object_says_the_shard(h, write):
    def boom(event: dict[str, Any], context: Any) -> None:
        raise ValueError("boom")

    table, bucket = h.dynamodb("orders"), h.bucket("failures")
    h.map(table, boom, maximum_retry_attempts=0, on_failure=bucket)
    table.put_item({"pk": "a"})
    h.drain()
    [failed] = bucket.objects.values()

    again = Harness()
    mapping = again.replay(nothing, write(failed))
    again.drain()
    assert mapping.delivered[0].shard_id == table.shards[0].shard_id
    assert mapping.delivered[0].json == table.records[0].json


@pytest.mark.parametrize("object_first", [True, False])
def test_what_was_captured_with_its_shard_and_without_is_there_once(write, object_first):
    document = event()
    object_ = {
        "DDBStreamBatchInfo": {"shardId": "shardId-1"},
        "payload": json.dumps({"Records": document["Records"][2:4]}),
    }
    paths = [write(object_, name="failed.json"), ORDERS]
    capture = read_captures(paths if object_first else paths[::-1])
    assert capture.duplicates == 2
    assert {shard: len(records) for shard, records in capture.shards.items()} == {
        "shardId-1": 2, UNKNOWN_SHARD: 5,
    }  # fmt: skip
    assert {record.shard_id for record in capture.shards["shardId-1"]} == {"shardId-1"}


def test_order_is_kept_per_item_in_several_lanes(h):
    mapping = h.replay(nothing, ORDERS, at_once=True, parallelization_factor=10, batch_size=1)
    h.drain()
    of_102 = [r.event_name for r in mapping.delivered if '"102"' in r.partition_key]
    assert of_102 == ["INSERT", "MODIFY"]
    assert len({invocation.lane for invocation in mapping.invocations}) > 1


def test_one_read_gives_a_megabyte(write):
    first = event()["Records"][0]
    made = []
    for number in range(5):
        record = copy.deepcopy(first)
        record["dynamodb"]["SequenceNumber"] = str(10**24 + number)
        record["dynamodb"]["NewImage"]["blob"] = {"S": "x" * 350_000}
        made.append(record)
    source = CaptureSource(read_captures([write({"Records": made})]), at_once=True)
    reader = source.open(UNKNOWN_SHARD, lambda: None)
    assert len(reader.read(TrimHorizon(), 100, source.start_ms).records) == 2


# --- mistakes ------------------------------------------------------------------------------------


def test_kinds_do_not_mix(write):
    other = EVENTS / "bandwidth_enrichment" / "batch.json"
    with pytest.raises(InputError) as raised:
        read_captures([ORDERS, other])
    assert raised.value.esm_code == "E426"
    assert raised.value.message == f"a record of Kinesis among those of DynamoDB in {ORDERS}"
    assert str(other) in str(raised.value)


def test_streams_do_not_mix(write):
    other = event()
    for record in other["Records"]:
        record["eventSourceARN"] = ARN.replace("orders", "others")
    with pytest.raises(InputError, match=r"E426  a record of .*others.* among those of .*orders"):
        read_captures([ORDERS, write(other)])


def changed(*path: str, value: Any = None) -> dict[str, Any]:
    """The event with a value of its first record changed, or left out."""
    document = event()
    inside = document["Records"][0]
    for name in path[:-1]:
        inside = inside[name]
    if value is None:
        inside.pop(path[-1], None)
    else:
        inside[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (changed("eventID"), '"eventID" is missing'),
        (changed("eventName", value="UPSERT"), "eventName must be INSERT or MODIFY or REMOVE, not"),
        (changed("eventSource", value="aws:sqs"), "eventSource must be aws:dynamodb, not"),
        (changed("dynamodb", "Keys"), '"Keys" is missing'),
        (changed("dynamodb", "Keys", value={"pk": 1}), "Keys.pk: 1 is not one type with its value"),
        (changed("dynamodb", "NewImage", value={"n": {"N": "x"}}), "'x' is not a number"),
        (changed("dynamodb", "NewImage", value=[]), "NewImage must be an object or null"),
        (changed("dynamodb", "SequenceNumber", value="1x"), "a sequence number is decimal digits"),
        (changed("dynamodb", "SequenceNumber", value=1), "SequenceNumber must be text"),
        (changed("dynamodb", "StreamViewType", value="ALL"), "StreamViewType must be KEYS_ONLY or"),
        (changed("dynamodb", "ApproximateCreationDateTime", value="soon"), "no instant: write"),
        (changed("userIdentity", value={"type": "Service"}), "userIdentity needs a type and a"),
        ({"DDBStreamBatchInfo": {}, "payload": "{}"}, '"shardId" is missing'),
        ({"DDBStreamBatchInfo": {"shardId": "s"}}, "this invocation record has no payload"),
    ],
)  # fmt: skip
def test_garbage_is_told_with_its_place(write, document, message):
    with pytest.raises(InputError) as raised:
        read_captures([write(document)])
    assert message in raised.value.message
    assert raised.value.place is not None
    assert raised.value.place.line == 1


def test_two_records_with_one_number_are_not_one_stream(write):
    other = changed("dynamodb", "NewImage", value={"n": {"N": "1"}})
    with pytest.raises(InputError, match="E427"):
        read_captures([ORDERS, write(other)])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["S", "N", "B", "M", "L", "NS", "x", ""]), inner)
    ),
    max_leaves=8,
)
PATHS = [
    ("eventID",), ("eventName",), ("eventSource",), ("eventSourceARN",), ("awsRegion",),
    ("userIdentity",), ("dynamodb",), ("dynamodb", "Keys"), ("dynamodb", "NewImage"),
    ("dynamodb", "OldImage"), ("dynamodb", "SequenceNumber"), ("dynamodb", "SizeBytes"),
    ("dynamodb", "StreamViewType"), ("dynamodb", "ApproximateCreationDateTime"),
]  # fmt: skip


def read_or_refused(data: bytes) -> int | Place | None:
    """How many records there are, or where it is wrong."""
    try:
        capture = read_captures([CaptureFile("capture.json", Path("capture.json"), data)])
    except InputError as error:
        return error.place
    return sum(map(len, capture.shards.values()))


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PATHS), value=ANYTHING)
def test_whatever_stands_in_a_capture_is_read_or_refused(path: tuple[str, ...], value: Any) -> None:
    outcome = read_or_refused(json.dumps(changed(*path, value=value)).encode())
    assert outcome == 7 or isinstance(outcome, Place)
