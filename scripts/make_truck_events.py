"""Write the events of `events/abc4logistics/`, the same in every run.

python scripts/make_truck_events.py [FOLDER]
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from esm import Harness
from esm.instants import parse_instant
from esm.payloads.kinesis import KinesisEvents
from esm.scenarios.abc4logistics import DRIFTING_TRUCK, records
from esm.sources.memory import KinesisStream

EVENTS = Path(__file__).resolve().parent.parent / "events"
FOLDER = "abc4logistics"
SEED = 27
REGION = "eu-central-1"
ROLE_ARN = "arn:aws:iam::123456789012:role/truck-detection"
START = "2026-03-02T09:00:00Z"
MINUTES, RATE = 10, 1.2
TRUCKS = {"truck-05", DRIFTING_TRUCK}  # their keys lie in one shard of two

DEVIATIONS: tuple[dict[str, Any], ...] = (
    {"truck": "truck-05", "kind": "engine", "measured": 108.31, "usual": 89.52, "spreads": 9.4},
    {"truck": "truck-07", "kind": "container", "measured": 7.42, "usual": 3.94, "spreads": 7.0},
    {"truck": "truck-07", "kind": "speed", "measured": 148.9, "usual": 71.3, "spreads": 6.5},
)


def readings() -> list[dict[str, Any]]:
    """Ten minutes of two trucks, in the middle of which a container begins to warm up."""
    h = _harness()
    stream = h.kinesis("truck-readings", shards=2)
    start_ms, duration_ms = parse_instant(START), MINUTES * 60_000
    for record in records(random.Random(SEED), start_ms, duration_ms, RATE):
        if record.key in TRUCKS:
            h.advance((record.at_ms - h.clock.now_ms()) / 1_000)
            data = record.data if isinstance(record.data, bytes) else dict(record.data)
            stream.put(data, key=record.key)
    return _event(stream)["Records"]


def deviations() -> dict[str, Any]:
    """Three anomalies, the second of them in two copies."""
    h = _harness()
    stream = h.kinesis("truck-deviations")
    h.advance("9m14s")
    first, second, third = map(_deviation, DEVIATIONS)
    for deviation in (first, second, second, third):
        stream.put(deviation, key=deviation["truck"])
        h.advance("70ms")
    return _event(stream)


def _harness() -> Harness:
    h = Harness(start=START)
    h.region = REGION
    return h


def _deviation(found: dict[str, Any]) -> dict[str, Any]:
    sensor, start = f"{found['truck']}/{found['kind']}", "2026-03-02T09:09:00Z"
    return {
        "anomaly_id": f"{sensor}@{start}",
        "sensor": sensor,
        "truck": found["truck"],
        "kind": found["kind"],
        "window_start": start,
        "window_end": "2026-03-02T09:09:10Z",
        "readings": 3,
        "measured": found["measured"],
        "usual": found["usual"],
        "spreads": found["spreads"],
        "position": {"latitude": 52.9775, "longitude": 7.55042},
    }


def _event(stream: KinesisStream) -> dict[str, Any]:
    """The Lambda event of all records, which have to be of one shard."""
    [shard_id] = {record.shard_id for record in stream.records}
    return KinesisEvents(stream.arn, REGION, ROLE_ARN).build(shard_id, stream.records)


def texts() -> Iterator[tuple[str, str]]:
    """The name and text of each file."""
    lines = [json.dumps(record, separators=(",", ":")) for record in readings()]
    yield "readings.jsonl", "".join(f"{line}\n" for line in lines)
    yield "deviations.json", json.dumps(deviations(), indent=2) + "\n"


def main(events: Path) -> None:
    """Write the folder into one."""
    (events / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in texts():
        (events / FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
