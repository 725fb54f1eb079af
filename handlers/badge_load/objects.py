"""The S3 object of a batch: newline JSON, named after where its records stand in the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models import Model, Scan, ScanRecord


class Row(Model):
    """A scan as a line of the object and a row of the warehouse; times in UTC."""

    zone: str
    hour: datetime
    scan_id: str
    badge_id: str
    reader_id: str
    scanned_at: datetime


@dataclass(frozen=True, slots=True)
class BatchObject:
    """What one batch leaves in the bucket."""

    key: str
    body: bytes


def object_of(records: Sequence[ScanRecord]) -> BatchObject:
    """The object of a batch, the same for the same records: a redelivered batch overwrites it.

    Lines stand by zone and hour, whatever the order of the stream was. A scan that its reader sent
    twice is one line.
    """
    scans = {record.scan.scan_id: record.scan for record in reversed(records)}
    rows = sorted(map(_row, scans.values()), key=lambda row: (row.zone, row.hour, row.scan_id))
    lines = "".join(f"{row.model_dump_json()}\n" for row in rows)
    return BatchObject(_key(records[0], records[-1]), lines.encode())


def _key(first: ScanRecord, last: ScanRecord) -> str:
    hour = first.arrived_at.strftime("%Y-%m-%dT%H")
    numbers = f"{first.kinesis.sequenceNumber}-{last.kinesis.sequenceNumber}"
    return f"scans/hour={hour}/{first.shard_id}-{numbers}.jsonl"


def _row(scan: Scan) -> Row:
    hour = scan.scanned_at.replace(minute=0, second=0, microsecond=0)
    return Row(hour=hour, **dict(scan))
