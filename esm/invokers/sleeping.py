"""`time.sleep` for the whole process while handlers run in virtual time.

The function belongs to the process, and modules that did `from time import sleep` each hold it
under a name of their own, so its stand-in is the process's too. It asks who is calling: in a thread
that runs an invocation it passes virtual time, anywhere else it sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from esm.invokers.doubles import Doubles


class Sleeper(Protocol):
    """Somebody whose invocations sleep in virtual time."""

    def runs_here(self) -> bool:
        """Whether the calling thread is in one of its invocations."""

    def sleep(self, seconds: float) -> None:
        """Pass virtual time."""


class Sleeping:
    """Puts a stand-in where `time.sleep` was, for as long as somebody needs it."""

    def __init__(self, real: Callable[[float], None]) -> None:
        self._real = real
        self._sleepers: list[Sleeper] = []
        self._doubles = Doubles([(real, self._make_stand_in())])

    @contextmanager
    def use(self, sleeper: Sleeper) -> Iterator[None]:
        """Ask `sleeper` first, the latest one before earlier ones."""
        self._sleepers.append(sleeper)
        try:
            if len(self._sleepers) == 1:
                self._doubles.put_in()
            yield
        finally:
            self._sleepers.remove(sleeper)
            if not self._sleepers:
                self._doubles.take_out()

    def _make_stand_in(self) -> Callable[[float], None]:
        def virtual_sleep(seconds: float, /) -> None:
            for sleeper in reversed(self._sleepers):
                # What time.sleep refuses, it shall refuse in its own words.
                if sleeper.runs_here() and isinstance(seconds, (int, float)) and seconds >= 0:
                    return sleeper.sleep(seconds)
            return self._real(seconds)

        return virtual_sleep


SLEEPING = Sleeping(time.sleep)
"""The one of this process."""
