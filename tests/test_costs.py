"""What a run may cost, as counts: they are the same on every machine, however busy.

The seconds that they stand for are measured by `make bench`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from esm import Harness, Settings


class Calls:
    """How many Python functions were called."""

    count = 0


@contextmanager
def counted_calls() -> Iterator[Calls]:
    calls = Calls()

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        calls.count += event == "call"

    before = sys.getprofile()
    sys.setprofile(on_event)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def noop(event: dict[str, Any], context: object) -> None:
    return None


def calls_of_a_drain(records: int, factor: int) -> int:
    harness = Harness(freeze=False)
    stream = harness.kinesis("s")
    mapping = harness.map(stream, noop, parallelization_factor=factor)
    stream.put(b"the first invocation looks for names of time.sleep")
    harness.drain()
    stream.put_many((b"x" for _ in range(records)), key=lambda _: str(stream.record_count % 50))
    with counted_calls() as calls:
        harness.drain()
    assert mapping.lag() == 0
    return calls.count


@pytest.mark.parametrize(
    ("factor", "most"), [(1, 1.05), (10, 2.1)], ids=["one lane", "ten lanes, a hash a record"]
)
def test_a_record_costs_less_than_a_call_or_two_and_no_more_in_a_crowd(
    factor: int, most: float
) -> None:
    few, many = calls_of_a_drain(20_000, factor), calls_of_a_drain(60_000, factor)
    assert few / 20_000 < most
    assert many / 60_000 < few / 20_000 * 1.1


def a_storm(retries: int) -> tuple[Harness, Callable[[], None]]:
    harness = Harness(freeze=False, settings=Settings(backoff_first="1m", backoff_cap="1m"))
    stream = harness.kinesis("s", retention="200h")

    def fail(event: dict[str, Any], context: object) -> None:
        raise RuntimeError("never")

    harness.map(stream, fail)
    stream.put("poison")
    harness.advance("1m")
    return harness, lambda: harness.advance(retries * 60)


def test_a_retry_costs_some_eighty_calls_and_two_lines_of_the_trace() -> None:
    harness, storm = a_storm(1_000)
    lines = len(harness.trace)
    with counted_calls() as calls:
        storm()
    assert calls.count / 1_000 < 85
    assert len(harness.trace) - lines <= 2_002


def test_a_retry_keeps_no_traceback_but_the_first_and_the_last() -> None:
    harness, storm = a_storm(100)
    storm()
    [mapping] = harness.mappings.values()
    errors = [invocation.error for invocation in mapping.invocations]
    kept = [index for index, error in enumerate(errors) if error and error.__traceback__]
    assert kept == [0, len(errors) - 1]


def test_a_week_of_idle_shards_costs_nothing_but_their_opening() -> None:
    harness = Harness(freeze=False)
    harness.map(harness.kinesis("s", shards=100), noop)
    with counted_calls() as calls:
        harness.advance("7d")
    assert calls.count < 100 * 20
