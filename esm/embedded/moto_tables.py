"""Tables that are in moto and here: what is written to either is in both.

moto knows DynamoDB's expressions, conditions and transactions, ours has the stream. moto is told
what was written to ours when somebody calls it, and after the call ours takes over what became of
the items that the call names, so that a change is in the stream once, however it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from esm.embedded.declarations import Declared, Params, site_of
from esm.embedded.dynamodb_params import Item, tables_in, touched_by
from esm.embedded.moto_expiry import expired
from esm.errors import EndpointError
from esm.payloads.attribute_values import SETS, AttributeMap, checked, with_bytes
from esm.payloads.dynamodb import TTL_IDENTITY, item_key
from esm.sources.dynamodb_changes import KEY_TYPES, key_schema, no_key
from esm.sources.dynamodb_table import DynamoDbTable

if TYPE_CHECKING:
    from moto.dynamodb.models.table import Table


def declaration_of(table: DynamoDbTable) -> Declared:
    """A table of ours as moto makes it."""
    return Declared(
        table.name, table.table_arn, creation=lambda: _creation(table), stream_arn=table.arn
    )


def _creation(table: DynamoDbTable) -> dict[str, Any]:
    types = [(name, table.key_types.get(name, "S")) for name in table.keys]
    return {
        "TableName": table.name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": key_schema(table.keys),
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in types],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": table.view.value},
    }


class MotoTables:
    """Keeps `tables`, by name, and those of the same names in moto the same."""

    def __init__(self, tables: Mapping[str, DynamoDbTable]) -> None:
        self._tables = tables
        self._twins: dict[str, _Twin] = {}

    @contextmanager
    def following(self, operation: str, params: Params) -> Iterator[None]:
        """Around a call of moto, whose tables are there; moto's state must be in place."""
        _check_operation(operation, params)
        touched = [
            (twin, item)
            for asked, item in touched_by(operation, params)
            if (twin := self._twin(asked)) is not None
        ]
        for twin in self._named(params):
            twin.bring()
        for twin, item in touched:
            twin.fit(item)
        try:
            yield
        except Exception:
            for twin, item in touched:
                twin.put_back(item)
            raise
        for twin, item in touched:
            twin.take_over(item)

    def expire(self, table: Table, now_ms: int) -> None:
        """Delete what has lived long enough in a table of moto's, whose state must be in place."""
        twin = self._twin(table.table_arn)
        if twin is not None:
            twin.bring()
        for item, attributes in list(expired(table, now_ms)):
            table.delete_item(item.hash_key, item.range_key)
            if twin is not None:
                twin.forget(attributes)

    def _named(self, params: Params) -> list[_Twin]:
        names = dict.fromkeys(tables_in(params))
        return [twin for name in names if (twin := self._twin(name)) is not None]

    def _twin(self, asked: str) -> _Twin | None:
        """Of the table with that name or ARN, unless somebody has deleted it in moto."""
        ours = self._tables.get(asked.rpartition("/")[2])
        if ours is None or asked not in (ours.name, ours.table_arn):
            return None
        twin = self._twins.get(ours.name)
        if twin is None or twin.ours is not ours:  # a table may be deleted and made again
            twin = self._twins[ours.name] = _Twin(ours)
        return twin if twin.is_there else None


class _Twin:
    """One table twice."""

    def __init__(self, ours: DynamoDbTable) -> None:
        self.ours = ours
        self._site = site_of(ours.table_arn)

    @property
    def is_there(self) -> bool:
        """Whether moto has it."""
        return self.ours.name in self._in_moto()

    @property
    def theirs(self) -> Table:
        """moto's, which is another object after a transaction that was taken back."""
        return self._in_moto()[self.ours.name]

    def _in_moto(self) -> dict[str, Table]:
        from moto.dynamodb.models import dynamodb_backends

        tables: dict[str, Table] = dynamodb_backends[self._site.account][self._site.region].tables
        return tables

    def bring(self) -> None:
        """What was written to ours since the last call."""
        self.theirs.stream_shard = None  # moto need not keep what it would show of a stream
        for keys, item in self.ours.unseen():
            self._set(keys, item)

    def fit(self, item: Item | None) -> None:
        """Where nobody has declared types of keys, the first item tells."""
        keys = self._keys(item)
        if keys is None or self.ours.key_types or self.theirs.items:
            return
        types = {name: next(iter(value)) for name, value in keys.items()}
        theirs = self.theirs
        theirs.hash_key_type = types[theirs.hash_key_attr]
        if theirs.range_key_attr is not None:
            theirs.range_key_type = types[theirs.range_key_attr]
        for definition in theirs.attr:
            definition["AttributeType"] = types[definition["AttributeName"]]

    def take_over(self, item: Item | None) -> None:
        """Into ours, what a call has made of an item; None: of any."""
        for keys in self._concerned(item):
            self.ours.changed(keys, self._get(keys))

    def forget(self, item: Item) -> None:
        """In ours, an item that Time To Live has deleted in moto."""
        keys = self._keys(item)
        if keys is not None:
            self.ours.changed(keys, None, TTL_IDENTITY)

    def put_back(self, item: Item | None) -> None:
        """Into moto, what ours has: a call that fails changes nothing."""
        ours = self.ours.items
        for keys in self._concerned(item):
            self._set(keys, ours.get(item_key(keys)))

    def _concerned(self, item: Item | None) -> list[AttributeMap]:
        """The keys of an item; of all there are, in an order of their own, for None."""
        if item is not None:
            keys = self._keys(item)
            return [] if keys is None else [keys]
        theirs = [each.to_json()["Attributes"] for each in self.theirs.all_items()]
        every = [self._keys(each) for each in (*self.ours.items.values(), *theirs)]
        found = {item_key(keys): keys for keys in every if keys is not None}
        return [found[key] for key in sorted(found)]

    def _keys(self, item: Item | None) -> AttributeMap | None:
        """An item's keys, if it has such as can be."""
        keys = {name: item[name] for name in self.ours.keys if name in item} if item else {}
        is_whole = len(keys) == len(self.ours.keys)
        if not is_whole or not all(KEY_TYPES.keys() >= value.keys() for value in keys.values()):
            return None
        return checked(keys, "keys")

    def _get(self, keys: AttributeMap) -> AttributeMap | None:
        found = self.theirs.get_item(*self._dynamo_types(keys))
        return None if found is None else _without_empty_sets(found.to_json()["Attributes"])

    def _set(self, keys: AttributeMap, item: AttributeMap | None) -> None:
        if item is None:
            self.theirs.delete_item(*self._dynamo_types(keys))
            return
        self.fit(keys)
        self._check_types(keys)
        self.theirs.put_item(with_bytes(item))

    def _check_types(self, keys: AttributeMap) -> None:
        types = {d["AttributeName"]: d["AttributeType"] for d in self.theirs.attr}
        for name, value in keys.items():
            if types[name] not in value:
                known = KEY_TYPES[types[name]]
                message = f"{name} of table {self.ours.name} is {value}, and {known} elsewhere"
                why = "a key attribute has one type in all items"
                raise no_key(message, why, self.ours.keys, types)

    def _dynamo_types(self, keys: AttributeMap) -> list[Any]:
        from moto.dynamodb.models.dynamo_type import DynamoType

        with_types, ranged = with_bytes(keys), self.theirs.range_key_attr
        hashed = DynamoType(with_types[self.theirs.hash_key_attr])
        return [hashed, None if ranged is None else DynamoType(with_types[ranged])]


def _without_empty_sets(item: AttributeMap) -> AttributeMap:
    """A set that loses its last member is gone on AWS; moto keeps it."""
    return {
        name: value
        for name, value in item.items()
        if not any(kind in SETS and not members for kind, members in value.items())
    }


def _check_operation(operation: str, params: Params) -> None:
    if operation == "UpdateTable" and "StreamSpecification" in params:
        raise EndpointError(
            "E502",
            "the embedded DynamoDB does not turn a table's stream on or off",
            why="not emulated: on AWS the table would get another stream",
            fix="StreamSpecification of the table, from the start",
        )
