"""ABC2Badge in a Harness, as `template.yaml` has it, and what its tests ask of it."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from esm import Harness
from esm.assembly import function_of, load_handler_of
from esm.destinations.memory import Queue
from esm.instants import iso_s, to_ms
from esm.invokers.inline import InlineInvoker

ROOT = Path(__file__).parent.parent.parent
EVENTS = ROOT / "events" / "abc2badge"
NOW = timedelta()
OF_THE_HARNESS = {"event_source_arn", "function_name"}

Scan = dict[str, str]


def scan_of(number: int, zone: str, scanned_at: datetime) -> Scan:
    """A scan as a reader sends it."""
    return {
        "scan_id": f"scan-{number}",
        "badge_id": f"badge-{number}",
        "zone": zone,
        "reader_id": f"{zone}-1",
        "scanned_at": scanned_at.isoformat(),
    }


class World:
    """The event: its readers, its warehouse, its security team."""

    def __init__(self, h: Harness, **parameters: str) -> None:
        self.h = h
        overrides = {"ConcentratedFrom": "10", "LogLevel": "ERROR", **parameters}
        self.app = h.template(ROOT / "template.yaml", overrides)
        template = self.app.template
        self.load = self.app["BadgeLoadScans"]
        self.windows = self.app["BadgeWindowsScans"]
        self.stream = h.streams[template.streams["BadgeScans"].name]
        self.warehouse = self.app.warehouses["BadgeWorkgroup"]
        self.security = self.app.topics["SecurityTopic"]
        self.failed = _queue(h, template.queues["FailedScans"].arn)
        self._bucket = template.buckets["BadgeObjects"].name
        self._counts = template.tables["ZoneCounts"].name
        self._reporter = template.functions["BadgeReport"]
        self._report: Callable[..., Any] | None = None
        self._scans = 0

    def scan(self, zone: str = "hall-1", late: timedelta = NOW, **more: str) -> Scan:
        """A badge at a reader, now or a while ago; each of another person unless told."""
        self._scans += 1
        return {**scan_of(self._scans, zone, self.h.now - late), **more}

    def put(self, *scans: Scan | bytes) -> None:
        """Put scans into the stream, each under its badge."""
        for scan in scans:
            key = scan["badge_id"] if isinstance(scan, dict) else "unreadable"
            self.stream.put(scan, key=key)

    def again(self, **changed: Any) -> None:
        """Deliver everything once more, by mappings that differ from the template's."""
        for name in ("BadgeLoad", "BadgeWindows"):
            function = self.app.template.functions[name]
            resource = self.app.template.mappings[f"{name}Scans"]
            given = {k: v for k, v in resource.properties.items() if k not in OF_THE_HARNESS}
            with self.h.guarded():
                handler = load_handler_of(function)
            self.h.map(
                self.stream,
                handler,
                name=f"{name}Again",
                function=replace(function_of(function), name=f"{name}Again"),
                **{**given, **changed},
            )

    @property
    def copies(self) -> list[str]:
        """The COPY statements that were sent, with those that failed."""
        parts = (part for statement in self.warehouse.statements for part in statement.parts)
        return [part.sql for part in parts if part.sql.startswith("COPY")]

    @property
    def totals(self) -> dict[str, int]:
        """Scans by zone, as an analyst asks the warehouse."""
        rows = self.warehouse.query("SELECT zone, COUNT(*) AS scans FROM badge_scans GROUP BY zone")
        return {row["zone"]: row["scans"] for row in rows}

    @property
    def objects(self) -> dict[str, list[dict[str, Any]]]:
        """The lines of each object by its key."""
        with self.h.guarded():
            s3 = boto3.client("s3")
            listed = s3.list_objects_v2(Bucket=self._bucket).get("Contents", [])
            bodies = {
                each["Key"]: s3.get_object(Bucket=self._bucket, Key=each["Key"])["Body"].read()
                for each in listed
            }
        return {
            key: [json.loads(line) for line in body.splitlines()] for key, body in bodies.items()
        }

    @property
    def parts(self) -> list[dict[str, Any]]:
        """What each shard has counted of each zone in each window."""
        with self.h.guarded():
            table = boto3.resource("dynamodb").Table(self._counts)
            items: list[dict[str, Any]] = table.scan()["Items"]
        return items

    @property
    def counted(self) -> dict[str, int]:
        """The parts added up."""
        sums: Counter[str] = Counter()
        for part in self.parts:
            sums[part["zone"]] += int(part["scans"])
        return dict(sums)

    def report(self) -> dict[str, dict[str, Any]]:
        """Let the schedule be due now; the zones that the function has found, by name."""
        function, now_ms = self._reporter, to_ms(self.h.now)
        with self.h.time, self.h.guarded():
            self._report = self._report or load_handler_of(function)
            invoker = InlineInvoker(self._report, function_of(function), function.arn, self.h.time)
            result = invoker.invoke({"time": iso_s(now_ms)}, "scheduled", now_ms)
        if result.error is not None:
            raise result.error
        zones: list[dict[str, Any]] = result.payload["zones"]
        return {zone.pop("zone"): zone for zone in zones}


def captured(name: str) -> Iterator[tuple[str, bytes]]:
    """Key and data of captured scans."""
    event = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    for record in event["Records"]:
        yield record["kinesis"]["partitionKey"], b64decode(record["kinesis"]["data"])


def _queue(h: Harness, arn: str) -> Queue:
    queue = h.destinations[arn]
    assert isinstance(queue, Queue)
    return queue
