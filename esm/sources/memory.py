"""The in-memory Kinesis stream: honest about everything that an event source mapping can see.

Splits, merges and puts take effect at once. A closed shard takes nothing more and disappears from
the list when its retention is over.
https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import Any, TypeVar

from esm.core.messages import PollFailed, RecordsArrived
from esm.core.model import After, Position, Shard
from esm.instants import Duration, duration_ms
from esm.payloads.kinesis import KinesisRecord
from esm.sources.hash_keys import HashKeyRange
from esm.sources.kinesis_input import (
    RECORD_KIB_MIN,
    check_shard_count,
    check_stream,
    hash_key_from,
    payload_of,
)
from esm.sources.memory_consumer import Consumers, KinesisConsumer
from esm.sources.memory_intake import Entry, Intake
from esm.sources.memory_limits import ThroughputExceeded
from esm.sources.memory_properties import StreamProperties
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

    `limits=True` enforces the per-shard limits of reads and writes. `iterator_generation` counts
    the calls of `expire_iterators`; `properties` are what its API tells and nothing else heeds.
    Threads may write, read and reshard at once.
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
        self.iterator_generation = 0
        self.properties = StreamProperties()
        self._now = now
        self._limits = limits
        self._lock = Lock()
        self._family = ShardFamily(shards, self._make_shard, self.created_ms)
        place = f"stream {name} under account {account}"
        self._intake = Intake(place, self._family, self._lock, now)
        self._consumers = Consumers(self, self._family.get, fan_out_delay_ms)

    def __repr__(self) -> str:
        shards, records = len(self._family.open), self.record_count
        return f"<KinesisStream {self.name}: {shards} open shards, {records} records>"

    @property
    def record_count(self) -> int:
        """How many records were ever put."""
        return len(self._intake.records)

    @property
    def fed_at_ms(self) -> int | None:
        """The arrival of the record that was put last."""
        return self._intake.fed_at_ms

    @property
    def aggregates(self) -> list[KinesisRecord]:
        """The records that begin as the Kinesis Producer Library's aggregates do."""
        return self._intake.aggregates

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

    def put_all(self, entries: Sequence[Entry]) -> list[KinesisRecord | ThroughputExceeded]:
        """Put checked records at one instant; a full shard refuses its own, in their places."""
        return self._intake.put_all(entries)

    def split(
        self, shard_id: str | None = None, new_starting_hash_key: str | int | None = None
    ) -> list[StreamShard]:
        """Split a shard, the only open one by default, in halves or where told: lower, upper."""
        middle = None if new_starting_hash_key is None else hash_key_from(new_starting_hash_key)
        with self._lock:
            parent = self._family.get_open(shard_id)
            children = self._family.split(parent, middle, self._now(), self.record_count)
        parent.notify()
        return [child.view() for child in children]

    def merge(self, shard_id: str, adjacent_shard_id: str) -> list[StreamShard]:
        """Merge two shards whose hash keys touch; gives a list of the one new shard."""
        with self._lock:
            parent = self._family.get_open(shard_id)
            adjacent = self._family.get_open(adjacent_shard_id)
            children = self._family.merge(parent, adjacent, self._now(), self.record_count)
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
            self._family.reshape(n, self._now(), self.record_count)
            after = [shard.view() for shard in self._family.open]
        for shard in before:
            if shard.closed_ms is not None:
                shard.notify()
        return after

    def consumer(self, name: str, *, created_ms: int | None = None) -> KinesisConsumer:
        """The enhanced fan-out consumer of this name, which the first call registers, now."""
        with self._lock:
            if name in self._consumers.by_name:
                return self._consumers.by_name[name]
            return self._consumers.register(name, self._now() if created_ms is None else created_ms)

    def deregister(self, name: str) -> None:
        """Forget a consumer; whoever reads for it is told."""
        with self._lock:
            self._consumers.by_name.pop(name, None)
        self._notify_all()

    def retain(self, retention_ms: int) -> None:
        """Keep records for so long from now on."""
        with self._lock:
            self.retention_ms = retention_ms
            for shard in self._family.all.values():
                shard.retention_ms = retention_ms
        self._notify_all()

    @property
    def consumers(self) -> list[KinesisConsumer]:
        """Its consumers in the order of their registration."""
        return list(self._consumers.by_name.values())

    def restart(self, now_ms: int) -> None:
        """Begin at another instant, before anything was put."""
        assert not self.record_count, "a stream with records cannot begin again"
        self.created_ms = now_ms
        for shard in self._family.all.values():
            shard.created_ms = shard.seen_ms = now_ms

    def expire_iterators(self) -> None:
        """Let every shard iterator that anybody holds expire now."""
        self.iterator_generation += 1
        for shard in list(self._family.all.values()):
            for watcher in shard.watchers():
                watcher.notify()  # empty reads that it has skipped came before this
                watcher.revoke()
                watcher.notify()

    @property
    def records(self) -> list[KinesisRecord]:
        """Every record ever put, by ordinal, those past retention too; a fresh list."""
        return list(self._intake.records)

    @property
    def shards(self) -> list[StreamShard]:
        """Every shard there ever was, as it is now, by id."""
        with self._lock:
            return [shard.view() for shard in self._family.all.values()]

    @property
    def metrics(self) -> dict[str, dict[str, int]]:
        """CloudWatch's shard-level metrics by shard id, as sums; bytes are of data and keys.

        https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
        """
        with self._lock:
            return {shard_id: shard.metrics() for shard_id, shard in self._family.all.items()}

    # --- what mappings do ------------------------------------------------------------------------

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """The shards that still hold or may get records, or did so `since_ms`, parents first."""
        as_of_ms = now_ms if since_ms is None else since_ms
        with self._lock:
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

    def read_once(
        self, shard_id: str, position: Position, limit: int, now_ms: int
    ) -> RecordsArrived | PollFailed:
        """One GetRecords of somebody who keeps the place to read on from."""
        return MemoryReader(self._family.get(shard_id), None).read(position, limit, now_ms)

    # --- inside ----------------------------------------------------------------------------------

    def _put(
        self, data: object, key: str | None, explicit_hash_key: str | int | None
    ) -> tuple[MemoryShard, KinesisRecord]:
        hash_key = None if explicit_hash_key is None else hash_key_from(explicit_hash_key)
        return self._intake.put(payload_of(data, self.max_record_bytes), key, hash_key)

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

    def _notify_all(self) -> None:
        for shard in list(self._family.all.values()):
            shard.notify()
