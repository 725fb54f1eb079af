"""The in-memory Kinesis stream: honest about everything that an event source mapping can see.

Splits, merges and puts take effect at once. A closed shard takes nothing more and disappears from
the list when its retention is over.
https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, TypeVar

from esm.core.model import After, Position, Shard
from esm.instants import Duration, duration_ms
from esm.payloads.kinesis import KinesisRecord, make_record
from esm.payloads.kpl import MAGIC
from esm.sources.hash_keys import HashKeyRange, hash_key_of
from esm.sources.kinesis_input import (
    RECORD_KIB_MIN,
    check_shard_count,
    check_stream,
    hash_key_from,
    key_bytes,
    payload_of,
)
from esm.sources.memory_consumer import Consumers, KinesisConsumer
from esm.sources.memory_limits import ThroughputExceeded
from esm.sources.memory_reader import MemoryReader
from esm.sources.memory_shard import MemoryShard, StreamShard
from esm.sources.memory_shards import ShardFamily

# Ours; AWS says "typically about 70 ms".
FAN_OUT_DELAY_MS = 70

Item = TypeVar("Item")
Data = dict[Any, Any] | list[Any] | str | bytes
"""A payload: dict and list become compact JSON, text becomes UTF-8, bytes stay."""


class KinesisStream:
    """A data stream: a `Source`, and what a test puts into. `now` gives epoch milliseconds.

    `limits=True` enforces the per-shard limits of reads and writes. `fed_at_ms` is the arrival of
    the record that was put last; `iterator_generation` counts the calls of `expire_iterators`;
    `aggregates` are the records that begin as the Kinesis Producer Library's aggregates do.
    """

    def __init__(
        self,
        name: str = "stream",
        shards: int = 1,
        retention: Duration = "24h",
        limits: bool = False,  # noqa: FBT001, FBT002  (part of the users' contract)
        *,
        now: Callable[[], int],
        region: str = "us-east-1",
        account: str = "123456789012",
        max_record_size_kib: int = RECORD_KIB_MIN,
        fan_out_delay_ms: int = FAN_OUT_DELAY_MS,
    ) -> None:
        check_stream(name, max_record_size_kib)
        check_shard_count(shards)
        self.name = name
        self.account = account
        self.arn = f"arn:aws:kinesis:{region}:{account}:stream/{name}"
        self.retention_ms = duration_ms(retention)
        self.max_record_bytes = max_record_size_kib * 1024
        self.created_ms = now()
        self.fed_at_ms: int | None = None
        self.iterator_generation = 0
        self._now = now
        self._limits = limits
        self._lock = Lock()
        self._records: list[KinesisRecord] = []
        self.aggregates: list[KinesisRecord] = []
        self._family = ShardFamily(shards, self._make_shard, self.created_ms)
        self._consumers = Consumers(self, self._family.get, fan_out_delay_ms)

    def __repr__(self) -> str:
        shards, records = len(self._family.open), len(self._records)
        return f"<KinesisStream {self.name}: {shards} open shards, {records} records>"

    @property
    def record_count(self) -> int:
        """How many records were ever put."""
        return len(self._records)

    # --- what users do ---------------------------------------------------------------------------

    def put(
        self, data: Data, key: str | None = None, explicit_hash_key: str | int | None = None
    ) -> KinesisRecord:
        """Put one record; without a key its ordinal, as text, is the key."""
        shard, record = self._put(data, key, explicit_hash_key)
        shard.notify()
        return record

    def put_many(
        self, iterable: Iterable[Item], key: str | Callable[[Item], str] | None = None
    ) -> list[KinesisRecord]:
        """Put one record per item; `key` may be a function of the item. Readers hear of it once."""
        touched: dict[MemoryShard, None] = {}
        records = []
        try:
            for item in iterable:
                shard, record = self._put(item, key(item) if callable(key) else key, None)
                touched[shard] = None
                records.append(record)
        finally:
            for shard in touched:
                shard.notify()
        return records

    def split(
        self, shard_id: str | None = None, new_starting_hash_key: str | int | None = None
    ) -> list[StreamShard]:
        """Split a shard, the only open one by default, in halves or where told: lower, upper."""
        middle = None if new_starting_hash_key is None else hash_key_from(new_starting_hash_key)
        with self._lock:
            parent = self._family.get_open(shard_id)
            children = self._family.split(parent, middle, self._now(), self._last_ordinal())
        parent.notify()
        return [child.view() for child in children]

    def merge(self, shard_id: str, adjacent_shard_id: str) -> list[StreamShard]:
        """Merge two shards whose hash keys touch; gives a list of the one new shard."""
        with self._lock:
            parent = self._family.get_open(shard_id)
            adjacent = self._family.get_open(adjacent_shard_id)
            children = self._family.merge(parent, adjacent, self._now(), self._last_ordinal())
        parent.notify()
        adjacent.notify()
        return [child.view() for child in children]

    def update_shard_count(self, n: int) -> list[StreamShard]:
        """Split and merge until there are `n` open shards of equal ranges; gives the open ones.

        AWS's quotas on the operation (twice or half the count, ten times a day) do not apply.
        """
        check_shard_count(n)
        with self._lock:
            before = list(self._family.open)
            self._family.reshape(n, self._now(), self._last_ordinal())
            after = [shard.view() for shard in self._family.open]
        for shard in before:
            if shard.closed_ms is not None:
                shard.notify()
        return after

    def consumer(self, name: str, *, created_ms: int | None = None) -> KinesisConsumer:
        """The enhanced fan-out consumer of this name, which the first call registers, now."""
        if name in self._consumers.by_name:
            return self._consumers.by_name[name]
        return self._consumers.register(name, self._now() if created_ms is None else created_ms)

    @property
    def consumers(self) -> list[KinesisConsumer]:
        """Its consumers in the order of their registration."""
        return list(self._consumers.by_name.values())

    def restart(self, now_ms: int) -> None:
        """Begin at another instant, before anything was put."""
        assert not self._records, "a stream with records cannot begin again"
        self.created_ms = now_ms
        for shard in self._family.all.values():
            shard.created_ms = shard.seen_ms = now_ms

    def expire_iterators(self) -> None:
        """Let every shard iterator that anybody holds expire now."""
        self.iterator_generation += 1
        for shard in self._family.all.values():
            for watcher in shard.watchers():
                watcher.notify()  # empty reads that it has skipped came before this
                watcher.revoke()
                watcher.notify()

    @property
    def records(self) -> list[KinesisRecord]:
        """Every record ever put, by ordinal, those past retention too; a fresh list."""
        return list(self._records)

    @property
    def shards(self) -> list[StreamShard]:
        """Every shard there ever was, as it is now, by id."""
        return [shard.view() for shard in self._family.all.values()]

    @property
    def metrics(self) -> dict[str, dict[str, int]]:
        """CloudWatch's shard-level metrics by shard id, as sums; bytes are of data and keys.

        https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
        """
        return {shard_id: shard.metrics() for shard_id, shard in self._family.all.items()}

    # --- what mappings do ------------------------------------------------------------------------

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """The shards that still hold or may get records, or did so `since_ms`, parents first."""
        as_of_ms = now_ms if since_ms is None else since_ms
        return [s.shard for s in self._family.all.values() if s.is_listed(as_of_ms)]

    def pin(self, shard_id: str, position: Position, now_ms: int) -> After:
        """The fixed place that a position means in a shard now."""
        return self._family.get(shard_id).pin(position, now_ms)

    def pin_latest(self, shard_id: str, now_ms: int) -> After:
        """Behind the newest record that has arrived in the shard."""
        return self._family.get(shard_id).pin_latest(now_ms)

    def pin_timestamp(self, shard_id: str, timestamp_ms: int, now_ms: int) -> After:
        """Before the first record that arrived at or after an instant, which must have come."""
        return self._family.get(shard_id).pin_timestamp(timestamp_ms, now_ms)

    def beginning(self, shard_id: str) -> After:
        """Before the first record that the shard ever had."""
        return self._family.get(shard_id).behind(0)

    def count_after(self, shard_id: str, place: After) -> int:
        """How many records were put behind a place, those past retention too."""
        return self._family.get(shard_id).count_after(place)

    def whole_before(self, shard_id: str, position: int) -> int:
        """The position: each is a sequence number of its own."""
        return position

    def sequence_number_of(self, position: int) -> str:
        """Positions are sequence numbers."""
        return str(position)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> MemoryReader:
        """A reader; it is told of puts for as long as somebody holds it."""
        return MemoryReader(self._family.get(shard_id), on_put)

    # --- inside ----------------------------------------------------------------------------------

    def _put(
        self, data: object, key: str | None, explicit_hash_key: str | int | None
    ) -> tuple[MemoryShard, KinesisRecord]:
        payload = payload_of(data, self.max_record_bytes)
        with self._lock:
            ordinal = len(self._records) + 1
            if key is None:
                key = str(ordinal)
            weight = len(payload) + key_bytes(key)
            shard = self._route(key, explicit_hash_key)
            now_ms = self._now()
            self._charge(shard, weight, now_ms)
            arrived_ms = max(now_ms, shard.seen_ms)
            record = make_record(
                position=shard.position_of(arrived_ms, ordinal),
                key=key,
                arrived_ms=arrived_ms,
                base64=binascii.b2a_base64(payload, newline=False).decode("ascii"),
                shard_id=shard.shard.shard_id,
                ordinal=ordinal,
            )
            shard.add(record, weight)
            self._records.append(record)
            if payload.startswith(MAGIC):
                self.aggregates.append(record)
                shard.mark_aggregate(record.position)
            self.fed_at_ms = arrived_ms
        return shard, record

    def _route(self, key: str, explicit_hash_key: str | int | None) -> MemoryShard:
        if explicit_hash_key is not None:
            return self._family.owner(hash_key_from(explicit_hash_key))
        if len(self._family.open) == 1:
            return self._family.open[0]
        return self._family.owner(hash_key_of(key))

    def _charge(self, shard: MemoryShard, weight: int, now_ms: int) -> None:
        if shard.writes is None:
            return
        if not shard.writes.admits(weight, now_ms):
            raise ThroughputExceeded(
                "E510",
                f"Rate exceeded for shard {shard.shard.shard_id} in stream {self.name} "
                f"under account {self.account}.",
                why="a shard takes 1,000 records and 1 MB a second, and limits=True",
                fix="more shards, a later put, or limits=False",
            )
        shard.writes.take(weight, now_ms)

    def _make_shard(
        self, number: int, parents: tuple[MemoryShard, ...], keys: HashKeyRange, now_ms: int
    ) -> MemoryShard:
        return MemoryShard(
            number,
            parents,
            keys,
            retention_ms=self.retention_ms,
            created_ms=now_ms,
            limits=self._limits,
            lock=self._lock,
        )

    def _last_ordinal(self) -> int:
        return len(self._records)
