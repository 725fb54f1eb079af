"""Scenarios: believable data, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from esm.instants import parse_instant
from esm.scenarios import ScenarioRecord, internet_provider, load, names
from esm.scenarios.daily import activity, arrivals

START_MS = parse_instant("2026-03-02T00:00:00Z")
HOUR_MS = 3_600_000


def made(name: str, seed: int = 1, rate: float = 0.5) -> list[ScenarioRecord]:
    return list(load(name)(random.Random(seed), START_MS, HOUR_MS, rate))


@pytest.mark.parametrize("name", names())
def test_the_seed_decides_what_arrives(name: str):
    assert made(name) == made(name)
    assert made(name) != made(name, seed=2)


@pytest.mark.parametrize("name", names())
def test_records_arrive_in_order_within_their_time(name: str):
    instants = [record.at_ms for record in made(name)]
    assert instants == sorted(instants)
    assert START_MS <= instants[0] <= instants[-1] < START_MS + HOUR_MS


@pytest.mark.parametrize("name", names())
def test_a_record_has_a_key_and_is_bytes_or_becomes_json(name: str):
    for record in made(name):
        assert 1 <= len(record.key) <= 256
        assert isinstance(record.data, bytes) or json.loads(json.dumps(record.data))


def test_scenarios_are_found_by_their_modules():
    assert "internet_provider" in names()
    assert "daily" not in names()


def test_a_day_is_busier_than_its_night_and_has_its_rate_on_average():
    hours = Counter(
        (at_ms - START_MS) // HOUR_MS
        for at_ms in arrivals(
            random.Random(3), START_MS, 24 * HOUR_MS, 0.5, busiest_hour=19, swing=0.7
        )
    )
    assert hours[19] > 3 * hours[7]
    assert sum(hours.values()) == pytest.approx(0.5 * 86_400, rel=0.02)
    assert activity(START_MS + 19 * HOUR_MS, 19, 0.7) == pytest.approx(1.7)


@pytest.fixture(scope="module")
def sign_ups() -> list[ScenarioRecord]:
    return list(internet_provider.records(random.Random(5), START_MS, 24 * HOUR_MS, 0.3))


def parsed(records: list[ScenarioRecord]) -> list[tuple[ScenarioRecord, Mapping[str, Any]]]:
    return [(r, r.data) for r in records if isinstance(r.data, Mapping)]


def test_one_key_of_the_internet_provider_is_hot(sign_ups: list[ScenarioRecord]):
    keys = Counter(record.key for record in sign_ups)
    [(key, often), (_, second)] = keys.most_common(2)
    assert key == internet_provider.HOT_USER
    assert often == pytest.approx(len(sign_ups) * internet_provider.HOT_SHARE, rel=0.1)
    assert second < 5


def test_some_sign_ups_are_late_malformed_or_come_twice(sign_ups: list[ScenarioRecord]):
    late = [
        record
        for record, data in parsed(sign_ups)
        if record.at_ms - parse_instant(data["signed_up_at"]) > 60_000
    ]
    spoilt = [record for record in sign_ups if isinstance(record.data, bytes)]
    texts = Counter(repr(record.data) for record in sign_ups)
    assert len(late) == pytest.approx(len(sign_ups) * internet_provider.LATE_SHARE, rel=0.3)
    assert len(spoilt) == pytest.approx(len(sign_ups) * internet_provider.MALFORMED_SHARE, rel=0.3)
    assert any(count == 2 for count in texts.values())


def test_nobody_has_signed_up_later_than_it_arrived(sign_ups: list[ScenarioRecord]):
    for record, data in parsed(sign_ups):
        assert parse_instant(data["signed_up_at"]) < record.at_ms
        assert data["user"]["id"] == record.key
