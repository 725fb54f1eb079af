"""A fair as the generator has it, and what the functions make of an hour of it."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from badge_world import World

from esm import Harness
from esm.instants import parse_instant
from esm.scenarios import ScenarioRecord, abc2badge

MORNING_MS = parse_instant("2026-03-02T07:00:00Z")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def day() -> list[ScenarioRecord]:
    return list(abc2badge.records(random.Random(4), MORNING_MS, 12 * HOUR_MS, 0.4))


def scans(records: list[ScenarioRecord]) -> list[tuple[ScenarioRecord, dict[str, str]]]:
    """Those that can be read, with their records."""
    found = [(r, {k: str(v) for k, v in r.data.items()}) for r in records if not is_cut(r)]
    return [(record, scan) for record, scan in found if scan["zone"] != "ZONE ?"]


def is_cut(record: ScenarioRecord) -> bool:
    return isinstance(record.data, bytes)


def clock_ms(scan: dict[str, str]) -> int:
    return parse_instant(scan["scanned_at"])


def test_a_door_is_a_hot_key_in_the_morning(day: list[ScenarioRecord]):
    morning = [record.key for record in day if record.at_ms < MORNING_MS + 2 * HOUR_MS]
    [(key, often), (_, second)] = Counter(morning).most_common(2)
    assert key == abc2badge.HOT_READER
    assert often > len(morning) / 8
    assert second < often / 10


def test_everybody_is_at_the_keynote_at_nine_and_at_lunch_at_noon(day: list[ScenarioRecord]):
    zones = {hour: Counter[str]() for hour in range(7, 19)}
    for record, scan in scans(day):
        zones[record.at_ms // HOUR_MS % 24][scan["zone"]] += 1
    assert zones[9].most_common(1)[0][0] == "keynote"
    assert zones[12].most_common(1)[0][0] == "food-court"
    assert zones[12].total() > 2 * zones[18].total()


def test_some_scans_are_late_sent_again_or_no_scans(day: list[ScenarioRecord]):
    found = scans(day)
    late = {s["zone"] for r, s in found if r.at_ms - clock_ms(s) > 2 * 60_000}
    assert late == {abc2badge.OFFLINE_ZONE}
    again = len(found) - len({scan["scan_id"] for _, scan in found})
    assert again == pytest.approx(len(day) * abc2badge.AGAIN_SHARE, rel=0.3)
    spoilt = len(day) - len(found)
    assert spoilt == pytest.approx(len(day) * abc2badge.MALFORMED_SHARE, rel=0.5)
    assert any(map(is_cut, day))


def test_one_clock_runs_ahead_more_and_more(day: list[ScenarioRecord]):
    ahead = [
        clock_ms(scan) - record.at_ms
        for record, scan in scans(day)
        if scan["reader_id"] == abc2badge.DRIFTING_READER
    ]
    assert max(ahead[:5]) < 60_000
    assert ahead[-1] == pytest.approx(12 * HOUR_MS * abc2badge.DRIFT, rel=0.1)


def test_half_an_hour_of_the_fair_loses_nothing():
    with Harness(start="2026-03-02T09:00:00Z") as h:
        event = World(h, ConcentratedFrom="100")
        start_ms = parse_instant(h.now)
        arrivals = list(abc2badge.records(random.Random(2), start_ms, HOUR_MS // 2, 0.25))
        named = []
        for minutes in range(5, 35, 5):
            for record in arrivals:
                if minutes - 5 <= (record.at_ms - start_ms) / 60_000 < minutes:
                    h.advance((record.at_ms - parse_instant(h.now)) / 1000)
                    event.stream.put(record.data, key=record.key)
            h.advance(start_ms / 1000 + 60 * minutes - h.now.timestamp())
            named.append(set(event.report()))
        h.drain()

        sound = {scan["scan_id"]: scan["zone"] for _, scan in scans(arrivals)}
        assert event.totals == Counter(sound.values())
        for mapping in (event.load, event.windows):
            spoilt = sum(len(each.records) for each in mapping.discarded)
            assert spoilt == len(arrivals) - len(scans(arrivals))
            assert len(mapping.delivered) + spoilt == len(arrivals)
        assert named[2:] == [{"keynote"}] * 4
