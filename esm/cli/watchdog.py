"""Ends an invocation that goes on, in reality, for longer than its function's Timeout.

An alarm raises inside the handler. What is deaf to it, because it catches everything or waits in
C code, is ended with the whole process a moment later, and what does not even let another thread
run by Python's own fault handler. A debugger that waits for its user stops all of that.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer, current_thread, get_ident, main_thread
from types import FrameType

from esm.cli.failures import BAD_OUTCOME
from esm.clock import Stopwatch
from esm.invokers.debugging import is_debugged
from esm.invokers.virtual_time import VirtualTime
from esm.ports import TaskTimedOut

_GRACE_SECONDS = 1.0
_AGAIN_SECONDS = 0.1  # for an alarm that came before the handler, or that it caught
_STDERR = 2

_exit: Callable[[int], object] = os._exit


@contextmanager
def watched(
    time: VirtualTime, timeout_seconds: float, *, grace_seconds: float = _GRACE_SECONDS
) -> Iterator[None]:
    """Let invocations take real time, and no more than this."""
    with ExitStack() as undo:
        watchdog = _Watchdog(time, timeout_seconds, grace_seconds)
        undo.callback(watchdog.stop)
        if current_thread() is main_thread() and hasattr(signal, "setitimer"):
            before = signal.signal(signal.SIGALRM, watchdog.ring)
            undo.callback(signal.signal, signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, timeout_seconds, _AGAIN_SECONDS)
            undo.callback(signal.setitimer, signal.ITIMER_REAL, 0)
        yield


class _Watchdog:
    """Watches the thread that makes it, from now on."""

    def __init__(self, time: VirtualTime, seconds: float, grace_seconds: float) -> None:
        self._time = time
        self._seconds = seconds
        self._thread = get_ident()
        self._is_off = False
        self._timer = Timer(seconds + grace_seconds, self._end_process)
        self._timer.daemon = True
        self._timer.start()
        faulthandler.dump_traceback_later(seconds + 2 * grace_seconds, exit=True, file=_STDERR)
        time.busy_ms = Stopwatch().elapsed_ms

    def stop(self) -> None:
        """It is over, or nobody is in a hurry any more."""
        self._timer.cancel()
        faulthandler.cancel_dump_traceback_later()

    def ring(self, _signal: int, frame: FrameType | None) -> None:
        """The alarm: raise DeadlinePassed where the invocation is."""
        if is_debugged(frame):
            self._give_all_the_time()
        elif not self._is_off and self._time.runs_here():
            self._time.expire()

    def _give_all_the_time(self) -> None:
        self._is_off = True
        self.stop()
        self._time.busy_ms = None

    def _end_process(self) -> None:
        frames = sys._current_frames()  # noqa: SLF001  (documented, in spite of its name)
        if is_debugged(frames.get(self._thread)):
            self._give_all_the_time()
            return
        error = TaskTimedOut(self._seconds)
        os.write(_STDERR, f"{type(error).__name__}: {error}\n".encode())
        _exit(BAD_OUTCOME)
