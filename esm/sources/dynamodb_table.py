"""The in-memory DynamoDB table with its stream.

Each change of an item is in the stream once, and a write that changes nothing is not. An item's
changes keep their order, in a shard and across the shards that follow it.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

from esm.core.model import After, Position, Shard
from esm.payloads.attribute_values import (
    AttributeMap,
    canonical,
    checked,
    from_python,
    to_python,
)
from esm.payloads.dynamodb import (
    TTL_IDENTITY,
    DynamoDbRecord,
    UserIdentity,
    item_key,
    make_record,
)
from esm.sources.dynamodb_changes import (
    RETENTION_MS,
    STREAM_RULES,
    EventName,
    check_changes,
    check_size,
    check_types,
    event_id,
    event_named,
    event_of,
    keys_in,
    stream_part,
    table_keys,
    table_name,
    types_of,
    view_of,
)
from esm.sources.hash_keys import HashKeyRange
from esm.sources.memory_reader import MemoryReader
from esm.sources.memory_shard import MemoryShard, StreamShard
from esm.sources.memory_shards import ShardFamily

STREAM_LABEL = "2026-01-01T00:00:00.000"
"""In the stream's ARN; on AWS the instant at which the stream was enabled."""


class DynamoDbTable:
    """A table: a `Source`, and what a test writes to. `now` gives epoch milliseconds.

    A write gives the stream's record of it, or None where nothing has changed. `arn` is the
    stream's. `key_types`: "S", "N" or "B" of the keys; without it any of them will do.
    """

    def __init__(
        self,
        name: str = "table",
        keys: Iterable[str] = ("pk",),
        view: str = "NEW_AND_OLD_IMAGES",
        *,
        now: Callable[[], int],
        region: str = "us-east-1",
        account: str = "123456789012",
        key_types: Mapping[str, str] | None = None,
    ) -> None:
        self.name = table_name(name)
        self.keys = table_keys(keys)
        self.key_types = types_of(key_types)
        self.view = view_of(view)
        self.table_arn = f"arn:aws:dynamodb:{region}:{account}:table/{name}"
        self.arn = f"{self.table_arn}/stream/{STREAM_LABEL}"
        self.retention_ms = RETENTION_MS
        self._now = now
        self._lock = Lock()
        self._items: dict[str, AttributeMap] = {}
        self._records: list[DynamoDbRecord] = []
        self._changed_ms: dict[str, int] = {}
        """When each item was changed last."""
        self._unseen: dict[str, AttributeMap] | None = None
        """The keys of items that were written here, and that nobody elsewhere has seen yet."""
        self._family = ShardFamily(1, self._make_shard, now())

    def __repr__(self) -> str:
        items, records = len(self._items), len(self._records)
        return f"<DynamoDbTable {self.name}: {items} items, {records} records>"

    @property
    def record_count(self) -> int:
        """How many records the stream ever got."""
        return len(self._records)

    # --- what users do ---------------------------------------------------------------------------

    def put_item(self, item: Mapping[str, object]) -> DynamoDbRecord | None:
        """Write a whole item of Python values, new or in place of the one with its key."""
        new = from_python(item)
        return self._write(self._keys_in(new, only=False), lambda _: new)

    def update_item(self, key: Mapping[str, object], **changes: object) -> DynamoDbRecord | None:
        """Set attributes of the item with that key, which need not have been there."""
        keys, attributes = self._key(key), from_python(changes)
        check_changes(attributes, self.keys)
        return self._write(keys, lambda old: (old or keys) | attributes)

    def delete_item(self, key: Mapping[str, object]) -> DynamoDbRecord | None:
        """Delete the item with that key, if there is one."""
        return self._write(self._key(key), lambda _: None)

    def ttl_delete(self, key: Mapping[str, object]) -> DynamoDbRecord | None:
        """Delete an item as Time To Live does: the record says who did it."""
        return self._write(self._key(key), lambda _: None, TTL_IDENTITY)

    def get_item(self, key: Mapping[str, object]) -> dict[str, Any] | None:
        """The item with that key as Python values, numbers as Decimal; None without one."""
        item = self._items.get(item_key(self._key(key)))
        return None if item is None else to_python(item)

    def put_record(
        self,
        event_name: str,
        keys: Mapping[str, Any],
        new_image: Mapping[str, Any] | None = None,
        old_image: Mapping[str, Any] | None = None,
    ) -> DynamoDbRecord:
        """Write a stream record as given, in DynamoDB's JSON; the table's items stay as they are.

        Images that the view does not show are left out.
        """
        name = event_named(event_name)
        named = checked(keys, "keys")
        new = None if new_image is None else checked(new_image, "new_image")
        old = None if old_image is None else checked(old_image, "old_image")
        with self._lock:
            shard, record = self._append(name, named, new, old, None)
        shard.notify()
        return record

    def changed(
        self,
        keys: Mapping[str, Any],
        new_item: Mapping[str, Any] | None,
        user_identity: UserIdentity | None = None,
    ) -> DynamoDbRecord | None:
        """Take over what became of an item elsewhere, in DynamoDB's JSON; None: it is gone."""
        named = canonical(checked(keys, "keys"))
        new = None if new_item is None else canonical(checked(new_item, "new_item"))
        with self._lock:
            done = self._commit(named, self._items.get(item_key(named)), new, user_identity)
        return _told(done)

    def unseen(self) -> list[tuple[AttributeMap, AttributeMap | None]]:
        """Keys and item of what was written here since this was asked last; None: it is gone.

        What `changed` took over is not among it. The first time: every item.
        """
        with self._lock:
            every = (keys_in(item, self.keys, only=False) for item in self._items.values())
            pending = list(every if self._unseen is None else self._unseen.values())
            self._unseen = {}
            return [(keys, self._items.get(item_key(keys))) for keys in pending]

    @property
    def items(self) -> dict[str, AttributeMap]:
        """The items in DynamoDB's JSON, by the canonical JSON of their keys."""
        return dict(self._items)

    def roll_shard(self) -> StreamShard:
        """Close the open shard and open its only child, as DynamoDB does every few hours."""
        with self._lock:
            parent = self._family.open[0]
            child = self._family.roll(parent, self._now(), len(self._records))
        parent.notify()
        return child.view()

    def restart(self, now_ms: int) -> None:
        """Begin at another instant, before anything was written."""
        assert not self._records, "a table with records cannot begin again"
        self._family = ShardFamily(1, self._make_shard, now_ms)

    @property
    def records(self) -> list[DynamoDbRecord]:
        """Every record that the stream ever got, by ordinal, those past retention too."""
        return list(self._records)

    @property
    def shards(self) -> list[StreamShard]:
        """Every shard there ever was, as it is now, parents first."""
        return [shard.view() for shard in self._family.all.values()]

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

    def beginning(self, shard_id: str) -> After:
        """Before the first record that the shard ever had."""
        return self._family.get(shard_id).behind(0)

    def whole_before(self, shard_id: str, position: int) -> int:
        """The position: each is a sequence number of its own."""
        return position

    def sequence_number_of(self, position: int) -> str:
        """Positions are sequence numbers."""
        return str(position)

    def count_after(self, shard_id: str, place: After) -> int:
        """How many records were written behind a place, those past retention too."""
        return self._family.get(shard_id).count_after(place)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> MemoryReader:
        """A reader; it is told of writes for as long as somebody holds it."""
        # An iterator behind the trim horizon is TrimmedDataAccessException to others; a mapping
        # then goes on at the horizon, as this reader does, and counts what is gone as expired.
        return MemoryReader(self._family.get(shard_id), on_put)

    # --- inside ----------------------------------------------------------------------------------

    def _key(self, key: Mapping[str, object]) -> AttributeMap:
        return self._keys_in(from_python(key), only=True)

    def _keys_in(self, item: AttributeMap, *, only: bool) -> AttributeMap:
        keys = keys_in(item, self.keys, only=only)
        check_types(keys, self.key_types, self.keys)
        return keys

    def _write(
        self,
        keys: AttributeMap,
        after: Callable[[AttributeMap | None], AttributeMap | None],
        identity: UserIdentity | None = None,
    ) -> DynamoDbRecord | None:
        """Replace the item with these keys by what `after` makes of it."""
        key = item_key(keys)
        with self._lock:
            old = self._items.get(key)
            done = self._commit(keys, old, after(old), identity)
            if self._unseen is not None:
                self._unseen[key] = keys
        return _told(done)

    def _commit(
        self,
        keys: AttributeMap,
        old: AttributeMap | None,
        new: AttributeMap | None,
        identity: UserIdentity | None,
    ) -> tuple[MemoryShard, DynamoDbRecord] | None:
        key = item_key(keys)
        if new is None:
            self._items.pop(key, None)
        else:
            check_size(new)
            self._items[key] = new
        if old == new:
            return None
        return self._append(event_of(old, new), keys, new, old, identity)

    def _append(
        self,
        name: EventName,
        keys: AttributeMap,
        new: AttributeMap | None,
        old: AttributeMap | None,
        identity: UserIdentity | None,
    ) -> tuple[MemoryShard, DynamoDbRecord]:
        shard, key, ordinal = self._family.open[0], item_key(keys), len(self._records) + 1
        # A handler that slept in virtual time has written into the future: what others do to the
        # same item comes after that, what they do to other items does not wait.
        written_ms = max(self._now(), shard.seen_ms, self._changed_ms.get(key, 0))
        number = str(shard.position_of(written_ms, ordinal))
        part = stream_part(self.view, keys, new, old, written_ms=written_ms, sequence_number=number)
        record = make_record(
            part,
            event_name=name.value,
            event_id=event_id(self.arn, number),
            shard_id=shard.shard.shard_id,
            ordinal=ordinal,
            written_ms=written_ms,
            user_identity=identity,
        )
        shard.add(record, record.size)
        self._changed_ms[key] = written_ms
        self._records.append(record)
        return shard, record

    def _make_shard(
        self, number: int, parents: tuple[MemoryShard, ...], keys: HashKeyRange, now_ms: int
    ) -> MemoryShard:
        return MemoryShard(
            number,
            parents,
            keys,
            retention_ms=RETENTION_MS,
            created_ms=now_ms,
            limits=False,
            lock=self._lock,
            rules=STREAM_RULES,
        )


def _told(done: tuple[MemoryShard, DynamoDbRecord] | None) -> DynamoDbRecord | None:
    """Readers hear of a change when the lock is free again."""
    if done is None:
        return None
    shard, record = done
    shard.notify()
    return record
