"""Time To Live of tables in moto, which keeps the attribute's name and deletes nothing.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from esm.embedded.moto_world import Site
from esm.payloads.attribute_values import AttributeMap

if TYPE_CHECKING:
    from moto.dynamodb.models.table import Table

# What is older than five years was surely no instant.
_TOO_OLD_S = 5 * 365 * 86_400


def tables_with_ttl(site: Site) -> list[Table]:
    """Those that have it enabled; moto's state must be in place."""
    from moto.dynamodb.models import dynamodb_backends

    tables: dict[str, Table] = dynamodb_backends[site.account][site.region].tables
    return [table for table in tables.values() if table.ttl.get("TimeToLiveStatus") == "ENABLED"]


def expired(table: Table, now_ms: int) -> Iterator[tuple[Any, AttributeMap]]:
    """The items that have lived long enough: moto's, and what is in it."""
    name, now_s = table.ttl["AttributeName"], now_ms // 1_000
    for item in table.all_items():
        attributes: AttributeMap = item.to_json()["Attributes"]
        expires_s = _seconds(attributes.get(name, {}).get("N"))
        if expires_s is not None and now_s - _TOO_OLD_S < expires_s < now_s:
            yield item, attributes


def _seconds(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None
