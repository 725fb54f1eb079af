"""Faults that a test puts between a mapping and its function: `mapping.inject`."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from esm.errors import InputError, InvalidValue
from esm.instants import Duration, duration_ms

When = Callable[[Any], bool]
"""Says of a record whether an invocation that has it is hit."""

Latency = Duration | tuple[Duration, Duration] | Callable[[random.Random], Duration]
"""A duration, a range to draw from, or a function of the run's seeded `random.Random`."""


class FaultKind(Enum):
    """What happens instead of the call."""

    THROTTLE = "throttle"
    ERROR = "error"
    TIMEOUT = "timeout"


@dataclass(slots=True)
class Fault:
    """`left`: how many invocations it still hits; None for all that match."""

    kind: FaultKind
    left: int | None
    when: When | None = None
    error: BaseException | None = None

    def hits(self, records: Sequence[Any]) -> bool:
        """Whether an invocation with these records is hit; a tumbling final call has none."""
        if self.left == 0:
            return False
        return self.when is None or any(self._matches(self.when, record) for record in records)

    def _matches(self, when: When, record: Any) -> bool:
        try:
            return bool(when(record))
        except Exception as error:
            raise InputError(
                "E446",
                f"inject.{self.kind.value}(when=…) failed at record {record.ordinal}: "
                f"{type(error).__name__}: {error}",
                why="when is asked of every record that is about to be delivered",
                fix="let it return False for records that it cannot judge",
            ) from error


class Faults:
    """Faults of one mapping. They survive a restart; throttles come before all others."""

    def __init__(self, latency: Latency = 0) -> None:
        self._faults: list[Fault] = []
        self._latency = Drawn(latency)

    def error(
        self,
        exc: BaseException | type[BaseException] | str = "boom",
        when: When | None = None,
        times: int | None = None,
    ) -> None:
        """Fail invocations without calling the handler; text becomes a RuntimeError."""
        if isinstance(exc, str):
            exc = RuntimeError(exc)
        elif isinstance(exc, type):
            exc = exc()
        self._faults.append(Fault(FaultKind.ERROR, times, when, exc))

    def throttle(self, times: int = 1) -> None:
        """Refuse the next invocations, as a function out of concurrency does."""
        self._faults.append(Fault(FaultKind.THROTTLE, times))

    def timeout(self, times: int = 1, when: When | None = None) -> None:
        """Let invocations run into the function's timeout."""
        self._faults.append(Fault(FaultKind.TIMEOUT, times, when))

    def latency(self, latency: Latency) -> None:
        """Let every invocation from now on take this long, its own sleeps not counted."""
        self._latency = Drawn(latency)

    def take(self, records: Sequence[Any]) -> Fault | None:
        """The fault that hits an invocation with these records, used up by one."""
        if not self._faults:
            return None
        hits = [fault for fault in self._faults if fault.hits(records)]
        if not hits:
            return None
        throttles = [fault for fault in hits if fault.kind is FaultKind.THROTTLE]
        fault = (throttles or hits)[0]
        if fault.left is not None:
            fault.left -= 1
        return fault

    def draw_latency_ms(self, rng: random.Random) -> int:
        """How long the next invocation takes."""
        return self._latency.draw_ms(rng)


class Drawn:
    """A latency that has been read, E445 where it cannot be; to be drawn from."""

    __slots__ = ("_latency",)

    def __init__(self, latency: Latency) -> None:
        self._latency = _latency_ms(latency)

    def draw_ms(self, rng: random.Random) -> int:
        """One latency."""
        latency = self._latency
        if isinstance(latency, int):
            return latency
        if isinstance(latency, tuple):
            return rng.randint(*latency)
        return duration_ms(latency(rng))


def _latency_ms(latency: Latency) -> int | tuple[int, int] | Callable[[random.Random], Duration]:
    """The same with its durations in milliseconds."""
    if callable(latency):
        return latency
    if not isinstance(latency, tuple):
        return duration_ms(latency)
    ends = [duration_ms(each) for each in latency]
    if len(ends) != 2 or ends[0] > ends[1]:
        raise InvalidValue(
            "E445",
            f"{latency!r} is not a range of latencies",
            fix='("50ms", "2s"): the shortest and the longest',
        )
    return ends[0], ends[1]
