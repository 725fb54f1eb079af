"""Scans by zone in a span of time, from the warehouse and from the table of counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from boto3.dynamodb.conditions import Key

from models import CountedPart, WarehouseTotal, Zone
from statements import Warehouse

SCANS = """SELECT zone, COUNT(*) AS scans, COUNT(DISTINCT badge_id) AS badges
FROM badge_scans
WHERE scanned_at >= CAST(:since AS TIMESTAMP) AND scanned_at < CAST(:until AS TIMESTAMP)
GROUP BY zone"""


def in_warehouse(
    warehouse: Warehouse, since: datetime, until: datetime
) -> dict[str, WarehouseTotal]:
    """What the warehouse has of each zone."""
    rows = warehouse.rows(SCANS, since=_text(since), until=_text(until))
    totals = (WarehouseTotal(zone=zone, scans=scans, badges=badges) for zone, scans, badges in rows)
    return {total.zone: total for total in totals}


def in_windows(table: Any, since: datetime, until: datetime) -> Counter[str]:
    """What was counted of each zone in the windows that begin in the span, over all shards."""
    sums: Counter[str] = Counter()
    for day in _days(since, until):
        for item in _parts(table, day, since, until):
            part = CountedPart.model_validate(item)
            sums[part.zone] += part.scans
    return sums


def concentrated(
    stored: Mapping[str, WarehouseTotal], counted: Mapping[str, int], from_scans: int
) -> tuple[Zone, ...]:
    """The zones with so many scans or more by either number, fullest first."""
    zones = (
        Zone(**dict(stored.get(name, Zone(zone=name))) | {"counted": counted.get(name, 0)})
        for name in stored.keys() | counted.keys()
    )
    full = (zone for zone in zones if zone.most >= from_scans)
    return tuple(sorted(full, key=lambda zone: (-zone.most, zone.zone)))


def _parts(table: Any, day: date, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """The items of a day. A part begins with its window's start, and so sorts behind that text."""
    client = table.meta.client
    condition = Key("day").eq(day.isoformat()) & Key("part").between(_text(since), _text(until))
    pages = client.get_paginator("query").paginate(
        TableName=table.name, KeyConditionExpression=condition
    )
    for page in pages:
        yield from page["Items"]


def _days(since: datetime, until: datetime) -> Iterator[date]:
    day = since.astimezone(UTC).date()
    while day <= until.astimezone(UTC).date():
        yield day
        day += timedelta(days=1)


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
