"""Captured records as a stream that can be read again.

Records keep their shard, sequence number and arrival time. Within a shard they come in the order of
their sequence numbers, as a shard gives them, whatever the order of files and lines was.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from msgspec import structs

from esm.core.model import After, Latest, Position, Shard
from esm.errors import InputError, Place
from esm.sources.capture_dynamodb import UNKNOWN_SHARD, CapturedChange
from esm.sources.capture_forms import Captured, read_records
from esm.sources.capture_shard import AnyRecord, CapturedShard
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
DEFAULT_REGION = "us-east-1"
_UNKNOWN_TABLE = "arn:aws:dynamodb:{}:123456789012:table/capture/stream/2026-01-01T00:00:00.000"

_SERVICES = {"kinesis": "Kinesis", "dynamodb": "DynamoDB"}
_PROGRESS_EVERY = 1_000  # records between two calls of on_progress

OnProgress = Callable[[int, int], None]
"""Told how many records and how many bytes of JSON have been read so far."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What captures hold. `duplicates`: records that were there more than once and were left out.

    `service` is what ARNs call it. The ARN, region and role are the captured stream's and
    function's, None where no capture says.
    """

    shards: Mapping[str, Sequence[AnyRecord]]
    duplicates: int = 0
    service: str = "kinesis"
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


def service_of(paths: Sequence[str | Path | CaptureFile]) -> str | None:
    """What ARNs call the service of the first captured record; None without one."""
    documents = (document for file in find_files(paths) for document in read_documents(file))
    return next((r.service for document in documents for r in read_records(document)), None)


def _check_sizes(files: Sequence[CaptureFile], max_bytes: int) -> None:
    left = max_bytes
    for file in files:
        left -= content_size(file, left)
        if left < 0:
            raise InputError(
                "E425",
                f"more than {_size(max_bytes)} of JSON",
                place=Place(file.name),
                why="all captures of a replay are held in memory",
                fix="replay a part of them",
            )


def _size(size_bytes: int) -> str:
    """`256 MiB`, or bytes where that is no round number."""
    mebibytes, rest = divmod(size_bytes, 1024**2)
    return f"{size_bytes:,} bytes" if rest else f"{mebibytes:,} MiB"


@dataclass(slots=True)
class _Found:
    """What was read so far, by shard and sequence number."""

    shards: dict[str, dict[int, Captured]] = field(default_factory=dict)
    duplicates: int = 0
    homes: dict[tuple[str, int], str] = field(default_factory=dict)
    service: str | None = None
    first_file: str = ""
    event_source_arn: str | None = None
    region: str | None = None
    role_arn: str | None = None

    def add(self, record: Captured, document: Document) -> None:
        """Take a record in, once."""
        self._check_service(record, document)
        self._check_stream(record, document)
        record = self._at_home(record)
        shard = self.shards.setdefault(record.shard_id, {})
        known = shard.setdefault(int(record.sequence_number), record)
        if known is record:
            return
        self.duplicates += 1
        if known.content != record.content:
            raise document.error(
                Wrong(
                    "E427",
                    f"two different records of {record.shard_id} have the sequence number"
                    f" {record.sequence_number}",
                    why="captures of two streams, or of two lives of one, are not one stream",
                )
            )

    def _at_home(self, record: Captured) -> Captured:
        """One change may be there with its shard and without: then it is of that shard."""
        if not isinstance(record, CapturedChange):
            return record
        event = (record.event_id, int(record.sequence_number))
        home = self.homes.setdefault(event, record.shard_id)
        if record.shard_id == UNKNOWN_SHARD and home != UNKNOWN_SHARD:
            return structs.replace(record, shard_id=home)
        if home == UNKNOWN_SHARD and record.shard_id != UNKNOWN_SHARD:
            known = self.shards[UNKNOWN_SHARD].pop(event[1])
            moved = structs.replace(known, shard_id=record.shard_id)
            self.shards.setdefault(record.shard_id, {})[event[1]] = moved
            self.homes[event] = record.shard_id
        return record

    def capture(self) -> Capture:
        """Everything, in the order of shards and of sequence numbers."""
        ordered = [
            (shard_id, record)
            for shard_id, records in sorted(self.shards.items())
            for _, record in sorted(records.items())
        ]
        # Ordinals are the order of putting, as far as arrival times tell it.
        by_arrival = sorted(range(len(ordered)), key=lambda i: ordered[i][1].arrived_ms)
        ordinals = array("Q", bytes(8 * len(ordered)))
        for ordinal, index in enumerate(by_arrival, 1):
            ordinals[index] = ordinal
        shards: dict[str, list[AnyRecord]] = {shard_id: [] for shard_id, _ in ordered}
        for (shard_id, record), ordinal in zip(ordered, ordinals, strict=True):
            shards[shard_id].append(record.record(ordinal))
        return Capture(
            shards,
            self.duplicates,
            self.service or "kinesis",
            self.event_source_arn,
            self.region,
            self.role_arn,
        )

    def _check_service(self, record: Captured, document: Document) -> None:
        if self.service is None:
            self.service, self.first_file = record.service, document.file
        if record.service == self.service:
            return
        raise document.error(
            Wrong(
                "E426",
                f"a record of {_SERVICES[record.service]} among those of"
                f" {_SERVICES[self.service]} in {self.first_file}",
                why="a mapping reads one stream: replay each by itself",
            )
        )

    def _check_stream(self, record: Captured, document: Document) -> None:
        arn = record.event_source_arn
        if arn is None:
            self.region = self.region or record.region  # GetRecords of DynamoDB tells that alone
            return
        if arn == self.event_source_arn:
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
            shard_id: CapturedShard(shard_id, records, at_once=at_once)
            for shard_id, records in capture.shards.items()
        }

    def __repr__(self) -> str:
        return f"<CaptureSource {self.arn}: {len(self.records)} records>"

    @property
    def arn(self) -> str:
        """The captured stream's ARN, or a made-up one."""
        capture = self.capture
        if capture.event_source_arn is None and capture.service == "dynamodb":
            return _UNKNOWN_TABLE.format(capture.region or DEFAULT_REGION)
        return capture.event_source_arn or UNKNOWN_ARN

    @property
    def records(self) -> list[AnyRecord]:
        """All records in the order of their ordinals."""
        every = (record for records in self.capture.shards.values() for record in records)
        return sorted(every, key=attrgetter("ordinal"))

    @property
    def shards(self) -> list[CapturedShard]:
        """The captured shards."""
        return list(self._shards.values())

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

    def whole_before(self, shard_id: str, position: int) -> int:
        """The position: each is a sequence number of its own."""
        return position

    def sequence_number_of(self, position: int) -> str:
        """Positions are sequence numbers."""
        return str(position)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> CapturedShard:
        """A reader; nothing is ever put, so `on_put` is never called."""
        return self._shards[shard_id]
