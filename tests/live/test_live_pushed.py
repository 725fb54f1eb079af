"""A source that pushes: what it has said decides what is known, not that it says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from live_world import QUICK, Behind, World, numbers, unavailable

from esm.core.messages import PollFailed, RecordsArrived
from esm.core.model import Position, TumblingWindow
from esm.ports import Checkpoint
from esm.sources.memory import KinesisStream

FIRST = "shardId-000000000000"


class Pushing(Behind):
    """Its one reader has what a test has pushed, and nothing else."""

    def __init__(self, stream: KinesisStream, now: Callable[[], int]) -> None:
        super().__init__(stream, now)
        self.arn = f"{stream.arn}/consumer/one:1767225600"
        self.is_open = False
        self._pushed: list[RecordsArrived | PollFailed] = []
        self._tell: Callable[[], None] = lambda: None

    def push(self, read: RecordsArrived | PollFailed) -> None:
        self._pushed.append(read)
        self._tell()

    def push_all(self) -> None:
        """What the stream has, and that this is all."""
        self.push(RecordsArrived(self.stream.records))

    def open(self, shard_id: str, on_put: Callable[[], None]) -> Any:
        self._tell, self.is_open = on_put, True
        return self

    must_poll = False

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        return now_ms if self._pushed else None

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        return self._pushed.pop(0) if self._pushed else RecordsArrived(())

    def idle_until(self, instant_ms: int) -> None: ...

    def close(self) -> None: ...


def pushing(world: World) -> Pushing:
    now = world.live.clock.now_ms
    return Pushing(KinesisStream("orders", 1, now=now), now)


def waits(world: World) -> None:
    """Long enough for a run that takes silence for the end."""
    now_ms = world.live.clock.now_ms
    until_ms = now_ms() + 300
    world.until(lambda: now_ms() > until_ms)


def test_a_run_is_not_idle_before_the_first_word():
    world, events = World(), []
    orders = pushing(world)
    orders.stream.put("first", key="first")
    world.map(orders, events.append)
    world.start("idle")
    world.until(lambda: orders.is_open)
    waits(world)
    orders.push_all()
    world.wait()
    assert numbers(events) == ["first"]


def test_a_run_is_not_idle_while_the_subscription_fails_or_is_behind():
    world, events = World(), []
    orders = pushing(world)
    world.map(orders, events.append)
    world.start("idle")
    world.until(lambda: orders.is_open)
    orders.push(unavailable())
    waits(world)
    orders.push(RecordsArrived((), millis_behind=5_000))
    waits(world)
    orders.stream.put("late", key="late")
    orders.push_all()
    world.wait()
    assert numbers(events) == ["late"]


def test_a_window_that_a_checkpoint_left_open_waits_for_what_belongs_to_it():
    """Long past its end, a restart first has to hear what is still to come."""
    world, events = World(settings=QUICK), []
    orders = pushing(world)
    orders.stream.put("behind the checkpoint", key="late")

    def add(event: dict[str, Any]) -> dict[str, Any]:
        events.append(event)
        return {"state": event["state"]}

    pipeline = world.map(orders, add, tumbling_window_in_seconds=1)
    window = TumblingWindow(0, world.live.clock.now_ms() // 1000 * 1000 + 1000, '{"n":1}')
    world.store.save(pipeline.name, orders.arn, FIRST, Checkpoint(1, window=window))
    # Were it closed by time alone, that would be here: 2 minutes and more after the window's end.
    world.live.clock._offset_ns += 600 * 10**9
    world.start()
    world.until(lambda: orders.is_open)
    waits(world)
    assert not events
    orders.push_all()
    world.until(lambda: len(events) == 2)
    world.stop()
    assert numbers(events[:1]) == ["late"]
    assert [event["isFinalInvokeForWindow"] for event in events] == [False, True]
