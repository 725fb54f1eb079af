"""Captured records as a stream that can be read again.

Records keep their shard, sequence number and arrival time. Within a shard they come in the order of
their sequence numbers, as a shard gives them, whatever the order of files and lines was.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import attrgetter
from pathlib import Path

from esm.core.messages import RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, Shard, TrimHorizon
from esm.errors import InputError, Place
from esm.payloads.kinesis import KinesisRecord, make_record
from esm.sources.capture_forms import CapturedRecord, read_records
from esm.sources.capture_text import (
    CaptureFile,
    Document,
    Wrong,
    content_size,
    find_files,
    read_documents,
)

DEFAULT_MAX_BYTES = 256 * 1024 * 1024
UNKNOWN_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/capture"
"""The stream's ARN where no capture names one, as `aws kinesis get-records` does not."""

# GetRecords: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
_READ_BYTES = 10 * 1024 * 1024
_PROGRESS_EVERY = 1_000  # records between two calls of on_progress

OnProgress = Callable[[int, int], None]
"""Told how many records and how many bytes of JSON have been read so far."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What captures hold. `duplicates`: records that were there more than once and were left out.

    The ARN, region and role are the captured stream's and function's, None where no capture says.
    """

    shards: Mapping[str, Sequence[KinesisRecord]]
    duplicates: int = 0
    event_source_arn: str | None = None
    region: str | None = None
    role_arn: str | None = None


def read_captures(
    paths: Sequence[str | Path | CaptureFile],
    *,
    max_bytes: int = DEFAULT_MAX_BYTES,
    on_progress: OnProgress | None = None,
) -> Capture:
    """Read files, folders and globs, all of them or, when anything is wrong, none.

    `max_bytes` limits their unpacked size together. Raises InputError (E42x) and NotEmulated.
    """
    files = find_files(paths)
    _check_sizes(files, max_bytes)
    found = _Found()
    records = bytes_read = 0
    for file in files:
        for document in read_documents(file):
            bytes_read += len(document.data)
            for record in read_records(document):
                found.add(record, document)
                records += 1
                if on_progress and records % _PROGRESS_EVERY == 0:
                    on_progress(records, bytes_read)
    if not records:
        names = ", ".join(p.name if isinstance(p, CaptureFile) else str(p) for p in paths)
        raise InputError("E428", f"no records in {names}")
    if on_progress:
        on_progress(records, bytes_read)
    return found.capture()


def _check_sizes(files: Sequence[CaptureFile], max_bytes: int) -> None:
    left = max_bytes
    for file in files:
        left -= content_size(file, left)
        if left < 0:
            raise InputError(
                "E425",
                f"more than {max_bytes / 1024**2:g} MiB of JSON",
                place=Place(file.name),
                why="all captures of a replay are held in memory",
                fix="replay a part of them",
            )


@dataclass(slots=True)
class _Found:
    """What was read so far, by shard and sequence number."""

    shards: dict[str, dict[int, CapturedRecord]] = field(default_factory=dict)
    duplicates: int = 0
    event_source_arn: str | None = None
    region: str | None = None
    role_arn: str | None = None

    def add(self, record: CapturedRecord, document: Document) -> None:
        """Take a record in, once."""
        self._check_stream(record, document)
        shard = self.shards.setdefault(record.shard_id, {})
        known = shard.setdefault(int(record.sequence_number), record)
        if known is record:
            return
        self.duplicates += 1
        if (known.key, known.base64) != (record.key, record.base64):
            raise document.error(
                Wrong(
                    "E427",
                    f"two different records of {record.shard_id} have the sequence number"
                    f" {record.sequence_number}",
                    why="captures of two streams, or of two lives of one, are not one stream",
                )
            )

    def capture(self) -> Capture:
        """Everything, in the order of shards and of sequence numbers."""
        ordered = [
            (shard_id, position, record)
            for shard_id, records in sorted(self.shards.items())
            for position, record in sorted(records.items())
        ]
        # Ordinals are the order of putting, as far as arrival times tell it.
        by_arrival = sorted(range(len(ordered)), key=lambda i: ordered[i][2].arrived_ms)
        ordinals = array("Q", bytes(8 * len(ordered)))
        for ordinal, index in enumerate(by_arrival, 1):
            ordinals[index] = ordinal
        shards: dict[str, list[KinesisRecord]] = {shard_id: [] for shard_id, _, _ in ordered}
        for (shard_id, position, record), ordinal in zip(ordered, ordinals, strict=True):
            shards[shard_id].append(
                make_record(
                    position=position,
                    key=record.key,
                    arrived_ms=record.arrived_ms,
                    base64=record.base64,
                    shard_id=shard_id,
                    ordinal=ordinal,
                )
            )
        return Capture(shards, self.duplicates, self.event_source_arn, self.region, self.role_arn)

    def _check_stream(self, record: CapturedRecord, document: Document) -> None:
        arn = record.event_source_arn
        if arn is None or arn == self.event_source_arn:
            return
        if self.event_source_arn is not None:
            raise document.error(
                Wrong(
                    "E426",
                    f"a record of {arn} among those of {self.event_source_arn}",
                    why="a mapping reads one stream: replay each by itself",
                )
            )
        self.event_source_arn = arn
        self.region, self.role_arn = record.region, record.role_arn


class CaptureSource:
    """A stream that holds a capture and gets no more; its shards stay open, and nothing expires.

    Records appear when they arrived, or with `at_once` all at the start. The start is the earliest
    arrival either way: record age is counted from when a record was captured.
    """

    retention_ms = None

    def __init__(self, capture: Capture, *, at_once: bool = False) -> None:
        self.capture = capture
        self.at_once = at_once
        self._shards = {
            shard_id: _CapturedShard(records, at_once=at_once)
            for shard_id, records in capture.shards.items()
        }

    def __repr__(self) -> str:
        return f"<CaptureSource {self.arn}: {len(self.records)} records>"

    @property
    def arn(self) -> str:
        """The captured stream's ARN, or a made-up one."""
        return self.capture.event_source_arn or UNKNOWN_ARN

    @property
    def records(self) -> list[KinesisRecord]:
        """All records in the order of their ordinals."""
        every = (record for records in self.capture.shards.values() for record in records)
        return sorted(every, key=attrgetter("ordinal"))

    @property
    def start_ms(self) -> int:
        """The earliest arrival: where a replay begins."""
        return min(r.arrived_ms for records in self.capture.shards.values() for r in records)

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """The captured shards; who their parents were is not in a capture."""
        return [Shard(shard_id) for shard_id in self._shards]

    @property
    def record_count(self) -> int:
        """How many records the capture holds."""
        return sum(len(records) for records in self.capture.shards.values())

    def pin(self, shard_id: str, position: Position, now_ms: int) -> After:
        """The fixed place that a position means in a shard now."""
        if isinstance(position, Latest):
            return self.pin_latest(shard_id, now_ms)
        shard = self._shards[shard_id]
        index = shard.index(position)
        return After(shard.records[index - 1].position if index else -1)

    def pin_latest(self, shard_id: str, now_ms: int) -> After:
        """Just after the newest record that has arrived."""
        shard = self._shards[shard_id]
        arrived = shard.visible(now_ms)
        return After(shard.records[arrived - 1].position if arrived else -1)

    def beginning(self, shard_id: str) -> After:
        """Before the first record."""
        return After(-1)

    def count_after(self, shard_id: str, place: After) -> int:
        """How many records of the shard lie behind a place."""
        shard = self._shards[shard_id]
        return len(shard.records) - shard.index(place)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> _CapturedShard:
        """A reader; nothing is ever put, so `on_put` is never called."""
        return self._shards[shard_id]


class _CapturedShard:
    """The records of one shard. Reading keeps no state: all readers share it."""

    __slots__ = ("_arrivals", "_at_once", "_weights", "records")

    def __init__(self, records: Sequence[KinesisRecord], *, at_once: bool) -> None:
        self.records = records
        self._at_once = at_once
        # A record is not seen before those in front of it, whatever its own time says.
        self._arrivals = array("q", accumulate((r.arrived_ms for r in records), max))
        self._weights = array("Q", accumulate(len(r.base64) * 3 // 4 + len(r.key) for r in records))

    def visible(self, now_ms: int) -> int:
        """How many records have arrived."""
        return len(self.records) if self._at_once else bisect_right(self._arrivals, now_ms)

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived:
        """One GetRecords: at most `limit` records and 10 MiB, but one record always."""
        start, arrived = self.index(position), self.visible(now_ms)
        before = self._weights[start - 1] if start else 0
        fits = bisect_right(self._weights, before + _READ_BYTES, start)
        end = min(max(fits, start + 1), start + limit, arrived)
        if end <= start:
            return RecordsArrived(())
        behind = max(1, now_ms - self.records[end].arrived_ms) if end < arrived else 0
        return RecordsArrived(self.records[start:end], millis_behind=behind)

    @property
    def must_poll(self) -> bool:
        """Nobody counts the reads of a capture."""
        return False

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        """When the next record arrives; None after the last."""
        index = self.index(position)
        if index >= len(self.records):
            return None
        return now_ms if self._at_once else self._arrivals[index]

    def idle_until(self, instant_ms: int) -> None:
        """Nothing to renew: a capture has no iterators."""

    def index(self, position: Position) -> int:
        """Where in `records` a position lies."""
        match position:
            case TrimHorizon():
                return 0
            case AtTimestamp(timestamp_ms=instant_ms):
                return bisect_left(self._arrivals, instant_ms)
            case After(position=after):
                return bisect_right(self.records, after, key=attrgetter("position"))
            case Latest():
                raise AssertionError("LATEST is pinned before a shard is read")
