"""What a live run owes its user, without servers: streams that behave as if behind an endpoint."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from live_world import Behind, FullDisk, World, not_there, numbers, unavailable

from esm.core.messages import PollFailed
from esm.core.model import AtTimestamp, TrimHorizon
from esm.destinations.memory import Queue
from esm.ports import Checkpoint
from esm.runner import Ended
from esm.trace import NotSaved

FIRST = "shardId-000000000000"


def test_what_is_put_reaches_the_function_and_the_run_ends_idle():
    world, events = World(), []
    orders = world.stream()
    orders.stream.put_many(map(str, range(250)), key=str)
    pipeline = world.map(orders, events.append, batch_size=100)
    world.start("idle")
    assert world.wait() is Ended.IDLE
    assert [len(event["Records"]) for event in events] == [100, 100, 50]
    assert numbers(events) == [str(n) for n in range(250)]
    saved = world.store.load(pipeline.name, orders.arn)[FIRST]
    assert saved.position == orders.stream.records[-1].position


def test_a_chain_is_idle_only_when_its_last_function_has_nothing_to_do():
    world, seen = World(), []
    orders, prices = world.stream("orders"), world.stream("prices")
    orders.stream.put_many(map(str, range(5)), key=str)

    def pass_on(event: dict[str, Any]) -> None:
        for key in numbers([event]):
            prices.stream.put(key, key=key)

    world.map(orders, pass_on, batch_size=1)
    world.map(prices, seen.append)
    world.start("idle")
    world.wait()
    assert numbers(seen) == list("01234")


def test_a_run_that_is_fed_is_not_idle_before_all_is_put():
    world, events = World(), []
    orders = world.stream()
    world.map(orders, events.append)
    world.live.keep_busy(+1)
    world.start("idle")
    world.until(lambda: orders.opened_at)
    for _ in range(3):
        reads = len(orders.opened_at[FIRST])
        world.until(lambda reads=reads: len(orders.opened_at[FIRST]) > reads + 2)
        assert world.ended is None
    orders.stream.put("late", key="late")
    world.live.keep_busy(-1)
    world.wait()
    assert numbers(events) == ["late"]


def test_a_batching_window_is_waited_for():
    world, events = World(), []
    orders = world.stream()
    orders.stream.put_many(map(str, range(3)), key=str)
    world.map(orders, events.append, maximum_batching_window_in_seconds=1)
    world.start("idle")
    world.wait()
    assert [len(event["Records"]) for event in events] == [3]


@pytest.mark.parametrize(("told_ms", "interval_ms"), [(None, 1_000), (50, 50)])
def test_shards_are_read_at_the_cadence_of_aws_or_as_told(told_ms, interval_ms):
    world = World(poll_ms=told_ms)
    pipeline = world.map(world.stream(), lambda event: None)
    assert pipeline.terms.policy.poll_interval_ms == interval_ms


def test_a_read_that_hangs_delays_no_other_shard():
    """More shards hang than one mapping has threads for."""
    world, events, hanging = World(), [], threading.Event()
    stuck, fine = world.stream("stuck", shards=40), world.stream("fine")
    stuck.before_read = lambda shard_id: hanging.wait(30) and None
    world.map(stuck, events.append)
    world.map(fine, events.append)
    world.start()
    world.until(lambda: fine.opened_at)
    fine.stream.put("now", key="now")
    world.until(lambda: events)
    world.stop()  # it does not wait for reads
    hanging.set()
    assert numbers(events) == ["now"]


def test_a_destination_that_hangs_delays_no_other_mapping():
    world, events, hanging = World(), [], threading.Event()

    class Stuck(Queue):
        def deliver(self, key: str, invocation_record: Any, now_ms: int) -> None:
            hanging.wait(30)

    def fail(event: dict[str, Any]) -> None:
        raise ValueError("no")

    poison, fine = world.stream("poison"), world.stream("fine")
    poison.stream.put("bad", key="bad")
    world.map(poison, fail, Stuck("dead"), maximum_retry_attempts=0)
    world.map(fine, events.append)
    world.start()
    world.until(lambda: any(type(e.message).__name__ == "SendToDestination" for e in world.entries))
    fine.stream.put("now", key="now")
    world.until(lambda: events)
    hanging.set()
    world.stop()


def test_a_source_that_is_away_is_asked_again():
    world, events = World(), []
    orders = world.stream()
    orders.stream.put("first", key="first")
    orders.before_list = not_there
    world.map(orders, events.append)
    world.start()
    world.until(lambda: [e for e in world.entries if isinstance(e.message, PollFailed)])
    orders.before_list = lambda: None
    world.until(lambda: events)
    orders.before_read = lambda shard_id: unavailable()
    failures = len(world.entries)
    world.until(lambda: len(world.entries) > failures + 2)
    orders.stream.put("second", key="second")
    orders.before_read = lambda shard_id: None
    world.until(lambda: len(events) == 2)
    world.stop()
    assert numbers(events) == ["first", "second"]


def test_nothing_is_invoked_before_the_checkpoints_of_what_came_before_are_durable():
    store = FullDisk()
    world, events = World(store), []
    orders = world.stream()

    def handler(event: dict[str, Any]) -> None:
        events.append(event)
        store.is_full = len(events) == 1

    orders.stream.put_many(map(str, range(4)), key=str)
    pipeline = world.map(orders, handler, batch_size=2)
    world.start("idle")
    world.until(lambda: [e for e in world.entries if isinstance(e.message, NotSaved)])
    assert numbers(events) == ["0", "1"]
    store.is_full = False
    world.wait()
    assert numbers(events) == list("0123")
    saved = store.durable[pipeline.name, orders.arn][FIRST]
    assert saved.position == orders.stream.records[-1].position


def test_stop_lets_what_is_in_flight_end_and_saves_it():
    store = FullDisk()
    world, events, entered, go_on = World(store), [], threading.Event(), threading.Event()
    orders = world.stream()
    orders.stream.put_many(map(str, range(10)), key=str)

    def handler(event: dict[str, Any]) -> None:
        entered.set()
        go_on.wait(10)
        events.append(event)

    pipeline = world.map(orders, handler, batch_size=2)
    world.start()
    assert entered.wait(10)
    world.live.stop()
    go_on.set()
    assert world.wait() is Ended.STOPPED
    assert numbers(events) == ["0", "1"]
    saved = store.durable[pipeline.name, orders.arn][FIRST]
    assert saved.position == orders.stream.records[1].position


def test_children_that_a_listing_shows_late_are_found_and_read_after_their_parent():
    world, events = World(), []
    orders = world.stream()
    world.map(orders, events.append)
    orders.stream.put("parent", key="a")
    children = orders.stream.split()
    orders.hidden = {child.shard_id for child in children}
    orders.stream.put("child", key="b")
    world.start("idle")
    world.until(lambda: events)
    orders.hidden = set()
    world.wait()
    assert numbers(events) == ["a", "b"]


def test_a_retention_that_is_raised_holds_for_records_that_are_stuck(monkeypatch):
    monkeypatch.setattr("esm.live.listings._RETENTION_MS", 10)
    world, week_ms = World(), 7 * 86_400_000
    orders = world.stream()
    orders.stream.put("stuck", key="stuck")

    def fail(event: dict[str, Any]) -> None:
        raise ValueError("not yet")

    pipeline = world.map(orders, fail)
    world.start()
    world.until(lambda: world.live.runner.machines(pipeline))
    orders.stream.retention_ms = week_ms
    (machine,) = world.live.runner.machines(pipeline)
    world.until(lambda: machine.retention_ms == week_ms)
    world.stop()


def test_nobody_is_told_that_it_has_begun_before_the_places_are_saved():
    """Who feeds a stream waits for that: a kill must not make LATEST later than what was fed."""
    store = FullDisk()
    store.is_full = True
    world, events = World(store), []
    orders = world.stream()
    world.map(orders, events.append, starting_position="LATEST")
    world.start()
    world.until(lambda: [e for e in world.entries if isinstance(e.message, NotSaved)])
    assert not world.live.begun.is_set()
    store.is_full = False
    world.until(world.live.begun.is_set)
    assert [pin.pinned for pins in store.durable.values() for pin in pins.values()] == [True]
    world.stop()


class TestLatest:
    def test_what_was_there_is_passed_over_and_what_comes_after_the_start_is_not(self):
        world, events = World(), []
        orders = world.stream()
        orders.stream.put("old", key="old")
        world.map(orders, events.append, starting_position="LATEST")
        world.start()
        assert world.live.begun.wait(10)
        orders.stream.put("new", key="new")
        world.until(lambda: events)
        world.stop()
        assert numbers(events) == ["new"]

    def test_a_restart_before_the_first_record_goes_on_from_the_pin(self):
        store = FullDisk()
        world = World(store)
        orders = world.stream()
        pipeline = world.map(orders, print, starting_position="LATEST")
        world.start()
        world.until(lambda: store.durable)
        world.stop()
        pin = store.durable[pipeline.name, orders.arn][FIRST]
        assert pin.pinned
        assert pin.pinned_at_ms is not None
        orders.stream.put("while nobody reads", key="kept")
        again, events = World(store), []
        again.map(orders, events.append, starting_position="LATEST")
        orders.opened_at.clear()
        again.start("idle")
        again.wait()
        assert numbers(events) == ["kept"]
        assert orders.opened_at[FIRST][0] == AtTimestamp(pin.pinned_at_ms)


def test_a_tumbling_window_goes_on_with_its_state_after_a_restart():
    """Records of one window, of which the last come when the first run is over."""
    store = FullDisk()
    events: list[dict[str, Any]] = []

    def count_up(event: dict[str, Any]) -> dict[str, Any]:
        events.append(event)
        seen = event["state"].get("seen", [])
        return {"state": {"seen": seen + numbers([event])}}

    first = World(store)
    now_s = first.live.clock.now_ms() // 1000
    far_from_its_end = next(seconds for seconds in (900, 899, 897) if now_s % seconds < 800)
    window = {"tumbling_window_in_seconds": far_from_its_end, "batch_size": 2}
    orders = first.stream()
    orders.stream.put_many(map(str, range(4)), key=str)
    first.map(orders, count_up, **window)
    first.start()
    first.until(lambda: len(events) == 2)
    first.stop()
    orders.stream.put_many(map(str, range(4, 6)), key=str)
    second = World(store)
    second.map(orders, count_up, **window)
    second.start()
    second.until(lambda: len(events) == 3)
    second.stop()
    assert [event["state"].get("seen", []) for event in events] == [[], ["0", "1"], list("0123")]
    assert numbers(events) == list("012345")


@pytest.mark.parametrize(
    ("saved", "start"),
    [
        (Checkpoint(0, pinned=True, pinned_at_ms=0), TrimHorizon()),
        (Checkpoint(0, pinned=True, pinned_at_ms=1_000), AtTimestamp(1_000)),
    ],
)
def test_a_checkpoint_that_was_reset_to_an_instant_says_where_to_begin(saved, start):
    world = World()
    orders = world.stream()
    pipeline = world.map(orders, print)
    world.store.save(pipeline.name, orders.arn, FIRST, saved)
    world.start("idle")
    world.wait()
    assert orders.opened_at[FIRST][0] == start


def test_a_mistake_of_ours_in_a_thread_ends_the_run():
    world = World()
    orders: Behind = world.stream()

    def broken(shard_id: str) -> None:
        raise ZeroDivisionError

    orders.before_read = broken  # type: ignore[assignment]
    world.map(orders, print)
    world.start()
    with pytest.raises(ZeroDivisionError):
        world.wait()
