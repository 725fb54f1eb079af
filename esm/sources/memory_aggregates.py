"""What the Kinesis Producer Library's aggregates in a stream hold.

A part of an aggregate whose key belongs to another shard is dropped in silence.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-polling-and-batching.html
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, chain, count

import msgspec

from esm.payloads.kinesis import KinesisRecord
from esm.payloads.kpl import UserRecord, user_records
from esm.sources.aggregates import own_and_strays, parts_of
from esm.sources.memory_shard import MemoryShard


class Unpacked:
    """What aggregates hold; the same for all consumers of a stream."""

    __slots__ = ("_find_shard", "_ordinals", "_parts", "_seen", "_strays", "_surpluses", "strays")

    def __init__(self, find_shard: Callable[[str], MemoryShard]) -> None:
        self.strays: list[UserRecord] = []
        self._find_shard = find_shard
        self._seen = 0
        self._parts: dict[int, list[KinesisRecord]] = {}  # of an aggregate, by its position
        self._strays: dict[int, int] = {}  # how many, likewise
        self._ordinals: list[int] = []
        self._surpluses: list[int] = []
        """By how many ordinals those behind the aggregate of this ordinal are higher."""

    @property
    def surplus(self) -> int:
        """How many more records there are than were put."""
        return self._surpluses[-1] if self._surpluses else 0

    def add(self, aggregates: Sequence[KinesisRecord]) -> None:
        """Unpack those that are new, of all aggregates of the stream in the order of putting."""
        for record in aggregates[self._seen :]:
            self._seen += 1
            inside = user_records(record.data)
            if inside is not None:
                self._unpack(record, inside)

    def of(self, records: list[KinesisRecord]) -> list[KinesisRecord]:
        """These records with aggregates unpacked and ordinals to match."""
        if not self._ordinals:
            return records
        return list(chain.from_iterable(map(self._parts_of, records)))

    def strays_in(self, records: Sequence[KinesisRecord]) -> int:
        """How many of their parts are dropped."""
        if not self._strays:
            return 0
        return sum(self._strays.get(record.position, 0) for record in records)

    def fitting(self, records: Sequence[KinesisRecord], limit: int) -> int:
        """How many of these records, but one always, unpack to no more than `limit`."""
        if not self._ordinals:
            return min(len(records), limit)
        counts = accumulate(len(self._parts_of(record)) for record in records)
        return max(1, bisect_right(list(counts), limit))

    def _unpack(self, whole: KinesisRecord, inside: Sequence[UserRecord]) -> None:
        own, strays = own_and_strays(inside, self._find_shard(whole.shard_id).hash_key_range)
        if strays:
            self.strays += strays
            self._strays[whole.position] = len(strays)
        # Sequence numbers of a shard are further apart than an aggregate has parts.
        first, ordinal = whole.position - len(own) + 1, whole.ordinal + self.surplus
        self._parts[whole.position] = parts_of(whole, own, count(first), count(ordinal))
        self._ordinals.append(whole.ordinal)
        self._surpluses.append(self.surplus + len(own) - 1)

    def _parts_of(self, record: KinesisRecord) -> Sequence[KinesisRecord]:
        parts = self._parts.get(record.position)
        if parts is not None:
            return parts
        before = bisect_right(self._ordinals, record.ordinal)
        if not before:
            return (record,)
        ordinal = record.ordinal + self._surpluses[before - 1]
        return (msgspec.structs.replace(record, ordinal=ordinal),)
