"""Puts into an in-memory stream: each record gets its shard, its instant and its number.

One lock holds writers, readers and resharding apart, so that what a reader has seen of a shard is
always the beginning of what it will have seen later.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Sequence
from threading import Lock

import msgspec

from esm.payloads.kinesis import KinesisRecord, make_record
from esm.payloads.kpl import MAGIC
from esm.sources.hash_keys import hash_key_of
from esm.sources.kinesis_input import key_bytes
from esm.sources.memory_limits import ThroughputExceeded
from esm.sources.memory_shard import MemoryShard
from esm.sources.memory_shards import ShardFamily


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record to be put, checked before: `weight` is the bytes of data and key together."""

    key: str
    base64: str
    weight: int
    hash_key: int | None
    is_aggregate: bool


def entry_of(payload: bytes, key: str, hash_key: int | None) -> Entry:
    """An entry of a payload as it is."""
    base64 = binascii.b2a_base64(payload, newline=False).decode("ascii")
    weight = len(payload) + key_bytes(key)
    return Entry(key, base64, weight, hash_key, payload.startswith(MAGIC))


class Intake:
    """What was put into one stream, by ordinal.

    `aggregates` are the records that begin as the Kinesis Producer Library's aggregates do;
    `fed_at_ms` is the arrival of the record that was put last.
    """

    def __init__(self, place: str, family: ShardFamily, lock: Lock, now: Callable[[], int]) -> None:
        """`place` is the stream in the words of an error."""
        self.records: list[KinesisRecord] = []
        self.aggregates: list[KinesisRecord] = []
        self.fed_at_ms: int | None = None
        self._place = place
        self._family = family
        self._lock = lock
        self._now = now

    def put(
        self, payload: bytes, key: str | None, hash_key: int | None
    ) -> tuple[MemoryShard, KinesisRecord]:
        """Take one record in; without a key its ordinal is the key. The shard is not notified."""
        with self._lock:
            entry = entry_of(payload, str(len(self.records) + 1) if key is None else key, hash_key)
            shard = self._route(entry)
            return shard, self._take(shard, entry, self._now())

    def put_all(self, entries: Sequence[Entry]) -> list[KinesisRecord | ThroughputExceeded]:
        """Take records in at one instant; a full shard refuses its own, in their places."""
        results: list[KinesisRecord | ThroughputExceeded] = []
        touched: dict[MemoryShard, None] = {}
        with self._lock:
            now_ms = self._now()
            for entry in entries:
                shard = self._route(entry)
                try:
                    results.append(self._take(shard, entry, now_ms))
                    touched[shard] = None
                except ThroughputExceeded as refusal:
                    results.append(refusal)
        for shard in touched:
            shard.notify()
        return results

    def _route(self, entry: Entry) -> MemoryShard:
        family = self._family
        if entry.hash_key is not None:
            return family.owner(entry.hash_key)
        if len(family.open) == 1:
            return family.open[0]
        return family.owner(hash_key_of(entry.key))

    def _take(self, shard: MemoryShard, entry: Entry, now_ms: int) -> KinesisRecord:
        if shard.writes is not None:
            self._charge(shard, entry.weight, now_ms)
        ordinal = len(self.records) + 1
        arrived_ms = max(now_ms, shard.seen_ms)
        record = make_record(
            position=shard.position_of(arrived_ms, ordinal),
            key=entry.key,
            arrived_ms=arrived_ms,
            base64=entry.base64,
            shard_id=shard.shard.shard_id,
            ordinal=ordinal,
        )
        shard.add(record, entry.weight)
        self.records.append(record)
        if entry.is_aggregate:
            self.aggregates.append(record)
            shard.mark_aggregate(record.position)
        self.fed_at_ms = arrived_ms
        return record

    def _charge(self, shard: MemoryShard, weight: int, now_ms: int) -> None:
        assert shard.writes is not None
        if not shard.writes.admits(weight, now_ms):
            raise ThroughputExceeded(
                "E510",
                f"Rate exceeded for shard {shard.shard.shard_id} in {self._place}.",
                why="a shard takes 1,000 records and 1 MB a second, and limits=True",
                fix="more shards, a later put, or limits=False",
            )
        shard.writes.take(weight, now_ms)
