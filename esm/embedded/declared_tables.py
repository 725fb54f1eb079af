"""Tables of a template that have a stream, as tables of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from esm.embedded.declarations import Declared
from esm.errors import InputError, TemplateError
from esm.sources.dynamodb_changes import NAME_LENGTH_MIN, table_name
from esm.sources.dynamodb_table import DynamoDbTable
from esm.template import Resource


def table_of(declared: Declared, resource: Resource, now: Callable[[], int]) -> DynamoDbTable:
    """A table by its keys and view; raises TemplateError where AWS would not make it.

    `declared` is what `resource` says; `now` gives epoch milliseconds.
    """
    assert declared.stream_arn is not None
    given = declared.creation()
    names = [key["AttributeName"] for key in _named(given["KeySchema"])]
    types = {d["AttributeName"]: d["AttributeType"] for d in _named(given["AttributeDefinitions"])}
    try:
        table = DynamoDbTable(
            table_name(declared.name, NAME_LENGTH_MIN),
            names,
            given["StreamSpecification"].get("StreamViewType", ""),
            now=now,
            key_types={name: types[name] for name in names if name in types},
        )
    except InputError as error:
        message = f"{resource.logical_id}: {error.message}"
        raise TemplateError(error.esm_code, message, place=resource.place, why=error.why) from error
    table.arn, table.table_arn = declared.stream_arn, declared.arn
    return table


def table_behind(stream_arn: str, now: Callable[[], int]) -> DynamoDbTable:
    """A table of which only the stream's ARN is known; its key is called `pk`."""
    table_arn = stream_arn.partition("/stream/")[0]
    table = DynamoDbTable(table_arn.rpartition("/")[2], now=now)
    table.arn, table.table_arn = stream_arn, table_arn
    return table


def _named(entries: object) -> list[dict[str, Any]]:
    """Keys or attributes as they are listed, the partition key first."""
    listed = entries if isinstance(entries, list) else []
    named = [e for e in listed if isinstance(e, dict) and {"AttributeName"} < e.keys()]
    return sorted(named, key=lambda entry: entry.get("KeyType") == "RANGE")
