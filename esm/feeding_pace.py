"""Captured records at the pace at which they arrived, or so many times as fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from esm.clock import Stopwatch
from esm.patience import Wait

T = TypeVar("T")


def paced(timed: Iterable[tuple[int, T]], speed: float, wait: Wait) -> Iterator[T | None]:
    """Each of them when it is due, the first at once; None before a pause.

    `timed` has the instant of arrival with each, `speed` is how many times as fast it goes. It ends
    where there is no time to wait.
    """
    stopwatch = Stopwatch()
    start_ms: int | None = None
    for arrived_ms, each in timed:
        start_ms = arrived_ms if start_ms is None else start_ms
        due_ms = (arrived_ms - start_ms) / speed
        if due_ms > stopwatch.elapsed_ms():
            yield None
            left_ms = due_ms - stopwatch.elapsed_ms()
            if left_ms > 0 and not wait(left_ms / 1000):
                return
        yield each
