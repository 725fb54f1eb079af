"""Arrivals over a day: more by day than by night, and never as regular as a clock."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import cos, pi

_DAY_MS = 24 * 3_600_000


def activity(now_ms: float, busiest_hour: float, swing: float) -> float:
    """How much is going on at this time of the day in UTC, 1 on average, 1 ± swing at most."""
    of_day = (now_ms % _DAY_MS) / _DAY_MS
    return 1 + swing * cos(2 * pi * (of_day - busiest_hour / 24))


def arrivals(
    rng: random.Random,
    start_ms: int,
    duration_ms: int,
    rate: float,
    *,
    busiest_hour: float,
    swing: float,
) -> Iterator[int]:
    """Instants in order; `rate` a second over a whole day."""
    now_ms = float(start_ms)
    while True:
        now_ms += rng.expovariate(rate * activity(now_ms, busiest_hour, swing) / 1_000)
        if now_ms >= start_ms + duration_ms:
            return
        yield int(now_ms)
