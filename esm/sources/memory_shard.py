"""One shard of the in-memory Kinesis stream.

Its records lie in read order, which is the order of sequence numbers: by arrival, then by putting.
A handler that slept in virtual time puts into the future; what others put before that instant
takes its place in front. Nothing is ever put in front of what a reader may have seen.
"""

from __future__ import annotations

import weakref
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from threading import Lock
from typing import Protocol

from esm.core.model import After, Shard
from esm.core.retention import is_trimmed
from esm.payloads.kinesis import KinesisRecord
from esm.sources.hash_keys import HashKeyRange
from esm.sources.memory_limits import Quota, read_quota, write_quota

# GetRecords: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
READ_RECORDS = 10_000
READ_BYTES = 10 * 1024 * 1024

# A sequence number has 186 bits, and so 56 digits that begin with 49, as on AWS. From the top: 1,
# the shard's depth in the family tree, arrival, ordinal, the shard's number.
_TOP = 1 << 185
_DEPTH_BITS, _ARRIVAL_BITS, _ORDINAL_BITS = 144, 96, 32

_NO_WEIGHTS = array("Q")
"""Shared by all shards without records; never added to."""

_position = attrgetter("position")
_arrived_ms = attrgetter("arrived_ms")


@dataclass(frozen=True, slots=True)
class StreamShard:
    """A shard as it was when it was asked for; `hash_key_range` is inclusive at both ends."""

    shard_id: str
    parent_ids: tuple[str, ...]
    is_open: bool
    hash_key_range: HashKeyRange
    starting_sequence_number: str
    ending_sequence_number: str | None
    created_ms: int
    closed_ms: int | None


class Watcher(Protocol):
    """Who wants to know of puts and closing, and gives up its iterator when told."""

    def notify(self) -> None:
        """Something changed in the shard."""

    def revoke(self) -> None:
        """The kept iterator has expired."""


class MemoryShard:
    """The records of one shard and what becomes of them; the stream owns it and its lock."""

    __slots__ = (
        "_watchers", "base", "closed_ms", "created_ms", "depth", "end_position", "hash_key_range",
        "lock", "reads", "records", "retention_ms", "seen_ms", "shard", "summed", "weights",
        "writes",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        parents: tuple[MemoryShard, ...],
        hash_key_range: HashKeyRange,
        *,
        retention_ms: int,
        created_ms: int,
        limits: bool,
        lock: Lock,
    ) -> None:
        self.shard: Shard = Shard(
            f"shardId-{number:012d}", tuple(p.shard.shard_id for p in parents)
        )
        self.depth: int = 1 + max((p.depth for p in parents), default=-1)
        self.base = _TOP + (self.depth << _DEPTH_BITS) + number
        self.hash_key_range = hash_key_range
        self.retention_ms = retention_ms
        self.created_ms = created_ms
        self.closed_ms: int | None = None
        self.end_position: int | None = None
        self.lock = lock
        self.reads: Quota | None = read_quota() if limits else None
        self.writes: Quota | None = write_quota() if limits else None
        self.records: list[KinesisRecord] = []
        self.weights = _NO_WEIGHTS
        """Bytes of data and keys of each record; of the first `summed` of them, running sums."""
        self.summed = 0
        self.seen_ms = created_ms
        """The latest instant of a read; nothing arrives before it any more."""
        self._watchers: tuple[weakref.ref[Watcher], ...] = ()

    def view(self) -> StreamShard:
        """The shard as users see it."""
        end = self.end_position
        return StreamShard(
            self.shard.shard_id,
            self.shard.parent_ids,
            self.closed_ms is None,
            self.hash_key_range,
            str(self.base),
            None if end is None else str(end),
            self.created_ms,
            self.closed_ms,
        )

    # --- writing ---------------------------------------------------------------------------------

    def position_of(self, arrived_ms: int, ordinal: int) -> int:
        """The sequence number of a record."""
        return self.base + (arrived_ms << _ARRIVAL_BITS) + (ordinal << _ORDINAL_BITS)

    def add(self, record: KinesisRecord, weight: int) -> None:
        """Take a record in at its place; `weight` is the bytes of its data and key."""
        assert self.closed_ms is None, f"{self.shard.shard_id} is closed"
        records = self.records
        if not records:
            records.append(record)
            self.weights = array("Q", (weight,))
        elif records[-1].position < record.position:
            records.append(record)
            self.weights.append(weight)
        else:
            at = bisect_left(records, record.position, key=_position)
            assert at >= self.summed, "put in front of what has been read"
            records.insert(at, record)
            self.weights.insert(at, weight)

    def close(self, now_ms: int, last_ordinal: int) -> None:
        """End the shard behind its last record; children's numbers begin above the end."""
        self.closed_ms = max([now_ms, *(r.arrived_ms for r in self.records[-1:])])
        self.end_position = self.position_of(self.closed_ms, last_ordinal + 1)

    # --- reading ---------------------------------------------------------------------------------

    def see(self, now_ms: int) -> None:
        """Somebody has looked: what is put from now on arrives now or later."""
        self.seen_ms = max(self.seen_ms, now_ms)

    def trimmed(self, now_ms: int) -> int:
        """How many records are gone; the index of the trim horizon."""
        records, retention_ms = self.records, self.retention_ms
        if not records or not is_trimmed(records[0].arrived_ms, retention_ms, now_ms):
            return 0
        return bisect_left(
            records, x=True, key=lambda r: not is_trimmed(r.arrived_ms, retention_ms, now_ms)
        )

    def arrived(self, now_ms: int) -> int:
        """How many records have arrived, trimmed ones included."""
        records = self.records
        if not records or records[-1].arrived_ms <= now_ms:
            return len(records)
        return bisect_right(records, now_ms, key=_arrived_ms)

    def index_after(self, position: int) -> int:
        """The index of the first record behind `position`."""
        return bisect_right(self.records, position, key=_position)

    def index_at(self, timestamp_ms: int) -> int:
        """The index of the first record that arrived at or after an instant."""
        return bisect_left(self.records, timestamp_ms, key=_arrived_ms)

    def behind(self, index: int) -> After:
        """The position just before the record of that index."""
        return After(self.records[index - 1].position if index else self.base)

    def cut(self, start: int, end: int) -> int:
        """Where one read from `start` ends: at `end`, or before it at 10 MiB; one record always."""
        if start >= end:
            return start
        weights = self._sums(end)
        limit = READ_BYTES + (weights[start - 1] if start else 0)
        if weights[end - 1] <= limit:
            return end
        return max(start + 1, bisect_right(weights, limit, start, end))

    def weight(self, start: int, end: int) -> int:
        """Bytes of data and keys of `records[start:end]`."""
        weights = self._sums(end)
        return (weights[end - 1] if end else 0) - (weights[start - 1] if start else 0)

    def _sums(self, end: int) -> array[int]:
        """The weights, summed up at least to there: what is read gets no records in front."""
        weights = self.weights
        if self.summed < end:
            begin = max(self.summed - 1, 0)  # from the last sum on
            weights[begin:end] = array("Q", accumulate(weights[begin:end]))
            self.summed = end
        return weights

    # --- who is told -----------------------------------------------------------------------------

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of what happens for as long as somebody else holds it."""
        held = tuple(ref for ref in self._watchers if ref() is not None)
        self._watchers = (*held, weakref.ref(watcher))

    def watchers(self) -> list[Watcher]:
        """Those still held, in the order in which they came."""
        return [watcher for ref in self._watchers if (watcher := ref()) is not None]

    def notify(self) -> None:
        """Tell them that something was put, or that the shard was closed."""
        for watcher in self.watchers():
            watcher.notify()
