"""Believable data for whole applications: pure generators, one module for each.

A module has `records(rng, start_ms, duration_ms, rate)`, which gives ScenarioRecords in the order
of their instants; the same `rng` gives the same records. `rate` is the mean of a day, in records
a second.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

_NO_SCENARIOS = {"daily"}


@dataclass(frozen=True, slots=True)
class ScenarioRecord:
    """One record to put: when, under which partition key; a mapping becomes JSON."""

    at_ms: int
    key: str
    data: Mapping[str, object] | bytes


Records = Callable[[random.Random, int, int, float], Iterator[ScenarioRecord]]


def names() -> list[str]:
    """Those that there are."""
    return sorted(
        module.name for module in iter_modules(__path__) if module.name not in _NO_SCENARIOS
    )


def load(name: str) -> Records:
    """One of them: chance, start, duration in milliseconds and records a second give records."""
    records: Records = import_module(f"{__name__}.{name}").records
    return records
