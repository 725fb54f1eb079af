"""ABC4Logistics in a Harness: trucks that drive, and what becomes of their readings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from esm import Harness
from esm.isolation import load_function

ROOT = Path(__file__).parent.parent.parent
QUIET = {"LogLevel": "ERROR"}
USUAL = {"engine_celsius": 90.0, "container_celsius": -18.0, "speed_kmh": 70.0}


def reading(truck: str, measured_at: datetime, **values: Any) -> dict[str, Any]:
    return {
        "truck": truck,
        "measured_at": measured_at.astimezone(UTC).isoformat(),
        **USUAL,
        "position": {"latitude": 48.1, "longitude": 11.6},
        **values,
    }


class Fleet:
    """The application of the template, within a Harness that is entered."""

    def __init__(self, h: Harness, **parameters: str) -> None:
        self.h = h
        self.app = h.template(ROOT / "template.yaml", {**QUIET, **parameters})
        self.detection = self.app["TruckDetectionReadings"]
        self.alerts = self.app["TruckAlertsDeviations"]
        self.archive = self.app["TruckArchiveReadings"]
        self.readings = self.detection.source
        self.deviations = self.alerts.source
        self.driver = self.app.topics["DriverAlerts"]
        self.team = self.app.topics["FleetAlerts"]

    def know(self, *trucks: str) -> None:
        """Trucks whose sensors have been watched for a while."""
        number = {"windows": {"N": "100"}, "variance": {"N": "0.01"}}
        sensors = {
            kind: {"M": {**number, "mean": {"N": str(USUAL[name])}}}
            for kind, name in (
                ("engine", "engine_celsius"),
                ("container", "container_celsius"),
                ("speed", "speed_kmh"),
            )
        }
        for truck in trucks:
            item = {
                "truck": {"S": truck},
                "window_start": {"S": "2025-12-31T20:00:00Z"},
                "sensors": {"M": sensors},
            }
            boto3.client("dynamodb").put_item(TableName=self._table, Item=item)

    def send(self, truck: str, **values: Any) -> None:
        """A reading of now."""
        self.readings.put(reading(truck, self.h.now, **values), key=truck)

    def begin_again(self) -> None:
        """Lose all checkpoints: every stream is read from its start once more."""
        self.h.checkpoints._saved.clear()
        self.h.restart()

    def call_again(self, name: str, event: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
        """A function of the template gets an event of before."""
        function = self.app.template.functions[name]
        assert function.code_uri is not None
        assert function.handler is not None
        for variable, value in function.environment.items():
            patch.setenv(variable, value)
        handler = load_function(Path(function.code_uri), function.handler, function.environment)
        context = SimpleNamespace(
            function_name=function.function_name,
            memory_limit_in_mb=function.memory_mb,
            invoked_function_arn=f"arn:aws:lambda:us-east-1:123456789012:function:{name}",
            aws_request_id="0d4a2f52-6a3c-4f1c-9a55-2d2f1b0c7e11",
        )
        handler(event, context)

    @property
    def anomalies(self) -> list[str]:
        """The ids of which the fleet team was told, in order."""
        return [notification.json["anomaly_id"] for notification in self.team.published]

    @property
    def baselines(self) -> dict[str, Any]:
        """The items of the table, by truck."""
        items = boto3.client("dynamodb").scan(TableName=self._table)["Items"]
        return {item["truck"]["S"]: item for item in items}

    @property
    def objects(self) -> dict[str, list[dict[str, Any]]]:
        """What the archive has: the lines of each object by its key."""
        s3, bucket = boto3.client("s3"), self.app.template.buckets["TruckArchiveBucket"].name
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="readings/").get("Contents", [])
        return {
            each["Key"]: [
                json.loads(line)
                for line in s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].iter_lines()
            ]
            for each in listed
        }

    @property
    def _table(self) -> str:
        return self.app.template.tables["TruckBaselines"].name
