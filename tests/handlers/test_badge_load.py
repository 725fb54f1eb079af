"""A batch of badge scans becomes an object, the same whenever it comes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

EVENTS = Path(__file__).parent.parent.parent / "events" / "abc2badge"
CONTEXT = SimpleNamespace(
    function_name="BadgeLoad",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:BadgeLoad",
    aws_request_id="0d4a2f52-6a3c-4f1c-9a55-2d2f1b0c7e11",
)
SCAN = {
    "scan_id": "scan-1",
    "badge_id": "badge-77",
    "zone": "hall-1",
    "reader_id": "hall-1-2",
    "scanned_at": "2026-03-02T10:15:02.250+01:00",
}


@pytest.fixture(scope="module")
def app(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("badge_load", "app")


@pytest.fixture
def stored(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The batches that were to be stored, each as its records."""
    batches: list[Any] = []
    monkeypatch.setattr(app, "store", batches.append)
    return batches


@pytest.fixture
def log(app: ModuleType) -> Iterator[StringIO]:
    lambda_output = app.logger.registered_handler.setStream(StringIO())
    level = app.logger.log_level
    app.logger.setLevel("INFO")  # loggers are the process's: another test may have silenced it
    yield app.logger.registered_handler.stream
    app.logger.setLevel(level)
    app.logger.registered_handler.setStream(lambda_output)


def event_of(*payloads: object) -> dict[str, Any]:
    """An event with sequence numbers "1", "2", ...; bytes stay, the rest becomes JSON."""
    event = json.loads((EVENTS / "batch.json").read_text(encoding="utf-8"))
    envelope = event["Records"][0]
    event["Records"] = [
        {
            **envelope,
            "eventID": f"shardId-000000000001:{number}",
            "kinesis": {
                **envelope["kinesis"],
                "sequenceNumber": str(number),
                "data": base64.b64encode(
                    payload if isinstance(payload, bytes) else json.dumps(payload).encode()
                ).decode(),
            },
        }
        for number, payload in enumerate(payloads, 1)
    ]
    return event


def failures(app: ModuleType, event: dict[str, Any]) -> list[str]:
    response = app.handler(event, CONTEXT)
    assert response.keys() == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def object_of(app: ModuleType, stored: list[Any], *payloads: object) -> Any:
    assert failures(app, event_of(*payloads)) == []
    return app.object_of(stored.pop())


def test_a_line_has_its_zone_and_hour_and_times_in_utc(app: ModuleType, stored: list[Any]):
    [line] = object_of(app, stored, SCAN).body.splitlines()
    assert json.loads(line) == {
        "zone": "hall-1",
        "hour": "2026-03-02T09:00:00Z",
        "scan_id": "scan-1",
        "badge_id": "badge-77",
        "reader_id": "hall-1-2",
        "scanned_at": "2026-03-02T09:15:02.250000Z",
    }


def test_lines_stand_by_zone_and_hour(app: ModuleType, stored: list[Any]):
    places = [("keynote", "10"), ("hall-1", "11"), ("keynote", "09"), ("hall-1", "10")]
    scans = [
        {**SCAN, "scan_id": f"{n}", "zone": zone, "scanned_at": f"2026-03-02T{hour}:30:00Z"}
        for n, (zone, hour) in enumerate(places)
    ]
    lines = map(json.loads, object_of(app, stored, *scans).body.splitlines())
    assert [(line["zone"], line["hour"][11:13]) for line in lines] == sorted(places)


def test_a_scan_that_its_reader_sent_twice_is_one_line(app: ModuleType, stored: list[Any]):
    event = json.loads((EVENTS / "batch.json").read_text(encoding="utf-8"))
    assert failures(app, event) == []
    [records] = stored
    assert len(records) == 13
    assert len(app.object_of(records).body.splitlines()) == 12


def test_an_object_is_named_after_hour_shard_and_sequence_numbers(
    app: ModuleType, stored: list[Any]
):
    made = object_of(app, stored, SCAN, {**SCAN, "scan_id": "scan-2"})
    assert made.key == "scans/hour=2026-03-02T09/shardId-000000000001-1-2.jsonl"


def test_the_same_batch_gives_the_same_object(app: ModuleType, stored: list[Any]):
    event = json.loads((EVENTS / "batch.json").read_text(encoding="utf-8"))
    assert failures(app, event) == failures(app, event) == []
    first, second = map(app.object_of, stored)
    assert first == second


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"scan_id": "s', id="truncated"),
        pytest.param(b"\xff\xfe\x00", id="not UTF-8"),
        pytest.param([], id="not an object"),
        pytest.param({}, id="nothing in it"),
        pytest.param({**SCAN, "scan_id": ""}, id="no id"),
        pytest.param({**SCAN, "badge_id": "b" * 65}, id="a badge longer than its column"),
        pytest.param({**SCAN, "badge_id": "é" * 33}, id="a badge with more bytes than its column"),
        pytest.param({**SCAN, "scan_id": "\0"}, id="an id that COPY refuses"),
        pytest.param({**SCAN, "zone": "Hall 1"}, id="no name of a zone"),
        pytest.param({**SCAN, "zone": "hall-1\n"}, id="a line break in the zone"),
        pytest.param({**SCAN, "zone": "h" * 64}, id="a zone longer than its column"),
        pytest.param({**SCAN, "scanned_at": "2026-03-02T09:15:02"}, id="no time zone"),
        pytest.param({**SCAN, "scanned_at": "0001-01-01T00:00:00+14:00"}, id="before any date"),
        pytest.param({**SCAN, "scanned_at": "9999-12-31T23:59:59-14:00"}, id="after any date"),
    ],
)
def test_a_malformed_scan_is_reported_and_what_stands_behind_it_waits(
    app: ModuleType, stored: list[Any], payload: object
):
    assert failures(app, event_of(SCAN, payload, SCAN)) == ["2"]
    assert [[r.kinesis.sequenceNumber for r in records] for records in stored] == [["1"]]


def test_a_batch_of_nothing_but_malformed_scans_is_reported_and_stores_nothing(
    app: ModuleType, stored: list[Any]
):
    assert failures(app, event_of(b"", {})) == ["1", "2"]
    assert failures(app, event_of()) == []
    assert stored == []


def test_whose_badge_it_was_stays_out_of_the_log(app: ModuleType, stored: list[Any], log: StringIO):
    assert failures(app, event_of({**SCAN, "scanned_at": "yesterday"})) == ["1"]
    assert stored == []
    text = log.getvalue()
    assert "kinesis.data.scanned_at" in text
    assert "badge-77" not in text
    assert "yesterday" not in text


def test_functions_that_share_a_module_have_the_same_one():
    """Lambda packs each folder by itself."""
    handlers = EVENTS.parent.parent / "handlers"
    for name, other in (("models.py", "badge_windows"), ("statements.py", "badge_report")):
        shared = (handlers / "badge_load" / name).read_text(encoding="utf-8")
        assert shared == (handlers / other / name).read_text(encoding="utf-8")
