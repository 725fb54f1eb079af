"""What the parameters of DynamoDB's operations say: which tables they are about, what they write.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from esm.embedded.declarations import Params

Item = Mapping[str, Any]
"""Attributes in DynamoDB's JSON, the key's among them."""

_TARGET = re.compile(r"""\b(?:FROM|INTO|UPDATE|EXISTS)\s+["']?([\w.-]+)""", re.IGNORECASE)
_WRITE = re.compile(r"\s*(?:INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_PUT = re.compile(r"\s*(?:INSERT|UPDATE)\b", re.IGNORECASE)
_UPDATES = {"AttributeUpdates", "UpdateExpression"}


def completed(operation: str, params: Params) -> Params:
    """What moto can do: an update without changes, which makes an item that is not there."""
    if operation != "UpdateItem" or _UPDATES & params.keys():
        return params
    return {"AttributeUpdates": {}, **params}


def tables_in(params: Params) -> list[str]:
    """The tables of a call, a batch, a transaction or statements, as they are called there."""
    steps = [step for item in params.get("TransactItems", ()) for step in item.values()]
    named = [params["TableName"]] if "TableName" in params else []
    batch = [*params.get("RequestItems", ()), *(step["TableName"] for step in steps)]
    return [*named, *batch, *(name for s in _statements(params) for name in _targets(s))]


def touched_by(operation: str, params: Params) -> Iterator[tuple[str, Item | None]]:
    """The table, and the item or key, of each write of a call; None: any item of the table."""
    match operation:
        case "PutItem":
            yield params["TableName"], params["Item"]
        case "UpdateItem" | "DeleteItem":
            yield params["TableName"], params["Key"]
        case "BatchWriteItem":
            for name, requests in params["RequestItems"].items():
                yield from ((name, _item_of(step)) for r in requests for step in r.values())
        case "TransactWriteItems":
            steps = [step for each in params["TransactItems"] for step in each.values()]
            yield from ((step["TableName"], _item_of(step)) for step in steps)
        case _:
            writes = [s for s in _statements(params) if _WRITE.match(s)]
            for name in dict.fromkeys(name for s in writes for name in _targets(s)):
                yield name, None


def _item_of(step: Params) -> Item:
    item: Item = step.get("Item") or step["Key"]
    return item


def put_by(operation: str, params: Params, answer: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Items that were put or updated; what a batch left unprocessed was not."""
    match operation:
        case "PutItem" | "UpdateItem":
            yield params["TableName"], 1
        case "BatchWriteItem":
            left = answer.get("UnprocessedItems", {})
            for sign, batch in ((1, params["RequestItems"]), (-1, left)):
                for table, requests in batch.items():
                    yield table, sign * sum("PutRequest" in request for request in requests)
        case "TransactWriteItems":
            for item in params["TransactItems"]:
                for step in ("Put", "Update"):
                    if step in item:
                        yield item[step]["TableName"], 1
        case _:
            for statement in filter(_PUT.match, _statements(params)):
                yield _targets(statement)[0], 1


def _statements(params: Params) -> list[str]:
    """The PartiQL of a call: one statement, or those of a batch or transaction."""
    many = [*params.get("Statements", ()), *params.get("TransactStatements", ())]
    return [step["Statement"] for step in (params, *many) if "Statement" in step]


def _targets(statement: str) -> list[str]:
    return _TARGET.findall(statement)
