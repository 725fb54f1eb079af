"""`Harness` and `Mapping` as a user's test sees them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import freezegun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm import Function, Harness, Settings
from esm.errors import EsmError, InputError, MappingError, RunError
from esm.feedback import MOST_INVOCATIONS_AT_ONE_INSTANT
from esm.sources.memory import KinesisStream

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE_LANE, OTHER_LANE = "d", "a"  # keys of the first and of the second of two lanes


@pytest.fixture
def h() -> Harness:
    return Harness()


def nothing(event: dict[str, Any], context: Any) -> None:
    """A handler that is content."""


def boom(event: dict[str, Any], context: Any) -> None:
    raise ValueError("boom")


def bodies(event: dict[str, Any]) -> list[Any]:
    return [json.loads(base64.b64decode(r["kinesis"]["data"])) for r in event["Records"]]


def after(harness: Harness, instant: datetime) -> float:
    """Seconds since the start."""
    return (instant - START).total_seconds()


def puts(stream: KinesisStream, count: int) -> Callable[..., None]:
    """A handler that puts so many records, whatever it gets."""

    def handler(event: dict[str, Any], context: Any) -> None:
        stream.put_many({"n": number} for number in range(count))

    return handler


class Fails:
    """A handler that fails so many times, and is called with whatever comes."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        if self.left:
            self.left -= 1
            raise ValueError("not yet")


# --- time ----------------------------------------------------------------------------------------


def test_virtual_time_starts_in_2026_and_stands_still(h):
    assert h.now == START
    assert h.now == START


@pytest.mark.parametrize("start", ["2020-02-29T12:00:00Z", datetime(2020, 2, 29, 12, tzinfo=UTC)])
def test_virtual_time_starts_where_told(start):
    assert Harness(start=start).now == datetime(2020, 2, 29, 12, tzinfo=UTC)


def test_virtual_time_starts_at_the_time_that_the_test_has_frozen():
    with freezegun.freeze_time("2019-05-05 05:05:05"):
        now = Harness().now
    assert now == datetime(2019, 5, 5, 5, 5, 5, tzinfo=UTC)


@freezegun.freeze_time("2019-05-05")
def test_a_frozen_test_stays_frozen_around_and_its_handlers_see_virtual_time():
    h = Harness()
    seen = []
    stream = h.kinesis()
    h.map(stream, lambda event, context: seen.append(datetime.now(UTC)))
    h.advance("1h")
    stream.put("a")
    h.drain()

    assert seen == [datetime(2019, 5, 5, 1, 0, 1, tzinfo=UTC)]  # the poll after the put
    assert datetime.now(UTC) == datetime(2019, 5, 5, tzinfo=UTC)


def test_now_is_a_plain_datetime_under_a_freeze_too():
    with freezegun.freeze_time("2019-05-05"):
        assert type(Harness().now).__module__ == "datetime"


@pytest.mark.parametrize("duration", ["4m59s", 299, timedelta(seconds=299)])
def test_advance_takes_text_seconds_or_a_timedelta(h, duration):
    h.advance(duration)
    assert h.now == START + timedelta(minutes=4, seconds=59)


@pytest.mark.parametrize("duration", ["soon", -1, float("nan"), True])
def test_a_duration_that_is_none_is_refused_and_no_time_passes(h, duration):
    with pytest.raises(ValueError, match=r"duration"):
        h.advance(duration)
    assert h.now == START


def test_put_invokes_nobody(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put({"id": 1})
    assert m.invocations == []
    assert m.lag() == 1


def test_advance_also_runs_what_is_due_exactly_at_its_end(h):
    stream = h.kinesis()
    m = h.map(stream, boom)
    stream.put({"id": 1})
    h.advance("499ms")
    assert len(m.invocations) == 1
    h.advance("1ms")
    assert len(m.invocations) == 2
    assert h.now == START + timedelta(milliseconds=500)


def test_a_batching_window_of_five_minutes_waits_five_minutes(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, maximum_batching_window_in_seconds=300)
    stream.put({"id": 1})
    h.advance("4m59s")
    assert m.batches == []
    h.advance("1s")
    assert m.batches == [[1]]


def test_drain_ends_with_the_last_thing_that_happens(h):
    stream = h.kinesis()
    m = h.map(stream, Fails(2))
    stream.put({"id": 1})
    assert h.drain() == "idle"
    assert h.now == START + timedelta(seconds=1.5)
    assert len(m.delivered) == 1


def test_drain_waits_for_windows(h):
    stream = h.kinesis()
    h.map(stream, nothing, maximum_batching_window_in_seconds=60)
    stream.put({"id": 1})
    assert h.drain() == "idle"
    assert h.now == START + timedelta(minutes=1)


def test_drain_of_a_harness_without_anything_is_idle_at_once(h):
    assert h.drain() == "idle"
    assert h.now == START


def test_drain_stops_after_its_limit(h):
    stream = h.kinesis()
    h.map(stream, boom)
    stream.put({"id": 1})
    assert h.drain(limit="1h") == "limit"
    assert h.now == START + timedelta(hours=1)


def test_drain_with_limited_shards_is_idle_too():
    h = Harness()
    stream = h.kinesis(limits=True)
    m = h.map(stream, nothing)
    stream.put({"id": 1})
    assert h.drain() == "idle"
    assert len(m.delivered) == 1


def test_more_mappings_than_a_limited_shard_lets_read_in_a_second_all_get_their_records(h):
    stream = h.kinesis(limits=True)
    mappings = [h.map(stream, nothing, name=f"reader-{number}") for number in range(12)]
    stream.put({"id": 1})
    assert h.drain(limit="1m") == "idle"
    assert [len(m.delivered) for m in mappings] == [1] * 12
    h.advance("10m")
    stream.put({"id": 2})
    h.advance("1m")
    assert [m.lag() for m in mappings] == [0] * 12


def test_drain_ignores_what_a_disabled_mapping_would_have_to_do(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, enabled=False)
    stream.put({"id": 1})
    assert h.drain() == "idle"
    assert h.now == START
    assert m.invocations == []


def test_until_stops_as_soon_as_the_predicate_is_true(h):
    stream = h.kinesis()
    m = h.map(stream, boom)
    stream.put({"id": 1})
    assert h.until(lambda: len(m.invocations) == 4) is True
    assert h.now == START + timedelta(seconds=3.5)
    assert len(m.invocations) == 4


def test_until_runs_nothing_when_the_predicate_is_true_already(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put({"id": 1})
    assert h.until(lambda: True) is True
    assert m.invocations == []


def test_until_gives_up_after_its_limit(h):
    stream = h.kinesis()
    h.map(stream, boom)
    stream.put({"id": 1})
    assert h.until(lambda: False, limit="10m") is False
    assert h.now == START + timedelta(minutes=10)


def test_until_gives_up_when_nothing_can_happen_any_more(h):
    assert h.until(lambda: False) is False
    assert h.now == START


@pytest.mark.parametrize("verb", ["advance", "drain", "until"])
def test_a_handler_cannot_move_time(h, verb):
    verbs = {
        "advance": lambda: h.advance("1s"),
        "drain": h.drain,
        "until": lambda: h.until(lambda: True),
    }
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: verbs[verb](), maximum_retry_attempts=0)
    stream.put({"id": 1})
    h.drain()
    error = m.invocations[0].error
    assert isinstance(error, RunError)
    assert error.esm_code == "E702"
    assert len(m.discarded) == 1


def test_a_handler_that_multiplies_its_own_records_is_stopped(h, monkeypatch):
    monkeypatch.setattr("esm.feedback.MOST_INVOCATIONS_AT_ONE_INSTANT", 50)
    echo, relay = h.kinesis("echo"), h.kinesis("relay")
    h.map(relay, puts(echo, 40), name="forty", batch_size=1)
    h.map(echo, puts(relay, 1), name="mirror", batch_size=1)
    echo.put({"id": 1})
    with pytest.raises(RunError) as caught:
        h.drain()
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/"
    assert str(caught.value) == (
        "E701  mirror: more than 50 invocations within one instant, while handlers feed the "
        f"streams that they read: {arn}echo → {arn}relay → {arn}echo\n"
        "why    every round makes more records, and no time passes\n"
        "fix    write to another stream, or stop after a number of rounds"
    )
    assert MOST_INVOCATIONS_AT_ONE_INSTANT == 100_000


def test_many_invocations_that_feed_another_stream_are_no_loop(h, monkeypatch):
    monkeypatch.setattr("esm.feedback.MOST_INVOCATIONS_AT_ONE_INSTANT", 50)
    orders, copies = h.kinesis("orders"), h.kinesis("copies")
    h.map(orders, puts(copies, 1), name="copy", batch_size=1)
    m = h.map(copies, nothing, batch_size=1)
    orders.put_many({"id": number} for number in range(200))
    assert h.drain() == "idle"
    assert len(m.delivered) == 200


def test_a_harness_that_is_left_unclosed_leaves_nothing_behind():
    before = time.sleep, datetime
    stream = Harness().kinesis()
    stream.put("a")
    assert (time.sleep, datetime) == before


def test_repr_says_where_it_is(h):
    h.map(h.kinesis(), nothing)
    h.advance(1)
    assert repr(h) == "<Harness seed=0 at 2026-01-01T00:00:01+00:00: nothing>"


# --- durations -----------------------------------------------------------------------------------


def test_an_invocation_takes_no_time_unless_told(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put("a")
    h.drain()
    (invocation,) = m.invocations
    assert invocation.started_at == invocation.ended_at == START


def test_latency_is_how_long_each_invocation_takes():
    h = Harness(latency="2s")
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=1)
    stream.put_many("ab")
    h.drain()
    assert [after(h, i.started_at) for i in m.invocations] == [0, 2]
    assert [after(h, i.ended_at) for i in m.invocations] == [2, 4]


def test_lanes_overlap_and_finish_out_of_order(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, parallelization_factor=2, batch_size=10)
    latencies = iter(["2s", "1s"])
    m.inject.latency(lambda rng: next(latencies))
    stream.put_many(["slow"] * 4, key=ONE_LANE)
    stream.put_many(["fast"] * 4, key=OTHER_LANE)
    h.drain()
    slow, fast = m.invocations
    assert slow.lane != fast.lane
    assert after(h, slow.started_at) == after(h, fast.started_at) == 0
    assert [record.ordinal for record in m.delivered] == [5, 6, 7, 8, 1, 2, 3, 4]
    assert m.checkpoint() == stream.records[-1].sequence_number


def test_the_checkpoint_does_not_pass_a_lane_that_is_behind(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, parallelization_factor=2, batch_size=10)
    latencies = iter(["2s", "1s"])
    m.inject.latency(lambda rng: next(latencies))
    stream.put("a", key=ONE_LANE)
    stream.put("b", key=OTHER_LANE)
    h.advance("1s")
    assert len(m.delivered) == 1
    assert m.checkpoint() is None
    h.drain()
    assert m.checkpoint() == stream.records[-1].sequence_number


def test_latencies_drawn_from_a_range_are_the_same_for_the_same_seed():
    def durations(seed: int) -> list[timedelta]:
        h = Harness(seed=seed, latency=("1s", "9s"))
        stream = h.kinesis()
        m = h.map(stream, nothing, batch_size=1, function=Function(timeout=10))
        stream.put_many("abcde")
        h.drain()
        return [i.ended_at - i.started_at for i in m.invocations]

    assert durations(1) == durations(1) != durations(2)
    assert all(timedelta(seconds=1) <= each <= timedelta(seconds=9) for each in durations(1))


def test_a_latency_over_the_timeout_is_a_timeout(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, maximum_retry_attempts=0)
    m.inject.latency("3001ms")
    stream.put("a")
    h.drain()
    (invocation,) = m.invocations
    assert str(invocation.error) == "Task timed out after 3.00 seconds"
    assert after(h, invocation.ended_at) == 3
    assert m.discarded[0].condition == "RetryAttemptsExhausted"


def test_sleep_in_a_handler_takes_virtual_time_only(h):
    seen = []

    def sleepy(event: dict[str, Any], context: Any) -> None:
        seen.append((time.time(), context.get_remaining_time_in_millis()))
        time.sleep(90)
        seen.append((time.time(), context.get_remaining_time_in_millis()))

    stream = h.kinesis()
    m = h.map(stream, sleepy, function=Function(timeout=120))
    stream.put("a")
    before = time.perf_counter()
    h.drain()
    assert time.perf_counter() - before < 10
    start = START.timestamp()
    assert seen == [(start, 120_000), (start + 90, 30_000)]
    assert after(h, m.invocations[0].ended_at) == 90
    assert h.now == START + timedelta(seconds=90)


def test_a_sleep_past_the_timeout_ends_the_handler(h):
    reached = []

    def sleepy(event: dict[str, Any], context: Any) -> None:
        time.sleep(3.5)
        reached.append("the end")

    stream = h.kinesis()
    m = h.map(stream, sleepy, maximum_retry_attempts=0)
    stream.put("a")
    h.drain()
    assert reached == []
    assert str(m.invocations[0].error) == "Task timed out after 3.00 seconds"


def test_what_a_handler_puts_after_a_sleep_arrives_when_it_was_put(h):
    orders, copies = h.kinesis("orders"), h.kinesis("copies")

    def copy(event: dict[str, Any], context: Any) -> None:
        time.sleep(2.5)
        copies.put("copied")

    h.map(orders, copy)
    m = h.map(copies, nothing)
    orders.put("a")
    h.drain()
    assert after(h, copies.records[0].arrived_at) == 2.5
    assert after(h, m.invocations[0].started_at) == 3  # the next tick of its polls


# --- faults --------------------------------------------------------------------------------------


def test_an_injected_error_comes_instead_of_the_call(h):
    calls = []
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: calls.append(1))
    m.inject.error("no database", times=2)
    stream.put("a")
    h.drain()
    assert len(calls) == 1
    assert [repr(i.error) for i in m.invocations] == [
        "RuntimeError('no database')",
        "RuntimeError('no database')",
        "None",
    ]


def test_after_a_when_that_failed_the_run_goes_on(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    looks = iter([lambda: json.loads("{"), lambda: None])
    m.inject.error(when=lambda record: next(looks)())
    stream.put("{")

    with pytest.raises(InputError, match=r"E446  .* at record 1: JSONDecodeError") as refusal:
        h.drain()
    assert isinstance(refusal.value.__cause__, json.JSONDecodeError)
    assert m.batches == []

    assert h.drain() == "idle"
    assert m.batches == [[1]]
    assert m.lag() == 0


def test_an_injected_error_can_be_of_any_kind(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.error(KeyError("id"), times=1)
    stream.put("a")
    h.drain()
    assert [type(i.error) for i in m.invocations] == [KeyError, type(None)]


def test_a_fault_may_depend_on_the_records(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, bisect_batch_on_function_error=True, maximum_retry_attempts=0)
    m.inject.error(when=lambda record: record.json["id"] == 3)
    stream.put_many({"id": number} for number in range(1, 5))
    h.drain()
    assert m.batches == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]
    assert [[r.json["id"] for r in discard.records] for discard in m.discarded] == [[3]]


def test_throttles_come_first_and_cost_no_attempt(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, maximum_retry_attempts=1)
    m.inject.error(times=1)
    m.inject.throttle(times=3)
    stream.put("a")
    h.drain()
    assert [(i.attempt, i.cause, after(h, i.started_at)) for i in m.invocations] == [
        (1, "batch", 7.0),  # after waits of 1, 2 and 4 seconds
        (2, "retry", 7.5),
    ]
    assert m.timeline().count("throttled 3 times") == 1


def test_an_injected_timeout_takes_the_functions_timeout(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, function=Function(timeout=7))
    m.inject.timeout()
    stream.put("a")
    h.drain()
    assert [after(h, i.ended_at) - after(h, i.started_at) for i in m.invocations] == [7, 0]
    assert str(m.invocations[0].error) == "Task timed out after 7.00 seconds"


def test_faults_survive_a_restart(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.error(times=2)
    stream.put("a")
    h.advance(0)
    h.restart()
    h.drain()
    assert [i.error is None for i in m.invocations] == [False, False, True]


def test_a_destination_that_fails_drops_the_batch_and_the_lane_goes_on(h):
    stream, dlq = h.kinesis(), h.queue("dlq")
    m = h.map(stream, boom, batch_size=1, maximum_retry_attempts=0, on_failure=dlq)
    dlq.fail(times=1)
    stream.put_many("ab")
    h.drain()
    assert [discard.delivered for discard in m.discarded] == [False, True]
    assert len(dlq.messages) == 1
    assert m.lag() == 0


# --- restart, disable, enable, update ------------------------------------------------------------


def test_restart_goes_on_from_the_checkpoint(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=2)
    stream.put_many("abcd")
    h.drain()
    h.restart()
    stream.put("e")
    h.drain()
    assert m.batches == [[1, 2], [3, 4], [5]]


def test_restart_delivers_again_what_was_not_resolved_and_starts_attempts_anew(h):
    stream = h.kinesis()
    m = h.map(stream, boom, maximum_retry_attempts=3)
    stream.put("a")
    h.advance("500ms")
    h.restart()
    h.drain()
    assert [i.attempt for i in m.invocations] == [1, 2, 1, 2, 3, 4]
    assert len(m.discarded) == 1


def test_restart_forgets_what_is_in_flight(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.latency("2s")
    stream.put("a")
    h.advance("1s")
    h.restart()
    assert m.delivered == []
    h.advance("1s")
    assert m.delivered == []  # the answer of the first attempt was on its way to nobody
    h.drain()
    assert m.batches == [[1], [1]]
    assert [record.ordinal for record in m.delivered] == [1]


def test_restart_redelivers_what_another_lane_had_done_but_counts_it_once(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, parallelization_factor=2)
    m.inject.error(when=lambda record: record.key == ONE_LANE, times=1)
    stream.put("a", key=ONE_LANE)
    stream.put("b", key=OTHER_LANE)
    h.advance(0)
    assert [record.ordinal for record in m.delivered] == [2]
    h.restart()
    h.drain()
    assert sorted(m.batches) == [[1], [1], [2], [2]]
    assert [record.ordinal for record in m.delivered] == [2, 1]
    assert m.lag() == 0


def test_restart_keeps_what_has_been_recorded(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put("a")
    h.drain()
    h.restart()
    assert m.batches == [[1]]
    assert m.checkpoint() == stream.records[0].sequence_number


def test_a_restart_from_a_handler_throws_its_own_invocation_away(h):
    stream = h.kinesis()
    restarts = iter([h.restart])

    def restart_once(event: dict[str, Any], context: Any) -> None:
        next(restarts, lambda: None)()

    m = h.map(stream, restart_once, parallelization_factor=4)
    stream.put_many({"id": number} for number in range(20))
    h.drain()
    assert len(m.invocations) == 5  # one whose answer came too late, then four lanes
    assert m.lag() == 0
    assert len(m.delivered) == 20


def test_a_disabled_mapping_does_nothing_until_enabled(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put("a")
    h.drain()
    m.disable()
    stream.put("b")
    h.advance("1h")
    assert m.batches == [[1]]
    assert m.lag() == 1
    m.enable()
    h.drain()
    assert m.batches == [[1], [2]]


def test_disable_lets_what_is_in_flight_end(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=1)
    m.inject.latency("2s")
    stream.put_many("ab")
    h.advance("1s")
    m.disable()
    h.advance("1h")
    assert [record.ordinal for record in m.delivered] == [1]
    assert m.batches == [[1]]


def test_disable_stops_retries_and_enable_takes_them_up_from_the_checkpoint(h):
    stream = h.kinesis()
    m = h.map(stream, boom)
    stream.put("a")
    h.advance("500ms")
    m.disable()
    h.advance("1h")
    assert [i.attempt for i in m.invocations] == [1, 2]
    m.enable()
    h.advance("500ms")
    assert [i.attempt for i in m.invocations] == [1, 2, 1, 2]


def test_enable_while_an_invocation_is_in_flight_waits_for_it(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=1)
    m.inject.latency("2s")
    stream.put_many("ab")
    h.advance("1s")
    m.disable()
    m.enable()
    h.drain()
    assert m.batches == [[1], [2]]
    assert [after(h, i.started_at) for i in m.invocations] == [0, 2]


def test_update_takes_effect_after_what_is_in_flight(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=1)
    m.inject.latency("2s")
    stream.put_many("abcde")
    h.advance("1s")
    m.update(batch_size=4)
    h.drain()
    assert m.batches == [[1], [2, 3, 4, 5]]


def test_update_of_a_disabled_mapping_waits_for_enable(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, enabled=False)
    m.update(batch_size=2)
    stream.put_many("abcd")
    h.drain()
    assert m.batches == []
    m.enable()
    h.drain()
    assert m.batches == [[1, 2], [3, 4]]


def test_update_refuses_what_aws_refuses_and_changes_nothing(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    with pytest.raises(MappingError):
        m.update(batch_size=0)
    stream.put_many("ab")
    h.drain()
    assert m.batches == [[1, 2]]
    assert m.properties.batch_size == 100


def test_a_handler_may_disable_its_own_mapping(h):
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: m.disable(), batch_size=1)
    stream.put_many("abc")
    h.drain()
    assert m.batches == [[1]]
    assert m.lag() == 2


# --- where reading starts ------------------------------------------------------------------------


def test_latest_takes_its_place_at_once(h):
    stream = h.kinesis()
    stream.put("before")
    m = h.map(stream, nothing, starting_position="LATEST")
    stream.put("after")
    h.drain()
    assert m.batches == [[2]]
    assert m.lag() == 0


def test_latest_with_a_delay_misses_what_is_put_meanwhile():
    h = Harness(settings=Settings(latest_delay="10s"))
    stream = h.kinesis()
    m = h.map(stream, nothing, starting_position="LATEST")
    stream.put("missed")
    h.advance("10s")
    stream.put("seen")
    h.drain()
    assert m.batches == [[2]]
    assert m.lag() == 0


def test_latest_keeps_its_place_over_a_restart(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, starting_position="LATEST")
    stream.put("a")
    h.restart()
    h.drain()
    assert m.batches == [[1]]


def test_at_timestamp_starts_with_the_first_record_from_then_on(h):
    stream = h.kinesis()
    for item in "abc":
        stream.put(item)
        h.advance("1m")
    m = h.map(
        stream,
        nothing,
        starting_position="AT_TIMESTAMP",
        starting_position_timestamp=START + timedelta(minutes=1),
    )
    h.drain()
    assert m.batches == [[2, 3]]
    assert m.lag() == 0


def test_without_a_position_reading_starts_at_the_oldest_record(h):
    stream = h.kinesis()
    stream.put("before")
    m = h.map(stream, nothing)
    h.drain()
    assert m.batches == [[1]]


# --- names and properties ------------------------------------------------------------------------


def test_a_mapping_is_named_after_its_handler(h):
    stream = h.kinesis()
    names = [
        h.map(stream, handler).name for handler in (nothing, nothing, lambda e, c: 1, Fails(0))
    ]
    assert names == ["nothing", "nothing-2", "lambda", "Fails"]


def test_a_given_name_is_taken_once(h):
    stream = h.kinesis()
    h.map(stream, nothing, name="orders")
    with pytest.raises(InputError, match="E431"):
        h.map(stream, nothing, name="orders")


@pytest.mark.parametrize("kind", ["kinesis", "queue", "topic", "bucket"])
def test_a_stream_or_destination_has_its_name_for_itself(h, kind):
    getattr(h, kind)("one")
    with pytest.raises(InputError, match="E430"):
        getattr(h, kind)("one")


def test_an_unknown_property_is_a_type_error_that_names_the_nearest(h):
    with pytest.raises(TypeError, match="batch_size") as caught:
        h.map(h.kinesis(), nothing, bach_size=1)
    assert not isinstance(caught.value, EsmError)
    assert h.mappings == {}


def test_what_aws_refuses_is_refused_in_its_words(h):
    with pytest.raises(MappingError) as caught:
        h.map(h.kinesis(), nothing, batch_size=10_001)
    assert caught.value.code == "ValidationException"
    assert "'batchSize'" in caught.value.message


def test_a_destination_may_be_named_by_its_arn(h):
    stream, dlq = h.kinesis(), h.queue("dlq")
    h.map(
        stream,
        boom,
        maximum_retry_attempts=0,
        destination_config={"OnFailure": {"Destination": dlq.arn}},
    )
    stream.put("a")
    h.drain()
    assert len(dlq.messages) == 1


def test_a_destination_that_does_not_exist_is_refused(h):
    arn = "arn:aws:sqs:us-east-1:123456789012:nowhere"
    with pytest.raises(MappingError, match="E280"):
        h.map(h.kinesis(), nothing, destination_config={"OnFailure": {"Destination": arn}})
    assert h.mappings == {}


def test_a_handler_may_be_named_by_text(h, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signups_app.py").write_text("def handler(event, context):\n    return None\n")
    stream = h.kinesis()
    m = h.map(stream, "signups_app:handler")
    stream.put("a")
    h.drain()
    assert m.name == "handler"
    assert len(m.delivered) == 1


# --- what a mapping tells ------------------------------------------------------------------------


def test_every_record_has_one_fate():
    h = Harness()
    stream = h.kinesis(retention="24h")

    def picky(event: dict[str, Any], context: Any) -> None:
        if bodies(event) != [{"id": 1}]:
            raise ValueError("no")

    m = h.map(stream, picky, batch_size=1, maximum_retry_attempts=1)
    stream.put_many({"id": number} for number in (1, 2))
    assert m.lag() == 2
    h.drain()
    assert [record.ordinal for record in m.delivered] == [1]
    assert [[record.ordinal for record in each.records] for each in m.discarded] == [[2]]
    assert m.expired == m.filtered == []
    assert m.lag() == 0


def test_what_the_source_forgets_is_counted_as_expired(h):
    stream = h.kinesis(retention="1h")
    m = h.map(stream, boom)
    stream.put_many("ab")
    h.advance("30m")
    stream.put("c")
    h.advance("31m")
    assert [record.ordinal for record in m.expired] == [1, 2]
    assert m.lag() == 1
    assert h.drain() == "idle"
    assert [record.ordinal for record in m.expired] == [1, 2, 3]
    assert m.lag() == 0


def test_what_is_forgotten_while_a_mapping_is_disabled_is_counted_too(h):
    stream = h.kinesis(retention="1h")
    m = h.map(stream, nothing)
    m.disable()
    stream.put_many("ab")
    h.advance("2h")
    m.enable()
    h.drain()
    assert [record.ordinal for record in m.expired] == [1, 2]
    assert m.invocations == []
    assert m.lag() == 0


def test_checkpoint_needs_an_id_when_several_shards_are_open(h):
    stream = h.kinesis(shards=2)
    m = h.map(stream, nothing)
    record = stream.put("a")
    h.drain()
    with pytest.raises(InputError, match="E414"):
        m.checkpoint()
    assert m.checkpoint(record.shard_id) == record.sequence_number


def test_a_discard_shows_what_a_destination_would_have_got(h):
    stream = h.kinesis()
    m = h.map(stream, boom, maximum_retry_attempts=2)
    record = stream.put("a")
    h.drain()
    (discard,) = m.discarded
    assert discard.condition == "RetryAttemptsExhausted"
    assert discard.records == [record]
    assert discard.invocation_record["requestContext"]["approximateInvokeCount"] == 3
    assert discard.invocation_record["KinesisBatchInfo"]["startSequenceNumber"] == (
        record.sequence_number
    )
    assert discard.invocation_record["requestContext"]["requestId"] == m.invocations[-1].request_id


def test_an_invocation_tells_what_came_back(h):
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: {"seen": (1, 2)})
    stream.put("a")
    h.drain()
    (invocation,) = m.invocations
    assert invocation.response == {"seen": [1, 2]}
    assert invocation.error is None
    assert invocation.shard_id == "shardId-000000000000"
    assert invocation.lane == 0
    assert (invocation.attempt, invocation.cause) == (1, "batch")


def test_request_ids_differ_and_are_the_ones_that_handlers_see(h):
    seen = []
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: seen.append(context.aws_request_id), batch_size=1)
    stream.put_many("abc")
    h.drain()
    assert seen == [invocation.request_id for invocation in m.invocations]
    assert len(set(seen)) == 3


def test_the_event_is_rebuilt_so_a_handlers_changes_are_not_seen(h):
    originals = []

    def spoil(event: dict[str, Any], context: Any) -> None:
        originals.append(json.dumps(event))
        event["Records"].clear()
        raise ValueError("spoilt")

    stream = h.kinesis()
    m = h.map(stream, spoil, maximum_retry_attempts=1)
    stream.put({"id": 1})
    h.drain()
    assert originals[0] == originals[1]
    assert [json.dumps(invocation.event) for invocation in m.invocations] == originals


def test_keep_invocations_keeps_the_newest():
    h = Harness(keep_invocations=2)
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=1)
    stream.put_many("abcde")
    h.drain()
    assert m.batches == [[4], [5]]
    assert len(m.delivered) == 5
    assert m.lag() == 0
    assert m.timeline().splitlines()[-1].endswith("#5 succeeded; checkpoint #5")


def test_filled_lists_are_the_users_to_keep(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put("a")
    h.drain()
    first = m.invocations
    stream.put("b")
    h.drain()
    assert (len(first), len(m.invocations)) == (1, 2)


# --- several mappings ----------------------------------------------------------------------------


def test_two_mappings_read_one_stream_each_for_itself(h):
    stream = h.kinesis()
    good, bad = h.map(stream, nothing), h.map(stream, boom, maximum_retry_attempts=1)
    stream.put_many("ab")
    h.drain()
    assert good.batches == [[1, 2]]
    assert bad.batches == [[1, 2], [1, 2]]
    assert (good.lag(), bad.lag()) == (0, 0)


def test_two_mappings_share_a_handler(h):
    names = []

    def handler(event: dict[str, Any], context: Any) -> None:
        names.append(context.function_name)

    first, second = h.kinesis("first"), h.kinesis("second")
    h.map(first, handler)
    h.map(second, handler)
    first.put("a")
    second.put("b")
    h.drain()
    assert names == ["handler", "handler-2"]


def test_put_records_from_a_handler_reaches_the_next_mapping(h):
    orders, enriched = h.kinesis("orders"), h.kinesis("enriched", shards=2)

    def enrich(event: dict[str, Any], context: Any) -> None:
        client = boto3.client(
            "kinesis",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        answer = client.put_records(
            StreamName="enriched",
            Records=[
                {
                    "Data": json.dumps({**body, "rich": True}).encode(),
                    "PartitionKey": str(body["id"]),
                }
                for body in bodies(event)
            ],
        )
        assert answer["FailedRecordCount"] == 0

    first = h.map(orders, enrich)
    second = h.map(enriched, nothing)
    orders.put_many({"id": number} for number in range(5))
    assert h.drain() == "idle"
    assert first.invocations[0].error is None
    assert sorted(record.json["id"] for record in second.delivered) == list(range(5))
    assert all(record.json["rich"] for record in second.delivered)


def test_a_handler_that_calls_asyncio_run_works(h):
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    stream = h.kinesis()
    m = h.map(stream, lambda event, context: asyncio.run(work()))
    stream.put("a")
    h.drain()
    assert m.invocations[0].response == "done"


@pytest.mark.asyncio
async def test_so_it_does_in_an_async_test(h):
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    stream = h.kinesis()
    m = h.map(stream, lambda event, context: asyncio.run(work()))
    stream.put("a")
    h.drain()
    assert m.invocations[0].response == "done"
    assert asyncio.current_task() is not None
    await asyncio.sleep(0)


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 10), st.integers(1, 4))
def test_a_harness_in_the_body_of_a_property(items, batch_size, factor):
    h = Harness(freeze=False)
    stream = h.kinesis(shards=2)
    m = h.map(stream, nothing, batch_size=batch_size, parallelization_factor=factor)
    stream.put_many(({"n": item} for item in items), key=lambda item: str(item["n"]))
    assert h.drain() == "idle"
    assert m.lag() == 0
    assert sorted(record.ordinal for record in m.delivered) == list(range(1, len(items) + 1))
