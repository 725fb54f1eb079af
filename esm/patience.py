"""How often something that fails is tried again, and how long between two tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Wait = Callable[[float], bool]
"""Waits so many seconds; False, at once, when there is no time any more."""

_DOUBLINGS_MAX = 20


@dataclass(slots=True)
class Patience:
    """So many tries in a row, with waits that double from `first_ms` up to `cap_ms`."""

    wait: Wait
    attempts: int
    first_ms: int
    cap_ms: int
    failures: int = 0

    @property
    def is_over(self) -> bool:
        """Whether there have been enough tries."""
        return self.failures >= self.attempts

    def fail(self) -> None:
        """A try has failed."""
        self.failures += 1

    def renew(self) -> None:
        """A try has got somewhere: those before it count no more."""
        self.failures = 0

    def pause(self) -> bool:
        """Wait before the next try; False when there is no time any more."""
        doublings = min(max(self.failures - 1, 0), _DOUBLINGS_MAX)
        return self.wait(min(self.first_ms << doublings, self.cap_ms) / 1000)
