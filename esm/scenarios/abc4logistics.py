"""Trucks on the road: what their telemetry units send to the stream of readings.

By day more is sent than by night. One truck has a unit that sends four times as often as the
others, one a container that gets warmer from the middle of the time on. Now and then a unit sends
what it measured in a tunnel, minutes late, or something that is no reading.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi, radians, sin

from esm.instants import iso_ms
from esm.scenarios import ScenarioRecord
from esm.scenarios.daily import arrivals

TRUCKS = 8
HOT_TRUCK, HOT_WEIGHT = "truck-03", 4
DRIFTING_TRUCK, DRIFT_CELSIUS = "truck-07", 12.0  # at the end
LATE_SHARE, MALFORMED_SHARE = 0.01, 0.003
BUSIEST_HOUR, SWING = 14, 0.6

_KM_OF_A_DEGREE = 111.0
_COMPRESSOR_S = 900


@dataclass(slots=True)
class _Truck:
    """One truck and how it is just now; temperatures are those that it keeps."""

    name: str
    engine_celsius: float
    container_celsius: float
    cruise_kmh: float
    speed_kmh: float
    latitude: float
    longitude: float
    heading: float
    seen_ms: int

    def drive(self, now_ms: int, rng: random.Random) -> None:
        """Go on until now, at a speed that comes and goes, and sometimes stop at a light."""
        hours = (now_ms - self.seen_ms) / 3_600_000
        self.seen_ms = now_ms
        self.speed_kmh += 0.2 * (self.cruise_kmh - self.speed_kmh) + rng.gauss(0, 2)
        self.speed_kmh = max(0.0, self.speed_kmh if rng.random() > 0.01 else 0.0)
        self.heading += rng.gauss(0, 0.02)
        degrees = self.speed_kmh * hours / _KM_OF_A_DEGREE
        self.latitude += degrees * cos(self.heading)
        self.longitude += degrees * sin(self.heading) / cos(radians(self.latitude))

    def reading(self, measured_ms: int, drift: float, rng: random.Random) -> dict[str, object]:
        """What its sensors say."""
        cooling = 0.6 * sin(2 * pi * measured_ms / 1_000 / _COMPRESSOR_S + self.heading)
        load = 0.05 * (self.speed_kmh - self.cruise_kmh)
        return {
            "truck": self.name,
            "measured_at": iso_ms(measured_ms),
            "engine_celsius": round(self.engine_celsius + load + rng.gauss(0, 0.8), 1),
            "container_celsius": round(
                self.container_celsius + cooling + drift + rng.gauss(0, 0.2), 1
            ),
            "speed_kmh": round(self.speed_kmh, 1),
            "position": {
                "latitude": round(self.latitude, 5),
                "longitude": round(self.longitude, 5),
            },
        }


def records(
    rng: random.Random, start_ms: int, duration_ms: int, rate: float
) -> Iterator[ScenarioRecord]:
    """Readings of all trucks, in the order in which they arrive; `rate` a second over a day."""
    trucks = [_truck(number, start_ms, rng) for number in range(1, TRUCKS + 1)]
    weights = [HOT_WEIGHT if truck.name == HOT_TRUCK else 1 for truck in trucks]
    instants = arrivals(rng, start_ms, duration_ms, rate, busiest_hour=BUSIEST_HOUR, swing=SWING)
    for at_ms in instants:
        [truck] = rng.choices(trucks, weights)
        truck.drive(at_ms, rng)
        share = (at_ms - start_ms) / duration_ms
        drift = _drift(share) if truck.name == DRIFTING_TRUCK else 0.0
        yield _sent(truck, at_ms, drift, rng)


def _truck(number: int, start_ms: int, rng: random.Random) -> _Truck:
    cruise_kmh = rng.uniform(62, 84)
    return _Truck(
        name=f"truck-{number:02d}",
        engine_celsius=rng.uniform(84, 94),
        container_celsius=rng.choice([-18.0, -18.0, 4.0]),
        cruise_kmh=cruise_kmh,
        speed_kmh=cruise_kmh,
        latitude=rng.uniform(47.5, 53.5),
        longitude=rng.uniform(7.0, 13.5),
        heading=rng.uniform(0, 2 * pi),
        seen_ms=start_ms,
    )


def _drift(share: float) -> float:
    """Degrees above what is kept, at a share of the time."""
    return DRIFT_CELSIUS * max(0.0, 2 * share - 1)


def _sent(truck: _Truck, at_ms: int, drift: float, rng: random.Random) -> ScenarioRecord:
    """A reading on its way: most take moments, some minutes, a few are spoilt."""
    is_late = rng.random() < LATE_SHARE
    delay_ms = rng.randint(120_000, 1_200_000) if is_late else rng.randint(20, 900)
    reading = truck.reading(at_ms - delay_ms, drift, rng)
    if rng.random() < MALFORMED_SHARE:
        return ScenarioRecord(at_ms, truck.name, _spoilt(reading, rng))
    return ScenarioRecord(at_ms, truck.name, reading)


def _spoilt(reading: dict[str, object], rng: random.Random) -> bytes:
    """Cut off in the middle, or with the text of an error where a number should be."""
    if rng.random() < 0.5:
        text = json.dumps(reading)
        return text[: rng.randrange(1, len(text) - 1)].encode()
    return json.dumps({**reading, "engine_celsius": "ERR 07"}).encode()
