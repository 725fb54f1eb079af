"""Which zones are named, and what the report reads of its two sources."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from esm import Harness

STATEMENT = "00000001-0000-4000-8000-000000000000"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def totals(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("badge_report", "totals")


@pytest.fixture
def data_api(totals: ModuleType) -> SimpleNamespace:
    """A warehouse whose answers are told to it."""
    client = boto3.client("redshift-data", "us-east-1")
    warehouse = totals.Warehouse(client, "badges", "badges")
    with Stubber(client) as stubber:
        yield SimpleNamespace(warehouse=warehouse, answers=stubber.add_response)
        stubber.assert_no_pending_responses()


def stored(totals: ModuleType, **scans: int) -> dict[str, Any]:
    return {
        zone: totals.WarehouseTotal(zone=zone, scans=number, badges=number)
        for zone, number in scans.items()
    }


def test_a_zone_is_named_by_either_number_fullest_first(totals: ModuleType):
    zones = totals.concentrated(
        stored(totals, keynote=12, lounge=9, hall=10), {"lounge": 30, "door": 9, "gate": 10}, 10
    )
    assert [(z.zone, z.scans, z.badges, z.counted) for z in zones] == [
        ("lounge", 9, 9, 30), ("keynote", 12, 12, 0), ("gate", 0, 0, 10), ("hall", 10, 10, 0),
    ]  # fmt: skip


def test_a_statement_is_waited_for_and_read_page_by_page(
    totals: ModuleType, data_api: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
):
    pauses: list[float] = []
    monkeypatch.setattr("statements.time", SimpleNamespace(sleep=pauses.append))
    said = {"WorkgroupName": "badges", "Database": "badges", "Sql": totals.SCANS, "Parameters": [
        {"name": "since", "value": "2026-03-02T12:00:00Z"},
        {"name": "until", "value": "2026-03-02T12:00:00Z"},
    ]}  # fmt: skip
    data_api.answers("execute_statement", {"Id": STATEMENT}, said)
    for status in ("SUBMITTED", "PICKED", *["STARTED"] * 5, "FINISHED"):
        data_api.answers("describe_statement", {"Id": STATEMENT, "Status": status})
    for zone, more in (("hall-1", {"NextToken": "2"}), ("hall-2", {})):
        row = [{"stringValue": zone}, {"longValue": 5}, {"longValue": 4}]
        data_api.answers("get_statement_result", {"Records": [row], **more})

    found = totals.in_warehouse(data_api.warehouse, NOON, NOON)

    assert {zone: (total.scans, total.badges) for zone, total in found.items()} == {
        "hall-1": (5, 4), "hall-2": (5, 4),
    }  # fmt: skip
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize("status", ["FAILED", "ABORTED"])
def test_a_statement_that_fails_says_why(
    load: Callable[[str, str], ModuleType], data_api: SimpleNamespace, status: str
):
    statements = load("badge_report", "statements")
    data_api.answers("batch_execute_statement", {"Id": STATEMENT})
    answer = {"Id": STATEMENT, "Status": status, "Error": "ERROR: out of memory"}
    data_api.answers("describe_statement", answer)

    with pytest.raises(statements.StatementFailed, match=f"{status}: ERROR: out of memory"):
        data_api.warehouse.run("COPY")


def test_windows_are_added_up_over_shards_and_midnight(totals: ModuleType):
    with Harness() as h:
        h.dynamodb("counts", keys=("day", "part"))
        table = boto3.resource("dynamodb", "us-east-1").Table("counts")
        for start in ("01T23:49", "01T23:50", "01T23:59", "02T00:04", "02T00:05"):
            for shard in range(3):
                part = f"2026-03-{start}:00Z#keynote#shardId-00000000000{shard}#1"
                item = {"day": part[:10], "part": part, "zone": "keynote", "scans": 10 + shard}
                table.put_item(Item=item)
        since = datetime(2026, 3, 1, 23, 50, tzinfo=UTC)
        until = datetime(2026, 3, 2, 0, 5, tzinfo=UTC)

        assert totals.in_windows(table, since, until) == {"keynote": 3 * (10 + 11 + 12)}
