"""Ctrl-C while handlers run, who may catch what it raises."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


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
