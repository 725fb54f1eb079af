"""Time for the loop. The only module that may read a clock or sleep."""

from __future__ import annotations

import time
from functools import partial

# Kept at import, and in a tuple, where what freezes time for handlers does not look: a frozen or
# virtual time must not reach the loop.
# Where there is a clock that goes on while the machine is suspended, as on Linux, it is that one.
_STEADY = (
    partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic_ns
)
_REAL = (time.time_ns, _STEADY, time.sleep)


class VirtualClock:
    """Stands still until it is told to move; moving takes no time."""

    __slots__ = ("_now_ms",)

    def __init__(self, start_ms: int) -> None:
        self._now_ms = start_ms

    def now_ms(self) -> int:
        """Epoch milliseconds of virtual time."""
        return self._now_ms

    def wait_until(self, instant_ms: int) -> None:
        """Jump to an instant; never back."""
        self._now_ms = max(self._now_ms, instant_ms)

    def restart(self, start_ms: int) -> None:
        """Begin somewhere else, before anything has run."""
        self._now_ms = start_ms


class SystemClock:
    """The machine's own time, which never goes back while the process lives."""

    __slots__ = ("_offset_ns",)

    def __init__(self) -> None:
        time_ns, monotonic_ns, _ = _REAL
        self._offset_ns = time_ns() - monotonic_ns()

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return (_REAL[1]() + self._offset_ns) // 1_000_000

    def wait_until(self, instant_ms: int) -> None:
        """Sleep until an instant; return at once when it is past."""
        while (left_ms := instant_ms - self.now_ms()) > 0:
            _REAL[2](left_ms / 1000)


def monotonic_s() -> float:
    """Real seconds since some instant, whatever time handlers or tests see."""
    return _REAL[1]() / 1e9


class Stopwatch:
    """Real time that has passed since it was made, whatever time handlers see."""

    __slots__ = ("_start_ns",)

    def __init__(self) -> None:
        self._start_ns = _REAL[1]()

    def elapsed_ms(self) -> int:
        """Whole milliseconds."""
        return (_REAL[1]() - self._start_ns) // 1_000_000
