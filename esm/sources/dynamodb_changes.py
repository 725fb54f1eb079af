"""What a table's stream writes of a change, and what a table takes.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any
from zlib import crc32

from esm.errors import InputError
from esm.payloads.attribute_sizes import size_of
from esm.payloads.attribute_values import AttributeMap
from esm.sources.memory_rules import Numbering, ShardRules

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
RETENTION_MS = 24 * 3_600_000
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
ITEM_BYTES_MAX = 400 * 1024
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,255}")
NAME_LENGTH_MIN = 3
"""On AWS; in a test a table may be called `t`."""
KEY_TYPES = {"S": "text", "N": "a number", "B": "bytes"}
_EXAMPLES = {"S": '"a"', "N": "1", "B": 'b"a"'}


class View(StrEnum):
    """What a stream shows of a changed item, beside its keys."""

    KEYS_ONLY = "KEYS_ONLY"
    NEW_IMAGE = "NEW_IMAGE"
    OLD_IMAGE = "OLD_IMAGE"
    NEW_AND_OLD_IMAGES = "NEW_AND_OLD_IMAGES"


class EventName(StrEnum):
    """What happened to an item."""

    INSERT = "INSERT"
    MODIFY = "MODIFY"
    REMOVE = "REMOVE"


_SHOWS_NEW = {View.NEW_IMAGE, View.NEW_AND_OLD_IMAGES}
_SHOWS_OLD = {View.OLD_IMAGE, View.NEW_AND_OLD_IMAGES}


def _shard_id(number: int, created_ms: int) -> str:
    return f"shardId-{created_ms:020d}-{crc32(b'%d' % number):08x}"


STREAM_RULES = ShardRules(
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    read_records=1_000,
    read_bytes=1024 * 1024,
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
    iterator_life_ms=15 * 60_000,
    # 114 bits, and so 35 digits; AWS promises 21 to 40.
    numbering=Numbering(top=113, depth_shift=96, arrival_shift=48, ordinal_shift=16),
    shard_id=_shard_id,
    instant_of=attrgetter("written_ms"),
)


def event_of(old: AttributeMap | None, new: AttributeMap | None) -> EventName:
    """What the change from one image to the other is called."""
    if new is None:
        return EventName.REMOVE
    return EventName.INSERT if old is None else EventName.MODIFY


def stream_part(
    view: View,
    keys: AttributeMap,
    new: AttributeMap | None,
    old: AttributeMap | None,
    *,
    written_ms: int,
    sequence_number: str,
) -> dict[str, Any]:
    """The `dynamodb` part of a record: images that there are, and that the view shows."""
    shown = {"Keys": _by_name(keys)}
    if new is not None and view in _SHOWS_NEW:
        shown["NewImage"] = _by_name(new)
    if old is not None and view in _SHOWS_OLD:
        shown["OldImage"] = _by_name(old)
    return {
        # Whole seconds, which AWS writes with a fraction of .0.
        "ApproximateCreationDateTime": float(written_ms // 1000),
        **shown,
        "SequenceNumber": sequence_number,
        "SizeBytes": sum(map(size_of, shown.values())),
        "StreamViewType": view.value,
    }


def event_id(stream_arn: str, sequence_number: str) -> str:
    """32 hex digits, the same in every run; AWS does not publish what they mean."""
    text = f"{stream_arn} {sequence_number}".encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def _by_name(attributes: AttributeMap) -> AttributeMap:
    # DynamoDB keeps no order of attributes; in what was recorded they come by name.
    return {name: attributes[name] for name in sorted(attributes)}


# --- what a table takes --------------------------------------------------------------------------


def table_name(name: str, shortest: int = 1) -> str:
    """A name that a table can have."""
    if not _NAME.fullmatch(name) or len(name) < shortest:
        fix = f"{shortest} to 255 letters, digits, dots, dashes and underscores"
        raise _no_table(f"{name!r} is not a table name", fix)
    return name


def table_keys(keys: Iterable[str]) -> tuple[str, ...]:
    """The names of a partition key and, if there is one, of a sort key."""
    names = () if isinstance(keys, str) else tuple(keys)
    if len(names) not in (1, 2) or len(set(names)) != len(names) or not all(names):
        fix = 'keys=("pk",), or keys=("pk", "sk")'
        raise _no_table(f"keys={keys!r} is not a table's primary key", fix)
    return names


def types_of(types: Mapping[str, str] | None) -> dict[str, str]:
    """What keys are declared to be: text, numbers or bytes."""
    given = dict(types or {})
    for name, kind in given.items():
        if kind not in KEY_TYPES:
            raise _no_table(f"{kind!r} is no type of the key {name}", "one of: S, N, B")
    return given


def key_schema(keys: Sequence[str]) -> list[dict[str, str]]:
    """A table's keys as AWS describes them."""
    kinds = zip(keys, ("HASH", "RANGE"), strict=False)
    return [{"AttributeName": name, "KeyType": kind} for name, kind in kinds]


def view_of(view: str) -> View:
    """A StreamViewType."""
    if view not in list(View):
        raise _no_table(f"view={view!r} is not a view type", f"one of: {', '.join(View)}")
    return View(view)


def event_named(name: str) -> EventName:
    """What a record says has happened."""
    if name not in list(EventName):
        raise InputError(
            "E465",
            f"{name!r} is nothing that happens to an item",
            fix=f"one of: {', '.join(EventName)}",
        )
    return EventName(name)


def keys_in(item: AttributeMap, names: tuple[str, ...], *, only: bool) -> AttributeMap:
    """The key attributes of an item; with `only` it must have no others."""
    if not set(names) <= set(item) or (only and len(item) != len(names)):
        given = ", ".join(item) or "nothing"
        raise no_key(
            f"the key of this table is {', '.join(names)}, not {given}",
            "each item has each key attribute, and a key has nothing else",
            names,
        )
    keys = {name: item[name] for name in names}
    for name, value in keys.items():
        ((kind, content),) = value.items()
        if kind not in KEY_TYPES or not content:
            raise no_key(
                f"the key attribute {name} is {value}",
                "a key is text, a number or bytes, and not empty",
                names,
            )
    return keys


def check_types(keys: AttributeMap, types: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Refuse a key of another type than the table's."""
    for name, value in keys.items():
        if name in types and types[name] not in value:
            why = f"this table declares {name} as {KEY_TYPES[types[name]]}"
            raise no_key(f"the key attribute {name} is {value}", why, names, types)


def check_changes(changes: AttributeMap, names: tuple[str, ...]) -> None:
    """Refuse to change a key attribute."""
    for name in names:
        if name in changes:
            why = "it is part of the key; another key is another item"
            raise no_key(f"cannot update attribute {name}", why, names)


def check_size(item: AttributeMap) -> None:
    """Refuse an item that is too large to be kept."""
    size = size_of(item)
    if size > ITEM_BYTES_MAX:
        raise InputError(
            "E464",
            f"the item has {size} bytes, names included; a table takes {ITEM_BYTES_MAX}",
            why="AWS refuses it: Item size has exceeded the maximum allowed size",
            fix="a smaller item",
        )


def _no_table(message: str, fix: str) -> InputError:
    return InputError("E463", message, why="AWS refuses to make such a table", fix=fix)


def no_key(
    message: str, why: str, names: tuple[str, ...], types: Mapping[str, str] | None = None
) -> InputError:
    """E462: `why` AWS refuses it, and a key that it would take."""
    kinds = types or {}
    example = ", ".join(f'"{name}": {_EXAMPLES[kinds.get(name, "S")]}' for name in names)
    return InputError("E462", message, why=f"AWS refuses it: {why}", fix=f"{{{example}}}")
