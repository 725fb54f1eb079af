"""Functions that fail for ever or hang: they cost nobody else time, and no memory."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from statistics import median
from time import monotonic
from typing import Any

import pytest
from live_world import FUNCTION, PATIENCE_S, World

from esm.clock import SystemClock
from esm.invokers.inline import Function
from esm.invokers.live import LiveFunction
from esm.settings import Settings

HANGING = 40
POLL_MS = 20
# One poll more: under load the machine may miss a turn.
ALLOWANCE_S = POLL_MS / 1000


def live_function(name: str, handler: Callable[..., Any]) -> LiveFunction:
    function = Function(name=name, timeout=900)
    return LiveFunction(name, lambda: handler, function, FUNCTION + name, SystemClock().now_ms)


class Failing:
    """Fails each time, with something in hand that nobody may keep."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, event: dict[str, Any], context: Any) -> None:
        self.calls += 1
        in_hand = bytearray(1_000)
        raise ValueError(f"attempt {self.calls}, {len(in_hand)} bytes in hand")


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_two_thousand_exceptions_in_a_row_leave_nothing_behind():
    settings = Settings(backoff_first="1ms", backoff_cap="1ms")
    world, handler = World(settings=settings, hear=lambda _: None), Failing()
    orders = world.stream()
    orders.stream.put_many(map(str, range(10)), key=str)
    world.map(orders, live_function("poison", handler), maximum_retry_attempts=-1)
    world.start()

    def after(calls: int) -> tuple[int, int]:
        """Threads, and bytes that are in use."""
        world.until(lambda: handler.calls >= calls)
        gc.collect()
        return threading.active_count(), tracemalloc.get_traced_memory()[0]

    threads, memory = after(500)
    threads_later, memory_later = after(2_000)
    world.stop()
    assert threads_later <= threads
    # What is in flight comes and goes; each of 1,500 exceptions would keep a hundred bytes.
    assert memory_later - memory < 75_000


def test_forty_functions_that_hang_keep_no_other_one_waiting():
    world, hanging, stuck = World(poll_ms=POLL_MS, hear=lambda _: None), threading.Event(), []

    def hang(event: dict[str, Any], context: Any) -> None:
        stuck.append(event)
        hanging.wait(PATIENCE_S * 3)

    streams = [world.stream(f"stuck-{number}") for number in range(HANGING)]
    for number, stream in enumerate(streams):
        world.map(stream, live_function(f"stuck-{number}", hang))
    fine, entered = world.stream("fine"), threading.Event()
    world.map(fine, live_function("fine", lambda event, context: entered.set()))
    world.start()

    def latency() -> float:
        """From a put to the handler."""
        entered.clear()
        began = monotonic()
        fine.stream.put("now", key="now")
        assert entered.wait(PATIENCE_S)
        return monotonic() - began

    def typical() -> float:
        return median(latency() for _ in range(40))

    latency()  # a cold start
    before = typical()
    for stream in streams:
        stream.stream.put("hang", key="hang")
    world.until(lambda: len(stuck) == HANGING)
    meanwhile = typical()
    hanging.set()
    world.stop()
    assert meanwhile <= 2 * before + ALLOWANCE_S, f"{before:.3f} s before, {meanwhile:.3f} s now"
