"""Enhanced fan-out: pushed after 70 ms, at a pace of its own, with aggregates taken apart."""

from __future__ import annotations

import base64
import itertools
from collections import Counter
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kpl_oracle import Part, aggregate, aggregate_of

from esm import Harness, Settings
from esm.core.messages import RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, TrimHorizon
from esm.errors import InputError
from esm.payloads.kpl import MAGIC
from esm.sources.hash_keys import hash_key_of
from esm.sources.memory import KinesisStream
from esm.sources.memory_consumer import KinesisConsumer, PushReader

START_MS = 1_767_225_600_000
FIRST = "shardId-000000000000"
MIB = 1024 * 1024
Handler = Callable[[dict[str, Any], Any], Any]


class Clock:
    """Virtual time, in ms since START_MS."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return START_MS + self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(clock: Clock) -> KinesisStream:
    return KinesisStream("orders", now=clock)


@pytest.fixture
def fast(stream: KinesisStream) -> KinesisConsumer:
    return stream.consumer("fast")


@pytest.fixture
def h() -> Harness:
    return Harness()


HORIZON = TrimHorizon()


def opened(consumer: KinesisConsumer, shard_id: str = FIRST) -> PushReader:
    return consumer.open(shard_id, lambda: None)


def read(
    reader: PushReader, ms: int, position: Position = HORIZON, limit: int = 10_000
) -> RecordsArrived:
    return reader.read(position, limit, START_MS + ms)


def keys(read: RecordsArrived) -> list[str]:
    return [record.key for record in read.records]


def texts(event: dict[str, Any]) -> list[str]:
    return [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]


def remembers(into: list[list[str]]) -> Handler:
    def handler(event: dict[str, Any], context: Any) -> None:
        into.append(texts(event))

    return handler


# --- registration --------------------------------------------------------------------------------


def test_its_arn_tells_the_stream_the_name_and_the_second_of_its_registration(clock, stream):
    clock.ms = 2_999
    assert stream.consumer("fast").arn == f"{stream.arn}/consumer/fast:1767225602"


def test_a_name_means_one_consumer(clock, stream, fast):
    clock.ms = 5_000
    assert stream.consumer("fast") is fast
    assert stream.consumers == [fast]


@pytest.mark.parametrize("name", ["", "a b", "x" * 129])
def test_a_name_that_aws_refuses(stream, name):
    with pytest.raises(InputError, match="E433"):
        stream.consumer(name)


def test_a_stream_has_twenty_consumers(stream):
    for number in range(20):
        stream.consumer(f"c{number}")
    with pytest.raises(InputError, match="E434  orders has 20 consumers already"):
        stream.consumer("one-more")
    assert stream.consumer("c7").name == "c7"


# --- pushes --------------------------------------------------------------------------------------


def test_a_record_is_there_after_seventy_milliseconds_and_not_before(stream, fast):
    reader = opened(fast)
    stream.put("one", key="k")
    assert reader.ready_ms(HORIZON, START_MS) == START_MS + 70
    assert keys(read(reader, 69)) == []
    assert keys(read(reader, 70)) == ["k"]
    assert reader.ready_ms(HORIZON, START_MS + 70) is None


def test_what_has_arrived_and_is_not_pushed_yet_is_not_behind(clock, stream, fast):
    stream.put("one")
    clock.ms = 50
    stream.put("two")
    answer = read(opened(fast), 70)
    assert (len(answer.records), answer.millis_behind) == (1, 0)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (TrimHorizon(), ["a", "b"]),
        (AtTimestamp(START_MS + 1), ["b"]),
        (Latest(), ["b"]),
        (After(0), ["a", "b"]),
    ],
    ids=["TRIM_HORIZON", "AT_TIMESTAMP", "LATEST", "after"],
)
def test_where_a_subscription_starts(clock, stream, fast, position, expected):
    stream.put("one", key="a")
    reader = opened(fast)
    reader.ready_ms(position, START_MS + 1)  # the loop asks at once: here it subscribes
    clock.ms = 1_000
    stream.put("two", key="b")
    assert keys(read(reader, 2_000, position)) == expected


def test_the_end_of_a_shard_is_pushed_too(clock, stream, fast):
    reader = opened(fast)
    clock.ms = 1_000
    stream.split()
    assert reader.ready_ms(HORIZON, START_MS + 1_000) == START_MS + 1_070
    assert not read(reader, 1_069).end_of_shard
    assert read(reader, 1_070).end_of_shard


def test_iterators_that_expire_are_none_of_its_business(stream, fast):
    stream.put("one", key="a")
    reader = opened(fast)
    assert keys(read(reader, 100, limit=1)) == ["a"]
    stream.expire_iterators()
    assert keys(read(reader, 10 * 60_000)) == []


def test_what_the_source_forgets_before_it_is_pushed_is_lost_once(clock):
    stream = KinesisStream(retention="1h", now=clock)
    reader = opened(stream.consumer("fast"))
    stream.put("one", key="a")
    assert reader.ready_ms(HORIZON, START_MS) == START_MS + 70
    late = 2 * 3_600_000
    assert reader.ready_ms(HORIZON, START_MS + late) == START_MS + late
    answer = read(reader, late)
    assert ([r.key for r in answer.lost], keys(answer)) == (["a"], [])
    assert read(reader, late + 1).lost == []


def test_its_throughput_is_its_own_with_limits(clock):
    stream = KinesisStream(limits=True, now=clock)
    shared = stream.open(FIRST, lambda: None)
    for second in range(5):
        clock.ms = second * 1_000
        stream.put(b"x" * (MIB - 1), key="k")
    for _ in range(5):
        shared.read(HORIZON, 1, START_MS + 9_000)
    first, second = opened(stream.consumer("one")), opened(stream.consumer("two"))

    assert len(read(first, 9_000).records) == 2
    assert len(read(second, 9_000).records) == 2
    assert read(first, 9_500).records == []
    assert first.ready_ms(HORIZON, START_MS + 9_000) == START_MS + 10_000
    assert len(read(first, 10_000).records) == 2


def test_without_limits_a_push_is_as_large_as_a_read(clock, stream, fast):
    stream.put_many([b"x" * (MIB - 1)] * 11, key="k")
    reader = opened(fast)
    assert len(read(reader, 70).records) == 10
    assert reader.ready_ms(HORIZON, START_MS + 70) == START_MS + 70


# --- aggregates ----------------------------------------------------------------------------------


def test_parts_have_keys_data_and_ordinals_of_their_own_and_one_sequence_number(stream, fast):
    stream.put("before", key="x")
    stream.put(aggregate_of("a", "b", "c"), key="agg")
    stream.put("behind", key="y")
    records = read(opened(fast), 70).records
    aggregated = stream.records[1]

    assert [r.key for r in records] == ["x", "a", "b", "c", "y"]
    assert [r.data for r in records] == [b"before", b"a", b"b", b"c", b"behind"]
    assert [r.ordinal for r in records] == [1, 2, 3, 4, 5]
    numbers = [r.sequence_number for r in records]
    assert numbers[1:4] == [aggregated.sequence_number] * 3
    assert len(set(numbers)) == 3
    positions = [r.position for r in records]
    assert positions == sorted(set(positions))
    assert fast.records == records
    assert fast.record_count == 5
    assert stream.record_count == 3


def test_a_checkpoint_may_stand_behind_an_aggregate_but_not_in_it(stream, fast):
    stream.put(aggregate_of("a", "b"), key="agg")
    stream.put(aggregate_of("c", "d"), key="agg")
    first, second = (record.position for record in stream.records)
    places = [fast.whole_before(FIRST, r.position) for r in fast.records]
    assert places == [None, first, first, second]


def test_reading_on_within_an_aggregate_begins_with_it(stream, fast):
    stream.put(aggregate_of("a", "b", "c"), key="agg")
    first = fast.records[0]
    assert keys(read(opened(fast), 70, After(first.position))) == ["a", "b", "c"]


def test_a_read_takes_aggregates_whole_and_no_more_than_its_limit(stream, fast):
    for names in ("abc", "de", "f"):
        stream.put(aggregate_of(*names), key="agg")
    reader = opened(fast)
    first = read(reader, 70, limit=2)
    assert keys(first) == ["a", "b", "c"]
    assert first.millis_behind > 0
    assert keys(read(reader, 70, limit=2)) == ["d", "e"]
    assert keys(read(reader, 70, limit=2)) == ["f"]


def test_what_only_begins_like_an_aggregate_stays_as_it_is(stream, fast):
    blob = aggregate_of("a", "b")[:-1]
    stream.put(blob, key="k")
    stream.put("next", key="l")
    assert [r.data for r in fast.records] == [blob, b"next"]
    assert [r.ordinal for r in fast.records] == [1, 2]


def test_an_aggregate_without_records_is_nothing(stream, fast):
    message = b"\x0a\x01k"
    stream.put(MAGIC + message + md5(message).digest(), key="agg")
    stream.put("next", key="k")
    assert [(r.key, r.ordinal) for r in fast.records] == [("k", 1)]
    assert fast.record_count == 1


def test_a_part_of_another_shard_is_dropped_and_counted(clock):
    stream = KinesisStream(shards=2, now=clock)
    fast = stream.consumer("fast")
    here = next(k for k in map(str, itertools.count()) if hash_key_of(k) < 2**127)
    there = next(k for k in map(str, itertools.count()) if hash_key_of(k) >= 2**127)
    parts = [
        Part(there, b"stray"),
        Part(here, b"own"),
        Part(there, b"told to come here", hash_key="1"),
        Part(here, b"told to go there", hash_key=str(2**128 - 1)),
    ]
    stream.put(aggregate(*parts), explicit_hash_key=0, key="agg")
    answer = read(opened(fast), 70)

    assert [r.data for r in answer.records] == [b"own", b"told to come here"]
    assert answer.strays == 2
    assert [stray.data for stray in fast.strays] == [b"stray", b"told to go there"]
    assert fast.record_count == 2
    assert answer.records[-1].position == stream.records[0].position


PUTS = st.lists(st.none() | st.lists(st.text("abc", min_size=1), min_size=1, max_size=5))


@given(PUTS)
def test_consumers_agree_on_ordinals_whenever_they_look(puts: list[list[str] | None]) -> None:
    stream = KinesisStream(now=lambda: START_MS)
    early, late = stream.consumer("early"), stream.consumer("late")
    for count, part_keys in enumerate(puts):
        stream.put("plain" if part_keys is None else aggregate_of(*part_keys), key="k")
        if count % 2:
            assert early.record_count == len(early.records)
    assert late.records == early.records
    assert [r.ordinal for r in late.records] == list(range(1, late.record_count + 1))
    assert late.count_after(FIRST, stream.beginning(FIRST)) == late.record_count
    wanted = [k for part_keys in puts for k in (part_keys or ["k"])]
    assert [r.key for r in late.records] == wanted


# --- mappings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", [True, False], ids=["skipping empty polls", "making every poll"])
def test_the_handler_has_a_record_seventy_milliseconds_after_its_put(skip):
    h = Harness(settings=Settings(skip_idle_polls=skip))
    orders = h.kinesis("orders")
    fast = h.map(orders.consumer("fast"), lambda event, context: None, name="fast")
    slow = h.map(orders, lambda event, context: None, name="slow")
    h.advance("400ms")
    orders.put({"id": 1})
    h.advance("600ms")
    orders.put_many({"id": n} for n in (2, 3))
    assert h.drain() == "idle"

    def starts(mapping):
        return [i.started_ms - START_MS for i in mapping.invocations]

    assert starts(fast) == [470, 1_070]
    # The poll at 1 s goes first, so what is put then waits for the next one.
    assert starts(slow) == [1_000, 2_000]
    assert (fast.batches, slow.batches) == ([[1], [2, 3]], [[1], [2, 3]])
    assert "empty poll" not in fast.timeline()


def test_the_delay_is_a_setting():
    h = Harness(settings=Settings(fan_out_delay="1s"))
    orders = h.kinesis("orders")
    m = h.map(orders.consumer("fast"), lambda event, context: None)
    orders.put("x")
    h.advance("999ms")
    assert m.invocations == []
    h.advance("1ms")
    assert m.batches == [[1]]


@pytest.mark.parametrize("named", ["consumer", "stream"])
def test_which_arn_events_name_is_a_setting(named):
    h = Harness(settings=Settings(fan_out_event_source_arn=named))
    orders = h.kinesis("orders")
    dlq = h.queue("dlq")
    fast = orders.consumer("fast")
    m = h.map(fast, lambda event, context: 1 / 0, maximum_retry_attempts=0, on_failure=dlq)
    orders.put("x")
    h.drain()
    arn = {"consumer": fast.arn, "stream": orders.arn}[named]
    assert m.invocations[0].event["Records"][0]["eventSourceARN"] == arn
    assert dlq.messages[0]["KinesisBatchInfo"]["streamArn"] == orders.arn
    assert m.properties.event_source_arn == fast.arn


def test_a_batching_window_collects_pushes(h):
    orders = h.kinesis("orders")
    m = h.map(orders.consumer("fast"), lambda e, c: None, maximum_batching_window_in_seconds=1)
    for _ in range(4):
        orders.put("x")
        h.advance("250ms")
    h.drain()
    assert m.batches == [[1, 2, 3, 4]]
    assert m.invocations[0].started_ms == START_MS + 1_000


def test_order_per_key_survives_resharding(h):
    orders = h.kinesis("orders", shards=2)
    seen: dict[str, list[int]] = {}

    def handler(event, context):
        for record in event["Records"]:
            value = base64.b64decode(record["kinesis"]["data"])
            seen.setdefault(record["kinesis"]["partitionKey"], []).append(int(value))

    m = h.map(orders.consumer("fast"), handler, batch_size=3, parallelization_factor=2)
    numbers = itertools.count()
    for shards in (4, 3, 1):
        for key in "abcdefgh":
            orders.put(str(next(numbers)), key=key)
        h.advance("30ms")
        orders.update_shard_count(shards)
    assert h.drain() == "idle"
    assert all(values == sorted(values) for values in seen.values())
    assert m.lag() == 0
    assert len(m.delivered) == 24


def test_a_partial_response_that_names_an_aggregate_begins_again_with_its_first_part(h):
    orders = h.kinesis("orders")
    seen: list[list[str]] = []

    def handler(event, context):
        seen.append(texts(event))
        if len(seen) == 1:
            failed = event["Records"][2]["kinesis"]["sequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": failed}]}
        return None

    m = h.map(orders.consumer("fast"), handler, function_response_types=["ReportBatchItemFailures"])
    orders.put("plain")
    orders.put(aggregate_of("a", "b", "c"), key="agg")
    h.drain()
    assert seen == [["plain", "a", "b", "c"], ["a", "b", "c"]]
    assert m.checkpoint() == orders.records[-1].sequence_number


def test_a_crash_within_an_aggregate_brings_it_again_and_loses_nothing(h):
    orders = h.kinesis("orders")
    seen: list[list[str]] = []
    m = h.map(orders.consumer("fast"), remembers(seen), batch_size=2)
    m.inject.latency("1s")
    orders.put("plain")
    orders.put(aggregate_of("a", "b", "c", "d"), key="agg")
    h.advance("2500ms")
    assert seen == [["plain", "a"], ["b", "c"], ["d"]]
    assert m.checkpoint() == orders.records[0].sequence_number

    h.restart()
    h.drain()
    assert seen[3:] == [["a", "b"], ["c", "d"]]
    assert m.checkpoint() == orders.records[1].sequence_number
    assert [r.key for r in m.delivered] == ["1", "a", "b", "c", "d"]
    assert m.lag() == 0


def test_a_discarded_part_leaves_the_others_alone(h):
    orders = h.kinesis("orders")
    dlq = h.queue("dlq")

    def handler(event, context):
        if "b" in texts(event):
            raise ValueError("bad part")

    m = h.map(
        orders.consumer("fast"),
        handler,
        maximum_retry_attempts=0,
        bisect_batch_on_function_error=True,
        on_failure=dlq,
    )
    orders.put(aggregate_of("a", "b", "c"), key="agg")
    h.drain()
    assert [r.key for r in m.delivered] == ["a", "c"]
    info = dlq.messages[0]["KinesisBatchInfo"]
    assert info["batchSize"] == 1
    assert info["startSequenceNumber"] == orders.records[0].sequence_number
    assert m.lag() == 0


def test_the_timeline_tells_of_parts_that_were_dropped_and_no_destination_gets_them(h):
    orders = h.kinesis("orders", shards=2)
    dlq = h.queue("dlq")
    m = h.map(orders.consumer("fast"), lambda event, context: None, on_failure=dlq)
    parts = [Part("a", b"own", hash_key="0"), Part("a", b"stray", hash_key=str(2**128 - 1))]
    orders.put(aggregate(*parts), explicit_hash_key=0, key="agg")
    orders.put(aggregate(parts[1]), explicit_hash_key=0, key="agg")
    h.drain()
    assert [r.data for r in m.delivered] == [b"own"]
    assert dlq.messages == []
    assert m.lag() == 0
    assert "read #1, dropped 2 stray parts of aggregates" in m.timeline()
    assert [line["strays"] for line in h.trace if "strays" in line] == [2]


def test_over_shared_throughput_the_aggregate_is_passed_as_it_is_and_told_of_once(h):
    orders = h.kinesis("orders")
    m = h.map(orders, lambda event, context: None)
    blob = aggregate_of("a", "b")
    for _ in range(2):
        orders.put(blob, key="agg")
        h.drain()
    assert [r.data for r in m.delivered] == [blob, blob]
    assert m.timeline().count("W510") == 1
    fast = h.map(orders.consumer("fast"), lambda event, context: None, name="fast")
    h.drain()
    assert len(fast.delivered) == 4
    assert "W510" not in fast.timeline()


STEPS = st.lists(
    st.sampled_from(["restart", "wait", "put"]) | st.integers(1, 6), min_size=1, max_size=25
)


@given(STEPS, st.integers(1, 4), st.integers(1, 3))
def test_whatever_crashes_when_nothing_is_lost(steps, batch_size, lanes):
    """A number puts an aggregate of so many parts."""
    h = Harness()
    orders = h.kinesis("orders")
    seen: list[list[str]] = []
    m = h.map(
        orders.consumer("fast"),
        remembers(seen),
        batch_size=batch_size,
        parallelization_factor=lanes,
    )
    m.inject.latency("50ms")
    names = (f"r{number}" for number in itertools.count())
    put: list[str] = []
    for step in steps:
        match step:
            case "restart":
                h.restart()
            case "wait":
                h.advance("40ms")
            case "put":
                put.append(next(names))
                orders.put(put[-1], key=put[-1])
            case int():
                parts = [next(names) for _ in range(step)]
                put += parts
                orders.put(aggregate_of(*parts), key="agg")
    h.drain()
    assert {name for batch in seen for name in batch} == set(put)
    assert Counter(r.key for r in m.delivered) == Counter(put)
    assert m.lag() == 0
    newest = orders.records[-1].sequence_number if orders.records else None
    assert m.checkpoint() == newest
