"""The short way from JSON to JSON says what the long way says, to the last character."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinesis_world import ARN, FIRST, World

from esm.embedded.api import ApiError
from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.kinesis_fast import answer_fast
from esm.embedded.kinesis_wire import handle_in_full, handle_json
from esm.errors import EsmError

Way = Callable[[KinesisApi, str, bytes, int], bytes]


def two_worlds(**options: Any) -> tuple[World, World]:
    worlds = World(**options), World(**options)
    for world in worlds:
        world.stream(shards=2)
    return worlds


def outcome(way: Way, world: World, operation: str, body: bytes) -> object:
    """What a call answers, and what is in the stream behind it."""
    try:
        answer: object = json.loads(way(world.api, operation, body, world.now_ms))
    except (ApiError, EsmError) as error:
        answer = type(error), str(error)
    return answer, [
        (record.key, record.base64, record.sequence_number, record.size)
        for record in world.streams["orders"].records
    ]


def both(operation: str, body: bytes, **options: Any) -> object:
    fast, full = two_worlds(**options)
    answers = (
        outcome(handle_json, fast, operation, body),
        outcome(handle_in_full, full, operation, body),
    )
    assert answers[0] == answers[1]
    return answers[0]


def text(data: bytes) -> str:
    return b64encode(data).decode()


RIGHT = {"Data": text(b"hi"), "PartitionKey": "k"}
BIG = text(b"x" * (1024 * 1024 + 1))
ODD: list[dict[str, Any]] = [
    RIGHT,
    {},
    {"Data": text(b"x")},
    {"PartitionKey": "k"},
    RIGHT | {"PartitionKey": ""},
    RIGHT | {"PartitionKey": "k" * 256},
    RIGHT | {"PartitionKey": "k" * 257},
    RIGHT | {"PartitionKey": 'Zürich \U0001f600 \x00\x7f"'},
    RIGHT | {"PartitionKey": 7},
    RIGHT | {"PartitionKey": None},
    RIGHT | {"Data": ""},
    RIGHT | {"Data": None},
    RIGHT | {"Data": 7},
    RIGHT | {"Data": ["aGk="]},
    RIGHT | {"Data": "aGk"},
    RIGHT | {"Data": "aGl="},  # the same bytes as aGk=
    RIGHT | {"Data": "a G k ="},
    RIGHT | {"Data": "aGk=\n"},
    RIGHT | {"Data": "äöü="},
    RIGHT | {"Data": "-_-_"},
    RIGHT | {"Data": text(bytes.fromhex("f3899ac2") + b"aggregate")},
    RIGHT | {"Data": BIG},
    RIGHT | {"ExplicitHashKey": "0"},
    RIGHT | {"ExplicitHashKey": str(2**128 - 1)},
    RIGHT | {"ExplicitHashKey": str(2**128)},
    RIGHT | {"ExplicitHashKey": "01"},
    RIGHT | {"ExplicitHashKey": "\u0663"},
    RIGHT | {"ExplicitHashKey": None},
    RIGHT | {"ExplicitHashKey": 5},
    RIGHT | {"Unknown": 1},
]
STREAMS: list[dict[str, Any]] = [
    {"StreamName": "orders"},
    {"StreamARN": ARN},
    {"StreamName": "orders", "StreamARN": ARN},
    {"StreamName": "other", "StreamARN": ARN},
    {"StreamName": "other"},
    {"StreamName": None},
    {"StreamName": 5},
    {},
]


@pytest.mark.parametrize("record", ODD, ids=range(len(ODD)))
def test_records_of_every_kind(record):
    both("PutRecord", json.dumps({"StreamName": "orders"} | record).encode())
    entries = {"StreamName": "orders", "Records": [RIGHT, record, RIGHT]}
    both("PutRecords", json.dumps(entries).encode())


@pytest.mark.parametrize("named", STREAMS, ids=str)
def test_streams_named_in_every_way(named):
    both("PutRecord", json.dumps(named | RIGHT).encode())
    both("PutRecords", json.dumps(named | {"Records": [RIGHT]}).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b"{", b"\xff", b'{"StreamName": "\\ud800"}', b"[" * 100_000,
        b'{"StreamName": "orders", "Records": []}',
        b'{"StreamName": "orders", "Records": null}',
        b'{"StreamName": "orders", "Records": {}}',
        b'{"StreamName": "orders", "Records": [1]}',
        b'{"StreamName": "orders", "Records": [null]}',
        b'{"StreamName": "orders", "DryRun": true}',
        b'{"StreamName": "orders", "DryRun": false, "Data": "aGk=", "PartitionKey": "k"}',
    ],
    ids=range(15),
)  # fmt: skip
@pytest.mark.parametrize("operation", ["PutRecord", "PutRecords", "GetRecords"])
def test_bodies_of_every_kind(operation, body):
    both(operation, body)


@pytest.mark.parametrize(("count", "size"), [(500, 1), (501, 1), (10, 1024 * 1024 - 8)])
def test_calls_at_their_limits(count, size):
    records = [{"Data": text(b"x" * size), "PartitionKey": "k" * 8}] * count
    both("PutRecords", json.dumps({"StreamName": "orders", "Records": records}).encode())


def test_a_full_shard_fails_its_records_alone():
    half = text(b"x" * 600_000)
    records = [{"Data": half, "PartitionKey": "k", "ExplicitHashKey": key} for key in "001"]
    records[2]["ExplicitHashKey"] = str(2**128 - 1)
    body = json.dumps({"StreamName": "orders", "Records": records}).encode()
    answer = both("PutRecords", body, limits=True)
    assert isinstance(answer, tuple)
    assert answer[0]["FailedRecordCount"] == 1
    assert answer[0]["Records"][1]["ErrorCode"] == "ProvisionedThroughputExceededException"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(ODD[:21]), min_size=1, max_size=4), st.sampled_from(STREAMS))
def test_any_mixture_of_records(records, named):
    both("PutRecords", json.dumps(named | {"Records": records}).encode())


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([None, 0, 1, 2, 10_000, 10_001, -1, "1", 1.5, True]),
    st.sampled_from(["right", "garbage", "", "x" * 513, None, 7, "old", "missing"]),
    st.sampled_from([None, ARN, ARN + "x"]),
)
def test_reads_of_every_kind(limit, which, arn):
    answers = []
    for world, way in zip(two_worlds(), (handle_json, handle_in_full), strict=True):
        orders = world.streams["orders"]
        orders.put_many(["a", "b", '"\n\x01é'], key=lambda data: data)
        text = world.call(
            "GetShardIterator", StreamARN=ARN, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        if which == "old":
            world.now_ms += 300_001
        asked = {"Limit": limit, "StreamARN": arn}
        if which != "missing":
            asked["ShardIterator"] = text if which in ("right", "old") else which
        answers.append(outcome(way, world, "GetRecords", json.dumps(asked).encode()))
    assert answers[0] == answers[1]


def test_the_end_of_a_shard_is_read_the_same_way():
    answers = []
    for world, way in zip(two_worlds(), (handle_json, handle_in_full), strict=True):
        world.streams["orders"].put("a", explicit_hash_key=0)
        world.streams["orders"].split(FIRST)
        iterator = world.call(
            "GetShardIterator", StreamARN=ARN, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        body = json.dumps({"ShardIterator": iterator}).encode()
        answers.append(way(world.api, "GetRecords", body, world.now_ms))
    assert answers[0] == answers[1]
    assert b'"ChildShards"' in answers[0]


def test_ordinary_calls_take_the_short_way():
    world = World()
    world.stream()
    now_ms = world.now_ms
    put = json.dumps({"StreamName": "orders"} | RIGHT).encode()
    many = json.dumps({"StreamARN": ARN, "Records": [RIGHT]}).encode()
    iterator = world.call(
        "GetShardIterator", StreamARN=ARN, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    read = json.dumps({"ShardIterator": iterator, "Limit": 5}).encode()
    ways = [("PutRecord", put), ("PutRecords", many), ("GetRecords", read)]
    answers = [answer_fast(world.api, operation, body, now_ms) for operation, body in ways]
    assert None not in answers
    assert json.loads(answers[2] or b"")["Records"][1]["Data"] == RIGHT["Data"]
    assert answer_fast(world.api, "ListStreams", b"{}", now_ms) is None


def test_everything_else_goes_over_the_wire_too():
    world = World()
    world.stream()
    listed = json.loads(handle_json(world.api, "ListStreams", b"", world.now_ms))
    assert listed["StreamSummaries"][0]["StreamCreationTimestamp"] == world.now_ms / 1000


# --- what it costs -------------------------------------------------------------------------------


def calls_of(world: World, operation: str, body: bytes) -> int:
    """How many functions of Python's one call takes."""
    calls = 0

    def on_event(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        handle_json(world.api, operation, body, world.now_ms)
    finally:
        sys.setprofile(before)
    return calls


def test_a_put_costs_the_same_however_much_is_there_and_a_read_next_to_nothing():
    world = World()
    orders = world.stream(shards=4)
    records = [{"Data": text(b"x" * 200), "PartitionKey": str(key)} for key in range(500)]
    body = json.dumps({"StreamName": "orders", "Records": records}).encode()
    few = calls_of(world, "PutRecords", body)
    for _ in range(40):
        handle_json(world.api, "PutRecords", body, world.now_ms)
    assert calls_of(world, "PutRecords", body) == few
    assert few / 500 < 20
    iterator = world.call(
        "GetShardIterator", StreamARN=ARN, ShardId=FIRST, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    read = json.dumps({"ShardIterator": iterator, "Limit": 4_000}).encode()
    assert orders.record_count == 21_000
    assert calls_of(world, "GetRecords", read) < 100
