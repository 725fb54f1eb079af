"""Changes of a table, made again from its stream's records: the stream then shows them anew.

What is removed without ever having been there shows nothing, and an item that is changed before it
was there is inserted: a capture that begins late does not know what was before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from esm.errors import InputError
from esm.feeding_calls import OnProgress, Writer
from esm.patience import Wait
from esm.payloads.attribute_values import from_python, with_bytes
from esm.payloads.dynamodb import DynamoDbRecord

Change = tuple[str, dict[str, Any]]
"""A client's method and what it takes beside the table: `put_item` or `delete_item`."""


def change_of(record: DynamoDbRecord) -> Change:
    """The write that made a record. Raises InputError E494 where it does not say the item."""
    part = record.json
    if record.event_name == "REMOVE":
        return "delete_item", {"Key": with_bytes(part["Keys"])}
    if "NewImage" not in part:
        raise InputError(
            "E494",
            f"record {record.sequence_number} has no NewImage: nobody knows what was written",
            why=f"the stream's view was {part['StreamViewType']}",
            fix="StreamViewType: NEW_AND_OLD_IMAGES, and another capture",
        )
    return "put_item", {"Item": with_bytes(part["NewImage"])}


def put_of(item: Mapping[str, object]) -> Change:
    """An item of Python values. Raises InvalidValue for what a table has no type for."""
    return "put_item", {"Item": with_bytes(from_python(item))}


def write_changes(
    client: Any,
    table: str,
    changes: Iterable[Change | None],
    *,
    wait: Wait,
    on_progress: OnProgress,
) -> int:
    """Make them one after the other. Raises EndpointError E542 where the table takes no more."""
    writer = Writer(table, wait, on_progress)
    for method, params in filter(None, changes):
        writer.call(getattr(client, method), TableName=table, **params)
        writer.took(1)
    return writer.done
