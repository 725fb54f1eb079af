"""Ctrl-C: while handlers run, who may catch what it raises, and while work goes on for ever."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, current_thread, main_thread
from types import FrameType

from esm.cli.failures import INTERRUPTED


@contextmanager
def second_interrupt_ends() -> Iterator[None]:
    """The first Ctrl-C raises KeyboardInterrupt, as ever; the second one ends the process.

    A handler that catches everything, in a loop, would go on for ever. A shell sees 130 both times.
    """
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.default_int_handler(number, frame)


@dataclass(slots=True)
class Stopped:
    """Whether somebody wants what runs to end, and the exit code that it then has."""

    event: Event = field(default_factory=Event)
    exit_code: int = 0


@contextmanager
def stopped_by_signals() -> Iterator[Stopped]:
    """The first Ctrl-C, or SIGTERM, is told and no more; the second one ends the process."""
    stopped = Stopped()
    if current_thread() is not main_thread():
        yield stopped
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stopped.exit_code = INTERRUPTED if number == signal.SIGINT else 0
        stopped.event.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def sigterm_ends_quietly() -> Iterator[None]:
    """SIGTERM ends the command as if it were done, whatever it does; all that is open is closed."""
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
