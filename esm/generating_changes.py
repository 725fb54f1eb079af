"""Records of a table's stream that nobody captured: as many as wanted, the same for the same seed.

They tell one story: an item is inserted before it is changed or removed, and old images are what
new ones were. They get their numbers and form from what makes those of the in-memory table.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from threading import Lock

from esm.data_template import DataTemplate, Facts
from esm.errors import InputError
from esm.generating import ACCOUNT, REGION, check_instants
from esm.payloads.attribute_values import AttributeMap, from_python
from esm.payloads.dynamodb import DynamoDbEvents, DynamoDbRecord, make_record
from esm.sources.dynamodb_changes import (
    RETENTION_MS,
    STREAM_RULES,
    EventName,
    check_size,
    event_id,
    stream_part,
    table_keys,
    table_name,
    view_of,
)
from esm.sources.dynamodb_table import STREAM_LABEL
from esm.sources.hash_keys import uniform_ranges
from esm.sources.memory_shard import MemoryShard

_ARN = re.compile(
    r"arn:aws[a-z-]*:dynamodb:(?P<region>[a-z0-9-]+):[0-9]{12}:table/(?P<name>[^/]+)/stream/.+"
)
_EVENTS = (EventName.INSERT, EventName.MODIFY, EventName.REMOVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan:
    """What to generate. Without `keys` each insert has a key of its own, its record's number.

    `mix`: how often items are inserted, changed and removed, as weights; `rate` is records a
    second. Where no item is left to change, or no key to insert, one of the others happens.
    """

    table: str
    count: int
    data: DataTemplate
    start_ms: int
    rate: Fraction
    key_name: str = "pk"
    keys: tuple[str, ...] = ()
    mix: tuple[int, int, int] = (1, 0, 0)
    view: str = "NEW_AND_OLD_IMAGES"
    seed: int = 0

    def __post_init__(self) -> None:
        table_name(self.name)
        table_keys((self.key_name,))
        view_of(self.view)
        check_instants(self.start_ms, self.instant_ms(self.count - 1))

    @property
    def name(self) -> str:
        """The table's."""
        match = _ARN.fullmatch(self.table)
        return match["name"] if match else self.table

    @property
    def stream_arn(self) -> str:
        """The stream's, made up where only the table's name is given."""
        if _ARN.fullmatch(self.table):
            return self.table
        return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.table}/stream/{STREAM_LABEL}"

    def instant_ms(self, index: int) -> int:
        """When a record is written; the first has index 0."""
        return self.start_ms + int(index * 1_000 / self.rate)

    def builder(self) -> DynamoDbEvents:
        """What makes events of the records."""
        return DynamoDbEvents(self.stream_arn, self.stream_arn.split(":")[3])

    def records(self) -> Iterator[DynamoDbRecord]:
        """The records in the order of their writing."""
        rng = random.Random(self.seed)  # noqa: S311  (repeatable chance, not a secret)
        items, shard = _Items(self), _shard(self.start_ms)
        view, arn = view_of(self.view), self.stream_arn
        for index in range(self.count):
            written_ms = self.instant_ms(index)
            name, keys, new, old = items.change(Facts(index + 1, "", written_ms), rng)
            number = str(shard.position_of(written_ms, index + 1))
            yield make_record(
                stream_part(view, keys, new, old, written_ms=written_ms, sequence_number=number),
                event_name=name.value,
                event_id=event_id(arn, number),
                shard_id=shard.shard.shard_id,
                ordinal=index + 1,
                written_ms=written_ms,
            )


_Change = tuple[EventName, AttributeMap, AttributeMap | None, AttributeMap | None]
"""What happened, the keys, the new image and the old one."""


class _Items:
    """The items that are there, and the keys that are free."""

    def __init__(self, plan: ChangePlan) -> None:
        self._plan = plan
        self._free = list(plan.keys)
        self._keys: list[str] = []
        self._items: dict[str, AttributeMap] = {}

    def change(self, facts: Facts, rng: random.Random) -> _Change:
        """Let one thing happen."""
        [name] = rng.choices(_EVENTS, self._weights())
        if name is EventName.INSERT:
            key = _drawn(self._free, rng) if self._plan.keys else str(facts.number)
        else:
            key = _drawn(self._keys, rng)
        old = self._items.pop(key, None)
        new = None if name is EventName.REMOVE else self._item(key, facts, rng)
        if new is not None and new == old:  # a write that changes nothing is not in a stream
            name, new = EventName.REMOVE, None
        if new is not None:
            self._keys.append(key)
            self._items[key] = new
        elif self._plan.keys:
            self._free.append(key)
        return name, from_python({self._plan.key_name: key}), new, old

    def _weights(self) -> Sequence[int]:
        """The mix, as far as it can be now."""
        insert, modify, remove = self._plan.mix
        can_insert = bool(self._free) or not self._plan.keys
        weights = (insert * can_insert, modify * bool(self._keys), remove * bool(self._keys))
        return weights if any(weights) else (int(can_insert), int(not can_insert), 0)

    def _item(self, key: str, facts: Facts, rng: random.Random) -> AttributeMap:
        text = self._plan.data.fill(Facts(facts.number, key, facts.arrived_ms), rng)
        attributes = json.loads(text, parse_float=Decimal)
        if not isinstance(attributes, dict):
            raise InputError(
                "E456",
                f"the data is no item: {text[:60]}",
                why="an item is an object: attributes by name",
                fix="""--data '{"total": {{int 1 100}}}'""",
            )
        item = from_python({**attributes, self._plan.key_name: key})
        check_size(item)
        return item


def _drawn(keys: list[str], rng: random.Random) -> str:
    """One of the keys, which is then gone from them."""
    at = rng.randrange(len(keys))
    keys[at], keys[-1] = keys[-1], keys[at]
    return keys.pop()


def _shard(created_ms: int) -> MemoryShard:
    return MemoryShard(
        0,
        (),
        uniform_ranges(1)[0],
        retention_ms=RETENTION_MS,
        created_ms=created_ms,
        limits=False,
        lock=Lock(),
        rules=STREAM_RULES,
    )
