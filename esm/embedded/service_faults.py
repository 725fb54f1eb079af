"""Faults that a test puts into an embedded service: `endpoint.inject`, `warehouse.inject`."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping

from esm.embedded.api import ApiError
from esm.errors import InvalidValue
from esm.faults import Drawn, Latency


class ServiceFaults:
    """Errors for the next calls, in the order in which they were asked for, and a latency.

    `errors` has what the service can answer, by HTTP status; `throttled` is its throttling.
    """

    def __init__(self, throttled: ApiError, errors: Mapping[int, ApiError]) -> None:
        self._throttled = throttled
        self._errors = errors
        self._waiting: deque[ApiError] = deque()
        self._latency = Drawn(0)

    def latency(self, latency: Latency) -> None:
        """Let every call from now on take this long: `"2s"`, a range, or a function of chance."""
        self._latency = Drawn(latency)

    def throttle(self, times: int = 1) -> None:
        """Refuse the next calls because there are too many."""
        self._add(self._throttled, times)

    def error(self, times: int = 1, status: int = 503) -> None:
        """Answer the next calls with the service's error of this HTTP status."""
        if status not in self._errors:
            raise InvalidValue(
                "E448",
                f"the service has no error with status {status}",
                why="AWS's API reference lists them",
                fix=f"status={', '.join(map(str, sorted(self._errors)))}",
            )
        self._add(self._errors[status], times)

    def take(self) -> ApiError | None:
        """The error that hits a call, used up by it."""
        return self._waiting.popleft() if self._waiting else None

    def draw_latency_ms(self, rng: random.Random) -> int:
        """How long the next call takes."""
        return self._latency.draw_ms(rng)

    def _add(self, error: ApiError, times: int) -> None:
        if times < 0:
            raise InvalidValue("E449", f"times cannot be negative: {times}", fix="times=1")
        self._waiting.extend([error] * times)
