"""One shard of a stream that is kept in memory.

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
from typing import Protocol, assert_never

from esm.core.model import After, AtTimestamp, Latest, Position, Record, Shard, TrimHorizon
from esm.core.retention import is_trimmed
from esm.sources.hash_keys import HashKeyRange
from esm.sources.memory_limits import Quota, read_quota, write_quota
from esm.sources.memory_rules import KINESIS, ShardRules

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
        "_watchers", "aggregates", "base", "closed_ms", "created_ms", "depth", "end_position",
        "hash_key_range", "lock", "reads", "records", "retention_ms", "rules", "seen_ms", "shard",
        "summed", "weights", "writes",
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
        rules: ShardRules = KINESIS,
    ) -> None:
        self.rules = rules
        self.shard: Shard = Shard(
            rules.shard_id(number, created_ms), tuple(p.shard.shard_id for p in parents)
        )
        self.depth: int = 1 + max((p.depth for p in parents), default=-1)
        self.base = rules.numbering.base(self.depth, number)
        self.hash_key_range = hash_key_range
        self.retention_ms = retention_ms
        self.created_ms = created_ms
        self.closed_ms: int | None = None
        self.end_position: int | None = None
        self.lock = lock
        self.reads: Quota | None = read_quota() if limits else None
        self.writes: Quota | None = write_quota() if limits else None
        self.records: list[Record] = []
        self.weights = _NO_WEIGHTS
        """What a read counts for each record; of the first `summed` of them, running sums."""
        self.summed = 0
        self.aggregates: set[int] | None = None
        """Positions of records that are many in one, once there is such a record."""
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

    def metrics(self) -> dict[str, int]:
        """What CloudWatch counts for the shard, from its beginning on."""
        summed, weights = self.summed, self.weights
        of_summed = weights[summed - 1] if summed else 0
        return {
            "IncomingRecords": len(self.records),
            "IncomingBytes": of_summed + sum(weights[summed:]),
            "WriteProvisionedThroughputExceeded": self.writes.refused if self.writes else 0,
            "ReadProvisionedThroughputExceeded": self.reads.refused if self.reads else 0,
        }

    # --- writing ---------------------------------------------------------------------------------

    def position_of(self, arrived_ms: int, ordinal: int) -> int:
        """The sequence number of a record."""
        return self.rules.numbering.position(self.base, arrived_ms, ordinal)

    def add(self, record: Record, weight: int) -> None:
        """Take a record in at its place; `weight` is what a read counts for it."""
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

    def mark_aggregate(self, position: int) -> None:
        """Note that the record there holds several of its producer's."""
        if self.aggregates is None:
            self.aggregates = set()
        self.aggregates.add(position)

    def close(self, now_ms: int, last_ordinal: int) -> None:
        """End the shard behind its last record; children's numbers begin above the end."""
        self.closed_ms = max([now_ms, *map(self.rules.instant_of, self.records[-1:])])
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
        records, instant_of = self.records, self.rules.instant_of
        if not records or instant_of(records[-1]) <= now_ms:
            return len(records)
        return bisect_right(records, now_ms, key=instant_of)

    def index_after(self, position: int) -> int:
        """The index of the first record behind `position`."""
        return bisect_right(self.records, position, key=_position)

    def index_at(self, timestamp_ms: int) -> int:
        """The index of the first record that arrived at or after an instant."""
        return bisect_left(self.records, timestamp_ms, key=_arrived_ms)

    def behind(self, index: int) -> After:
        """The position just before the record of that index."""
        return After(self.records[index - 1].position if index else self.base)

    def cut(self, start: int, end: int, most_bytes: int) -> int:
        """Where one read from `start` ends: at `end`, or before it; it takes one record always."""
        if start >= end:
            return start
        weights = self._sums(end)
        limit = most_bytes + (weights[start - 1] if start else 0)
        if weights[end - 1] <= limit:
            return end
        return max(start + 1, bisect_right(weights, limit, start, end))

    def weight(self, start: int, end: int) -> int:
        """What a read counts for `records[start:end]`."""
        weights = self._sums(end)
        return (weights[end - 1] if end else 0) - (weights[start - 1] if start else 0)

    def count_aggregates(self, start: int, end: int) -> int:
        """How many of `records[start:end]` are many in one."""
        aggregates = self.aggregates or set()
        return sum(record.position in aggregates for record in self.records[start:end])

    def _sums(self, end: int) -> array[int]:
        """The weights, summed up at least to there: what is read gets no records in front."""
        weights = self.weights
        if self.summed < end:
            begin = max(self.summed - 1, 0)  # from the last sum on
            weights[begin:end] = array("Q", accumulate(weights[begin:end]))
            self.summed = end
        return weights

    # --- places in it ----------------------------------------------------------------------------

    def is_listed(self, as_of_ms: int) -> bool:
        """Whether it may get records, or some that it got were not past retention then."""
        return self.closed_ms is None or not is_trimmed(self.closed_ms, self.retention_ms, as_of_ms)

    def pin(self, position: Position, now_ms: int) -> After:
        """The fixed place that a position means now."""
        match position:
            case After():
                return position
            case Latest():
                return self.pin_latest(now_ms)
            case TrimHorizon() | AtTimestamp():
                with self.lock:
                    start = self.trimmed(now_ms)
                    if isinstance(position, AtTimestamp):
                        start = max(start, self.index_at(position.timestamp_ms))
                    return self.behind(start)
            case _:
                assert_never(position)

    def pin_latest(self, now_ms: int) -> After:
        """Behind the newest record that has arrived."""
        with self.lock:
            self.see(now_ms)
            return self.behind(self.arrived(now_ms))

    def pin_timestamp(self, timestamp_ms: int, now_ms: int) -> After:
        """Before the first record that arrived at or after an instant, which must have come."""
        with self.lock:
            self.see(now_ms)
            return self.behind(self.index_at(timestamp_ms))

    def count_after(self, place: After) -> int:
        """How many records were put behind a place, those past retention too."""
        with self.lock:
            return len(self.records) - self.index_after(place.position)

    # --- who is told -----------------------------------------------------------------------------

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of what happens for as long as somebody else holds it."""
        with self.lock:
            held = tuple(ref for ref in self._watchers if ref() is not None)
            self._watchers = (*held, weakref.ref(watcher))

    def watchers(self) -> list[Watcher]:
        """Those still held, in the order in which they came."""
        return [watcher for ref in self._watchers if (watcher := ref()) is not None]

    def notify(self) -> None:
        """Tell them that something was put, or that the shard was closed."""
        for watcher in self.watchers():
            watcher.notify()
