"""Tumbling windows as a user sees them: sums per minute, on a stream of orders.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm import Harness, Settings

MINUTE = 60


@pytest.fixture
def h() -> Harness:
    return Harness()


class Sums:
    """A function that adds up `amount`, and keeps the total of each window at its final call."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.finals: dict[tuple[str, str], int] = defaultdict(int)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        total = event["state"].get("total", 0) + len(event["Records"])
        if event["isFinalInvokeForWindow"]:
            self.totals[event["window"]["start"]] = total
            self.finals[event["shardId"], event["window"]["start"]] += 1
        return {"state": {"total": total}}


def test_an_event_shows_its_window_as_aws_does(h):
    stream = h.kinesis()
    m = h.map(stream, Sums(), name="sums", tumbling_window_in_seconds=120)
    stream.put("a")
    h.advance("1s")
    [invocation] = m.invocations
    assert list(invocation.event) == [
        "Records",
        "window",
        "state",
        "shardId",
        "eventSourceARN",
        "isFinalInvokeForWindow",
        "isWindowTerminatedEarly",
    ]
    assert invocation.event["window"] == {
        "start": "2026-01-01T00:00:00Z",
        "end": "2026-01-01T00:02:00Z",
    }
    assert invocation.event["state"] == {}
    assert invocation.event["shardId"] == "shardId-000000000000"
    assert invocation.event["eventSourceARN"] == stream.arn


def test_without_windows_an_event_has_records_only(h):
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: None, name="plain")
    stream.put("a")
    h.drain()
    assert list(m.invocations[0].event) == ["Records"]


def test_every_minute_has_its_sum(h):
    stream, sums = h.kinesis(), Sums()
    m = h.map(stream, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    for count in (3, 0, 5):
        stream.put_many("x" for _ in range(count))
        h.advance("1m")
    h.drain()
    assert sums.totals == {"2026-01-01T00:00:00Z": 3, "2026-01-01T00:02:00Z": 5}
    assert [i.cause for i in m.invocations] == ["batch", "window", "batch", "window"]
    assert [len(i.records) for i in m.invocations] == [3, 0, 5, 0]
    assert m.lag() == 0


def test_the_final_call_waits_for_late_records_as_long_as_aws_says(h):
    stream, sums = h.kinesis(), Sums()
    h.map(stream, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    stream.put("x")
    h.advance("2m59s")
    assert sums.totals == {}
    h.advance("1s")
    assert sums.totals == {"2026-01-01T00:00:00Z": 1}


def test_the_wait_is_a_setting_of_ours():
    h = Harness(settings=Settings(tumbling_idle_grace="5s"))
    stream, sums = h.kinesis(), Sums()
    h.map(stream, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    stream.put("x")
    h.advance("65s")
    assert sums.totals == {"2026-01-01T00:00:00Z": 1}


def test_without_a_wait_what_is_being_pushed_still_belongs_to_its_window():
    h = Harness(settings=Settings(tumbling_idle_grace="0s"))
    stream, sums = h.kinesis(), Sums()
    h.map(stream.consumer("fan-out"), sums, name="sums", tumbling_window_in_seconds=MINUTE)
    stream.put("x")
    h.advance(MINUTE - 0.001)
    stream.put("pushed after the end")
    h.drain()
    assert sums.totals == {"2026-01-01T00:00:00Z": 2}


def test_drain_waits_for_a_window_whose_polls_are_refused(h):
    stream, sums = h.kinesis(limits=True), Sums()
    for number in range(6):
        h.map(stream, lambda event, context: None, name=f"reader-{number}")
    h.map(stream, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    stream.put("x")
    assert h.drain() == "idle"
    assert sums.totals == {"2026-01-01T00:00:00Z": 1}


def test_a_response_without_state_is_a_failure(h):
    stream, queue = h.kinesis(), h.queue("failures")
    m = h.map(
        stream,
        lambda event, context: {"total": 1},
        name="forgetful",
        tumbling_window_in_seconds=MINUTE,
        maximum_retry_attempts=1,
        on_failure=queue,
    )
    stream.put("x")
    h.drain()
    [record] = queue.messages
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["responseContext"]["functionError"] is None
    assert "it has no state" in m.timeline()


def test_the_state_is_a_copy_that_a_failed_call_does_not_change(h):
    seen: list[str] = []

    def fails_once(event: dict[str, Any], context: Any) -> dict[str, Any]:
        seen.append(json.dumps(event["state"]))
        event["state"]["touched"] = True
        if len(seen) == 2:
            raise ValueError("once")
        return {"state": {"calls": len(seen)}}

    stream = h.kinesis()
    h.map(stream, fails_once, tumbling_window_in_seconds=MINUTE, batch_size=1)
    stream.put_many(["a", "b"])
    h.advance("10s")
    assert seen == ["{}", '{"calls": 1}', '{"calls": 1}']


def test_a_state_above_the_limit_is_handed_over_and_the_window_goes_on(h):
    told: list[tuple[int, bool, bool]] = []

    def grows(event: dict[str, Any], context: Any) -> dict[str, Any]:
        early, final = event["isWindowTerminatedEarly"], event["isFinalInvokeForWindow"]
        told.append((len(event["state"].get("bytes", "")), early, final))
        return {"state": {"bytes": "x" * (600_000 * len(told))}}

    stream = h.kinesis()
    m = h.map(stream, grows, tumbling_window_in_seconds=MINUTE, batch_size=1)
    stream.put_many(["a", "b", "c"])
    h.advance("10s")
    assert told[:4] == [
        (0, False, False),
        (600_000, False, False),
        (600_000, True, False),
        (0, False, False),
    ]
    windows = {json.dumps(i.event["window"]) for i in m.invocations[:4]}
    assert len(windows) == 1


def test_a_partial_failure_keeps_the_state_of_what_was_done(h):
    def stops_at_poison(event: dict[str, Any], context: Any) -> dict[str, Any]:
        done = event["state"].get("done", 0)
        for record in event["Records"]:
            if record["kinesis"]["partitionKey"] == "poison" and done < 2:
                number = record["kinesis"]["sequenceNumber"]
                return {
                    "state": {"done": done},
                    "batchItemFailures": [{"itemIdentifier": number}],
                }
            done += 1
        return {"state": {"done": done}}

    stream = h.kinesis()
    m = h.map(
        stream,
        stops_at_poison,
        tumbling_window_in_seconds=MINUTE,
        function_response_types=["ReportBatchItemFailures"],
    )
    for key in ("a", "b", "poison", "c"):
        stream.put("x", key=key)
    h.drain()
    assert m.invocations[-1].event["state"] == {"done": 4}
    assert m.lag() == 0


def test_a_restart_neither_loses_nor_doubles_what_is_in_the_state(h):
    stream, sums = h.kinesis(), Sums()
    h.map(stream, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    for _ in range(3):
        stream.put("x")
        h.advance("5s")
        h.restart()
    h.drain()
    assert sums.totals == {"2026-01-01T00:00:00Z": 3}


def test_a_restart_in_the_middle_of_an_aggregate_counts_each_part_once(h):
    kpl = pytest.importorskip("kpl_oracle")
    stream, sums = h.kinesis(), Sums()
    keys = [f"key-{n}" for n in range(6)]
    m = h.map(
        stream.consumer("fan-out"), sums, name="sums", tumbling_window_in_seconds=MINUTE,
        batch_size=4,
    )  # fmt: skip
    m.inject.error(times=1, when=lambda record: record.ordinal == 5)
    stream.put(kpl.aggregate_of(*keys), key="a")
    h.advance("100ms")
    h.restart()
    h.drain()
    assert sums.totals == {"2026-01-01T00:00:00Z": 6}


def test_a_split_closes_the_parents_window_before_the_children_begin(h):
    stream, sums = h.kinesis(), Sums()
    m = h.map(stream, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    stream.put("x")
    h.advance("5s")
    stream.split()
    stream.put_many("x" for _ in range(10))
    h.drain()
    parent = stream.shards[0].shard_id
    assert sums.finals[parent, "2026-01-01T00:00:00Z"] == 1
    first_child = next(n for n, i in enumerate(m.invocations) if i.shard_id != parent)
    assert m.invocations[first_child - 1].cause == "window"


def test_an_update_to_another_length_lets_the_open_window_end_as_it_was(h):
    stream, sums = h.kinesis(), Sums()
    m = h.map(stream, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    stream.put("x")
    h.advance("5s")
    m.update(tumbling_window_in_seconds=0)
    stream.put("y")
    h.drain()
    assert sums.totals == {"2026-01-01T00:00:00Z": 1}
    assert list(m.invocations[-1].event) == ["Records"]


def test_a_tables_windows_are_cut_by_its_records_whole_seconds(h):
    table, sums = h.dynamodb("orders"), Sums()
    m = h.map(table, sums, name="sums", tumbling_window_in_seconds=MINUTE)
    for number in range(3):
        table.put_item({"pk": str(number)})
        h.advance("30s")
    h.drain()
    assert sums.totals == {"2026-01-01T00:00:00Z": 2, "2026-01-01T00:01:00Z": 1}
    assert m.invocations[0].event["eventSourceARN"] == table.arn


@given(
    puts=st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 9)), max_size=12),
    shards=st.integers(1, 3),
    window_s=st.sampled_from([1, 7, 60]),
    batching_s=st.sampled_from([0, 5]),
    batch_size=st.sampled_from([1, 3, 100]),
    is_split=st.booleans(),
)
def test_every_record_is_in_one_window_of_its_shard_and_each_window_ends_once(
    puts, shards, window_s, batching_s, batch_size, is_split
):
    h = Harness(freeze=False)
    stream = h.kinesis(shards=shards)
    sums = Sums()
    m = h.map(
        stream, sums, name="sums", tumbling_window_in_seconds=window_s, batch_size=batch_size,
        maximum_batching_window_in_seconds=batching_s,
    )  # fmt: skip
    for after_ms, count in puts:
        h.advance(after_ms / 1000)
        stream.put_many(str(n) for n in range(count))
    if is_split:
        stream.split(stream.shards[0].shard_id)
        stream.put_many(str(n) for n in range(5))
    h.drain()
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for invocation in m.invocations:
        event = invocation.event
        for record in invocation.records:
            window = event["window"]
            assert window["start"] <= record.arrived_at.isoformat()[:19] + "Z" < window["end"]
            expected[record.shard_id, window["start"]] += 1
    assert sum(expected.values()) == len(stream.records)
    assert dict.fromkeys(expected, 1) == dict(sums.finals)
    assert sum(1 for i in m.invocations if i.cause == "window") == len(expected)
