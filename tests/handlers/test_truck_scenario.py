"""The scenario's trucks are believable, and the function finds the one that is not well."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from types import ModuleType

import pytest
from pydantic import ValidationError

from esm.instants import iso_ms, parse_instant
from esm.scenarios import ScenarioRecord, abc4logistics

START_MS = parse_instant("2026-03-02T13:00:00Z")
HOUR_MS = 3_600_000
WINDOW_MS = 10_000


def hour(seed: int) -> list[ScenarioRecord]:
    return list(abc4logistics.records(random.Random(seed), START_MS, HOUR_MS, rate=2.0))


@pytest.fixture(scope="module")
def models(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("truck_detection", "models")


@pytest.fixture(scope="module")
def baseline(models: ModuleType, load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("truck_detection", "baseline")


def found(models: ModuleType, baseline: ModuleType, sent: list[ScenarioRecord]) -> Iterator[str]:
    """The anomalies in what was sent."""
    knows = dict.fromkeys({record.key for record in sent}, models.Baselines())
    for number, in_window in groupby(sent, key=lambda record: record.at_ms // WINDOW_MS):
        start = datetime.fromtimestamp(number * WINDOW_MS / 1_000, UTC)
        window = models.Window(start=start, end=start + timedelta(milliseconds=WINDOW_MS))
        sums: dict[str, object] = {}
        for reading in readings(models, list(in_window)):
            if window.speaks_of(reading):
                sums[reading.truck] = sums.get(reading.truck, models.Sums()).plus(reading)
        for truck, of_truck in sums.items():
            verdict = baseline.judge(window, truck, of_truck, knows[truck])
            knows[truck] = verdict.baselines
            yield from (deviation.sensor for deviation in verdict.deviations)


def readings(models: ModuleType, sent: list[ScenarioRecord]) -> Iterator[object]:
    """Those that parse."""
    for record in sent:
        try:
            if isinstance(record.data, bytes):
                yield models.Reading.model_validate_json(record.data)
            else:
                yield models.Reading.model_validate(record.data)
        except ValidationError:
            assert isinstance(record.data, bytes), "only what is meant to be malformed is"


@pytest.mark.parametrize("seed", range(4))
def test_the_container_that_drifts_is_found_once_and_nothing_else(models, baseline, seed: int):
    assert list(found(models, baseline, hour(seed))) == ["truck-07/container"]


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_drifts_nothing_is_found(
    models, baseline, seed: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(abc4logistics, "DRIFT_CELSIUS", 0.0)
    assert list(found(models, baseline, hour(seed))) == []


def test_the_same_chance_gives_the_same_records():
    assert hour(3) == hour(3)
    assert hour(3) != hour(4)


def test_records_come_in_order_within_the_time():
    sent = hour(0)
    assert all(a.at_ms <= b.at_ms for a, b in pairwise(sent))
    assert sent[0].at_ms >= START_MS
    assert sent[-1].at_ms < START_MS + HOUR_MS


def test_one_truck_sends_four_times_as_often():
    counts = Counter(record.key for record in hour(0))
    hot = counts.pop("truck-03")
    assert len(counts) == 7
    assert 3 < hot / (sum(counts.values()) / 7) < 5


def test_a_day_is_busier_than_a_night():
    by_day, by_night = (
        len(list(abc4logistics.records(random.Random(0), parse_instant(at), HOUR_MS, 2.0)))
        for at in ("2026-03-02T13:30:00Z", "2026-03-02T01:30:00Z")
    )
    assert 3 < by_day / by_night < 5


def test_some_come_late_and_some_are_malformed():
    sent = hour(0)
    malformed = [record for record in sent if isinstance(record.data, bytes)]
    late = [
        record
        for record in sent
        if not isinstance(record.data, bytes)
        and str(record.data["measured_at"]) < iso_ms(record.at_ms - 60_000)
    ]
    assert 0.001 < len(malformed) / len(sent) < 0.006
    assert 0.005 < len(late) / len(sent) < 0.02
