"""One shard of a capture, as it can be read again."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter

from esm.core.messages import RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, TrimHorizon
from esm.payloads.dynamodb import DynamoDbRecord
from esm.payloads.kinesis import KinesisRecord
from esm.payloads.kpl import may_be_aggregate

AnyRecord = KinesisRecord | DynamoDbRecord

# GetRecords:
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
_READ_BYTES: dict[type, int] = {KinesisRecord: 10 * 1024 * 1024, DynamoDbRecord: 1024 * 1024}


class CapturedShard:
    """The records of one shard, which stays open. Reading keeps no state: all readers share it."""

    is_open = True

    __slots__ = ("_arrivals", "_at_once", "_has_aggregates", "_read_bytes", "_weights",
                 "records", "shard_id")  # fmt: skip

    def __init__(self, shard_id: str, records: Sequence[AnyRecord], *, at_once: bool) -> None:
        self.shard_id = shard_id
        self.records = records
        self._at_once = at_once
        self._read_bytes = _READ_BYTES[type(records[0])]
        self._has_aggregates = any(map(_is_aggregate, records))
        # A record is not seen before those in front of it, whatever its own time says.
        self._arrivals = array("q", accumulate((r.arrived_ms for r in records), max))
        self._weights = array("Q", accumulate(map(_weight, records)))

    def visible(self, now_ms: int) -> int:
        """How many records have arrived."""
        return len(self.records) if self._at_once else bisect_right(self._arrivals, now_ms)

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived:
        """One GetRecords: at most `limit` records and so many bytes, but one record always."""
        start, arrived = self.index(position), self.visible(now_ms)
        before = self._weights[start - 1] if start else 0
        fits = bisect_right(self._weights, before + self._read_bytes, start)
        end = min(max(fits, start + 1), start + limit, arrived)
        if end <= start:
            return RecordsArrived(())
        behind = max(1, now_ms - self.records[end].arrived_ms) if end < arrived else 0
        found = self.records[start:end]
        packed = sum(map(_is_aggregate, found)) if self._has_aggregates else 0
        return RecordsArrived(found, millis_behind=behind, aggregates=packed)

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

    def close(self) -> None:
        """It holds nothing but memory."""

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


def _weight(record: AnyRecord) -> int:
    """What a read counts."""
    if isinstance(record, DynamoDbRecord):
        return record.size
    return len(record.base64) * 3 // 4 + len(record.key)


def _is_aggregate(record: AnyRecord) -> bool:
    return isinstance(record, KinesisRecord) and may_be_aggregate(record.base64)
