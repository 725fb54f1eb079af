"""Scans are counted in windows, each shard for itself; a window's parts are the same every time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from badge_world import NOW, Scan, scan_of

from esm import Harness
from esm.sources.memory import KinesisStream
from esm.view import Mapping

CONTEXT = SimpleNamespace(
    function_name="BadgeWindows",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:BadgeWindows",
    aws_request_id="0d4a2f52-6a3c-4f1c-9a55-2d2f1b0c7e11",
)
WINDOW = {
    "tumbling_window_in_seconds": 60,
    "function_response_types": ["ReportBatchItemFailures"],
}


class Counting:
    """A stream of scans whose windows are counted."""

    def __init__(self, h: Harness, app: ModuleType) -> None:
        self.h = h
        self.app = app
        self.table = h.dynamodb("zone-counts", keys=("day", "part"))
        self.stream: KinesisStream = h.kinesis("badge-scans", shards=3)
        self.mapping = self.map()
        self._scans = 0

    def map(self, **properties: Any) -> Mapping:
        return self.h.map(self.stream, self.app.handler, **{**WINDOW, **properties})

    def scan(self, zone: str = "hall-1", late: timedelta = NOW) -> Scan:
        self._scans += 1
        return scan_of(self._scans, zone, self.h.now - late)

    def put(self, *scans: Scan) -> None:
        for scan in scans:
            self.stream.put(scan, key=scan["badge_id"])

    @property
    def parts(self) -> dict[tuple[str, ...], int]:
        """Scans by window, zone and shard, and whatever else tells parts apart."""
        items = self.table.items.values()
        return {tuple(item["part"]["S"].split("#")): int(item["scans"]["N"]) for item in items}


@pytest.fixture(scope="module")
def app(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("badge_windows", "app")


@pytest.fixture
def counting(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    monkeypatch.setenv("COUNTS_TABLE_NAME", "zone-counts")
    with Harness() as h:
        yield Counting(h, app)


def test_each_shard_counts_its_part_of_a_zone(counting: Counting):
    counting.put(*(counting.scan() for _ in range(30)))
    counting.h.drain()

    parts = counting.parts
    assert {(window, zone) for window, zone, *_ in parts} == {("2026-01-01T00:00:00Z", "hall-1")}
    assert len({shard for _, _, shard, _ in parts}) == len(parts) == 3
    assert sum(parts.values()) == 30


def test_every_window_and_zone_has_a_count_of_its_own(counting: Counting):
    for _ in range(2):
        counting.put(counting.scan("keynote"), counting.scan("lounge"))
        counting.h.advance("1m")
    counting.h.drain()

    assert sorted((window[11:16], zone) for window, zone, *_ in counting.parts) == [
        ("00:00", "keynote"), ("00:00", "lounge"), ("00:01", "keynote"), ("00:01", "lounge"),
    ]  # fmt: skip
    assert set(counting.parts.values()) == {1}


def test_what_a_reader_kept_for_long_is_not_counted(counting: Counting):
    late = timedelta(minutes=15, seconds=1)
    counting.put(counting.scan(late=late), counting.scan(), counting.scan(late=late))
    counting.h.drain()

    assert len(counting.mapping.delivered) == 3
    assert sum(counting.parts.values()) == 1


@pytest.mark.parametrize(
    "spoilt", [{"zone": "?"}, {"scanned_at": "0001-01-01T00:00:00+14:00"}, {"badge_id": "é"}]
)
def test_a_malformed_scan_is_reported_and_the_others_are_counted(
    counting: Counting, spoilt: dict[str, str]
):
    for scan in (counting.scan(), {**counting.scan(), **spoilt}, counting.scan()):
        counting.stream.put(scan, key="one badge")
    counting.mapping.update(bisect_batch_on_function_error=True, maximum_retry_attempts=1)
    counting.h.drain()

    [given_up] = counting.mapping.discarded
    assert [record.ordinal for record in given_up.records] == [2]
    assert list(counting.parts.values()) == [2]
    assert [each.error for each in counting.mapping.invocations if each.error] == []


def test_counts_that_are_delivered_again_take_their_own_place(counting: Counting):
    counting.put(*(counting.scan(zone) for zone in ("hall-1", "keynote") for _ in range(12)))
    counting.h.drain()
    once = counting.parts
    assert sum(once.values()) == 24

    again = counting.map(name="again", batch_size=2)
    counting.h.drain()

    assert len(again.delivered) == 24
    assert counting.parts == once


def test_a_crash_in_the_middle_of_a_window_counts_nothing_twice(counting: Counting):
    for _ in range(5):
        counting.put(*(counting.scan() for _ in range(4)))
        counting.h.advance("7s")
        counting.h.restart()
    counting.h.drain()

    assert sum(counting.parts.values()) == 20


def test_a_window_that_lambda_ends_early_has_one_part_more(counting: Counting, app: ModuleType):
    counting.put(counting.scan(), counting.scan(), counting.scan())
    counting.h.drain()
    [event, *_] = [i.event for i in counting.mapping.invocations if i.event["Records"]]
    before = counting.parts
    first = event["Records"][0]["kinesis"]["sequenceNumber"]

    def ends(flag: str, state: dict[str, Any]) -> None:
        call = {**event, "Records": [], "state": state, flag: True}
        with counting.h.guarded():
            app.handler(call, CONTEXT)

    ends("isWindowTerminatedEarly", {"first": first, "scans": {"hall-9": 7}})
    ends("isFinalInvokeForWindow", {"first": "another", "scans": {"hall-9": 2}})

    new = {part: scans for part, scans in counting.parts.items() if part not in before}
    assert sorted(new.values()) == [2, 7]


def test_the_state_of_thousands_of_zones_fits_into_lambdas_limit(
    load: Callable[[str, str], ModuleType],
):
    windows = load("badge_windows", "windows")
    scans = {f"{'z' * 58}{number:05d}": 10**6 for number in range(10_000)}
    state = windows.Tally(first="4" * 56, scans=scans).model_dump()
    assert len(json.dumps(state)) < 1_048_576
