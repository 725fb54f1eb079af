"""Badges at the readers of a fair, from the first doors in the morning to the night watch.

What is in it beside ordinary scans: turnstiles of an old make that send under their own name, so
that one door is a hot key; hand-held readers in the lounge that lose the network and deliver
minutes later; a reader whose clock runs ahead, more and more; scans that are sent again; and
records that are no scan.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping

from esm.instants import iso_ms
from esm.scenarios import ScenarioRecord
from esm.scenarios.daily import arrivals

BUSIEST_HOUR, SWING = 12, 0.9
HOT_READER = "entrance-north-1"
OFFLINE_ZONE, OFFLINE_SHARE = "lounge", 0.2
DRIFTING_READER, DRIFT = "hall-1-2", 0.002  # of the time since the start: 7 seconds in an hour
AGAIN_SHARE, MALFORMED_SHARE = 0.01, 0.003

_HOUR_MS = 3_600_000
_PROMPT_MS, _OFFLINE_MS = (20, 400), (2 * 60_000, 20 * 60_000)
_BADGES, _READERS = 6_000, 3
# Where people are, by weight: at most hours, and at those of doors, keynote, lunch and leaving.
_ALL_OVER = {"hall-1": 4, "hall-2": 4, "hall-3": 3, "keynote": 1, "food-court": 2, "lounge": 2}
_CROWDS: Mapping[int, Mapping[str, int]] = {
    7: {"entrance-north": 6, "entrance-south": 3, "hall-1": 1},
    8: {"entrance-north": 6, "entrance-south": 3, "hall-1": 2, "lounge": 1},
    9: {"keynote": 9, "entrance-north": 2, "hall-1": 2, "lounge": 1},
    12: {"food-court": 7, "hall-1": 2, "hall-2": 2, "lounge": 2},
    17: {"entrance-north": 4, "entrance-south": 4, "hall-1": 1, "lounge": 2},
}


def records(
    rng: random.Random, start_ms: int, duration_ms: int, rate: float
) -> Iterator[ScenarioRecord]:
    """Scans in the order in which they arrive; `rate` a second over a day."""
    instants = arrivals(rng, start_ms, duration_ms, rate, busiest_hour=BUSIEST_HOUR, swing=SWING)
    before: ScenarioRecord | None = None
    for number, at_ms in enumerate(instants, 1):
        if before is not None and rng.random() < AGAIN_SHARE:
            before = ScenarioRecord(at_ms, before.key, before.data)
        else:
            before = _arrived(number, at_ms, start_ms, rng)
        yield before


def _arrived(number: int, at_ms: int, start_ms: int, rng: random.Random) -> ScenarioRecord:
    """A scan as it arrives; a few are spoilt."""
    crowd = _CROWDS.get(at_ms // _HOUR_MS % 24, _ALL_OVER)
    [zone] = rng.choices(list(crowd), list(crowd.values()))
    reader = f"{zone}-{rng.randint(1, _READERS)}"
    badge = f"badge-{rng.randint(1, _BADGES):04d}"
    scan = {
        "scan_id": f"scan-{number:08d}",
        "badge_id": badge,
        "zone": zone,
        "reader_id": reader,
        "scanned_at": iso_ms(_by_the_clock_of(reader, zone, at_ms, start_ms, rng)),
    }
    key = reader if reader == HOT_READER else badge
    if rng.random() < MALFORMED_SHARE:
        return ScenarioRecord(at_ms, key, _spoilt(scan, rng))
    return ScenarioRecord(at_ms, key, scan)


def _by_the_clock_of(reader: str, zone: str, at_ms: int, start_ms: int, rng: random.Random) -> int:
    """When a reader says that it has seen the badge."""
    is_offline = zone == OFFLINE_ZONE and rng.random() < OFFLINE_SHARE
    seen_ms = at_ms - rng.randint(*(_OFFLINE_MS if is_offline else _PROMPT_MS))
    return seen_ms + int((at_ms - start_ms) * DRIFT) if reader == DRIFTING_READER else seen_ms


def _spoilt(scan: dict[str, str], rng: random.Random) -> dict[str, str] | bytes:
    """What is no scan: text that stops in the middle, or a reader that nobody has set up."""
    if rng.random() < 0.5:
        text = json.dumps(scan).encode()
        return text[: len(text) // 2]
    return {**scan, "zone": "ZONE ?"}
