"""A folder with captures and handlers in it, and `esm replay` run there."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from esm.cli.main import main

STREAM = "arn:aws:kinesis:eu-central-1:123456789012:stream/orders"
START = 1_772_444_400
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:failures"


def record(number: int, data: object = None, shard: int = 0) -> dict[str, Any]:
    """A record as Lambda shows it; number n arrives n seconds after the first."""
    shard_id, sequence_number = f"shardId-{shard:012d}", str(49_600_000 + number)
    payload = json.dumps({"id": number} if data is None else data).encode()
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": f"key-{number}",
            "sequenceNumber": sequence_number,
            "data": base64.b64encode(payload).decode(),
            "approximateArrivalTimestamp": START + number,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/orders",
        "awsRegion": "eu-central-1",
        "eventSourceARN": STREAM,
    }


def event(*numbers: int, shard: int = 0) -> dict[str, Any]:
    """A Lambda event with records of these numbers."""
    return {"Records": [record(number, shard=shard) for number in numbers]}


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """A folder with files, and `esm replay` in it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, name: str, content: object) -> str:
        """Text as it is, anything else as JSON."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def replay(self, *arguments: str) -> Ended:
        code = main(["replay", *arguments])
        out, err = self.capsys.readouterr()
        return Ended(code, out, err)


def all_at_once(handler: str, *more: str) -> list[str]:
    """Arguments that send orders.json to a handler of orders_app, all records at the start."""
    return ["orders.json", "--handler", f"orders_app:{handler}", "--at-once", *more]
