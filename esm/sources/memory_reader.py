"""Reads a shard that is kept in memory as GetShardIterator and GetRecords would.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, Record, TrimHorizon
from esm.sources.memory_shard import MemoryShard


class MemoryReader:
    """A `ShardReader`; without an `on_put` nobody is told of puts.

    `_index`: the next unread record; `_expires_ms` None: no iterator kept.

    Reading an in-order shard costs a slice, whatever the number of records.
    """

    __slots__ = ("__weakref__", "_expires_ms", "_found_nothing_at", "_index", "_lost_until",
                 "_on_put", "_revoked", "_shard")  # fmt: skip

    def __init__(self, shard: MemoryShard, on_put: Callable[[], None] | None) -> None:
        self._shard = shard
        self._on_put = on_put
        self._index: int | None = None
        self._found_nothing_at = 0
        self._expires_ms: int | None = None
        self._revoked = False
        self._lost_until = 0
        if on_put is not None:
            shard.watch(self)

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        """One GetRecords; a kept iterator is used, and renewed, before `position` is."""
        shard = self._shard
        with shard.lock:
            if self._has_expired(now_ms):
                self._expires_ms, self._revoked = None, False
                return PollFailed(PollFailure.EXPIRED_ITERATOR, "Iterator expired.")
            if shard.reads and not shard.reads.admits(1, now_ms):
                name = shard.shard.shard_id
                return PollFailed(PollFailure.THROTTLED, f"Rate exceeded for shard {name}")
            shard.see(now_ms)
            start = self._next(position, now_ms)
            self._expires_ms = now_ms + shard.rules.iterator_life_ms
            return self._read_from(start, limit, now_ms)

    @property
    def must_poll(self) -> bool:
        """Whether every read counts against the shard's limit."""
        return self._shard.reads is not None

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        """When `read` would give more than an empty answer; None: not before a put or a close."""
        shard = self._shard
        with shard.lock:
            if self._has_expired(now_ms):
                return now_ms
            start, horizon = self._next(position, now_ms), shard.trimmed(now_ms)
            if max(start, self._lost_until) < horizon:
                return now_ms
            self._found_nothing_at = start = max(start, horizon)
            if start < len(shard.records):
                return shard.rules.instant_of(shard.records[start])
            return None if shard.closed_ms is None else now_ms

    def idle_until(self, instant_ms: int) -> None:
        """Empty reads up to then were skipped: they would have taken and renewed an iterator."""
        if self._expires_ms is None:
            self._index = self._found_nothing_at
        self._expires_ms = instant_ms + self._shard.rules.iterator_life_ms

    def close(self) -> None:
        """It holds nothing but memory."""

    def notify(self) -> None:
        """Something was put, or the shard was closed, or its iterators have expired."""
        if self._on_put is not None:
            self._on_put()

    def revoke(self) -> None:
        """Let a kept iterator expire at once."""
        self._revoked = self._expires_ms is not None

    def _has_expired(self, now_ms: int) -> bool:
        return self._revoked or (self._expires_ms is not None and now_ms > self._expires_ms)

    def _next(self, position: Position, now_ms: int) -> int:
        """The index to read on from: the kept iterator's, or a new one's."""
        if self._expires_ms is not None:
            assert self._index is not None
            return self._index
        shard = self._shard
        match position:
            case After():
                return shard.index_after(position.position)
            case Latest():
                return shard.arrived(now_ms)
            case TrimHorizon():
                start = shard.trimmed(now_ms)
            case AtTimestamp():
                start = max(shard.trimmed(now_ms), shard.index_at(position.timestamp_ms))
            case _:
                assert_never(position)
        # What was there when this reader first stood at its start and is gone now was lost.
        return start if self._index is None else min(start, self._index)

    def _read_from(self, start: int, limit: int, now_ms: int) -> RecordsArrived:
        shard, records, rules = self._shard, self._shard.records, self._shard.rules
        lost: Sequence[Record] = ()
        horizon = shard.trimmed(now_ms)
        if start < horizon:
            lost = records[max(start, self._lost_until) : horizon]
            start = self._lost_until = horizon
        arrived = shard.arrived(now_ms)
        end = min(start + limit, start + rules.read_records, arrived)
        end = shard.cut(start, end, rules.read_bytes)
        if shard.reads:
            shard.reads.take(shard.weight(start, end), now_ms)
        self._index = end
        return RecordsArrived(
            records[start:end],
            max(1, now_ms - records[end].arrived_ms) if end < arrived else 0,
            shard.closed_ms is not None and end == len(records),
            lost,
            aggregates=shard.count_aggregates(start, end) if shard.aggregates else 0,
        )
