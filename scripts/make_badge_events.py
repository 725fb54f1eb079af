"""Write the events of `events/abc2badge/`, the same in every run.

Badge scans as Lambda events, all of them records of one stream of three shards. Sequence numbers
and shards are made as in `make_events.py`; no record is in two files.

    python scripts/make_badge_events.py [FOLDER]
"""

from __future__ import annotations

import base64
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from make_events import ACCOUNT, EVENTS, REGION, sequence_number, shard_id, shard_of, truncated

from esm.instants import iso_ms, parse_instant
from esm.payloads.kinesis import KinesisEvents, KinesisRecord, make_record

FOLDER = "abc2badge"
SEED = 4307
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/badge-scans"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/badge-load"

POISON_AT = 4
"""Index of the poison record among the ten of its batch."""
SENT_TWICE_AT = 3
"""Index of the scan in `batch.json` whose reader got no answer and sent it again."""

ZONES = ("entrance-north", "entrance-south", "hall-1", "hall-2", "food-court")
KEYNOTE = ("keynote",)


class Readers:
    """Badge readers, and the stream that takes what they send."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._scans = 0
        self._taken = 0

    def batch(
        self, shard: int, size: int, start: str, zones: Sequence[str] = ZONES
    ) -> list[KinesisRecord]:
        """The next `size` scans whose badges belong to a shard, arriving from `start` on."""
        arrived_ms = parse_instant(start)
        records: list[KinesisRecord] = []
        while len(records) < size:
            arrived_ms += self._chance.randint(200, 9_000)
            scan = self._scan(arrived_ms, self._chance.choice(zones))
            if shard_of(scan["badge_id"]) == shard:
                records.append(self.take(scan, arrived_ms))
        return records

    def take(self, scan: dict[str, Any], arrived_ms: int) -> KinesisRecord:
        """A scan as the stream has it."""
        self._taken += 1
        badge, text = scan["badge_id"], json.dumps(scan)
        shard = shard_of(badge)
        return make_record(
            position=sequence_number(shard, self._taken, arrived_ms),
            key=badge,
            arrived_ms=arrived_ms,
            base64=base64.b64encode(text.encode()).decode(),
            shard_id=shard_id(shard),
            ordinal=self._taken,
        )

    def _scan(self, arrived_ms: int, zone: str) -> dict[str, Any]:
        self._scans += 1
        return {
            "scan_id": f"scan-{self._scans:06d}",
            "badge_id": f"badge-{self._chance.randint(1, 4_000):04d}",
            "zone": zone,
            "reader_id": f"{zone}-{self._chance.randint(1, 3)}",
            "scanned_at": iso_ms(arrived_ms - self._chance.randint(30, 900)),
        }


def event(records: Sequence[KinesisRecord]) -> dict[str, Any]:
    """The Lambda event that holds records of one shard."""
    return KinesisEvents(STREAM_ARN, REGION, ROLE_ARN).build(records[0].shard_id, records)


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file's name and what is in it."""
    readers = Readers(random.Random(SEED))
    ordinary = readers.batch(shard=1, size=12, start="2026-03-02T09:00:00Z")
    again = readers.take(json.loads(ordinary[SENT_TWICE_AT].data), ordinary[-1].arrived_ms + 850)
    yield "batch.json", event([*ordinary, again])

    poisoned = readers.batch(shard=0, size=10, start="2026-03-02T09:10:00Z")
    poisoned[POISON_AT] = truncated(poisoned[POISON_AT])
    yield "poison.json", event(poisoned)

    for shard, size in enumerate((17, 22, 14)):
        records = readers.batch(shard, size, "2026-03-02T09:20:00Z", zones=KEYNOTE)
        yield f"shard-{shard}.json", event(records)


def texts() -> dict[str, str]:
    """The name and text of each file."""
    return {name: json.dumps(document, indent=2) + "\n" for name, document in documents()}


def main(events: Path) -> None:
    """Write the folder into one."""
    (events / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (events / FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
