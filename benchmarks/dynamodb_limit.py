"""The DynamoDB limit: decode the body of a read, add eventSourceARN, call a no-op.

The wire's record is Lambda's record but for the ARN, so that no engine that gives handlers fresh
events from a stream can be faster.
"""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec

from benchmarks.limit import BATCH, N, noop

READ = 1_000
TEXT = "x" * 200


def item(number: int) -> dict[str, Any]:
    return {"pk": f"item-{number % 50}", "number": number, "text": TEXT}


def body() -> bytes:
    """What GetRecords answers for a read of changed items."""
    from esm.payloads.dynamodb import DynamoDbEvents
    from esm.sources.dynamodb_table import DynamoDbTable

    table = DynamoDbTable(view="NEW_IMAGE", now=lambda: 1_767_225_600_000)
    for number in range(READ):
        table.put_item(item(number))
    records = DynamoDbEvents(table.arn, "us-east-1").build("", table.records)["Records"]
    for record in records:
        del record["eventSourceARN"]
    return json.dumps({"Records": records}, separators=(",", ":")).encode()


def dynamodb_limit(wire: bytes) -> float:
    """CPU µs per record."""
    decode, arn = msgspec.json.Decoder().decode, "arn:aws:dynamodb:us-east-1:123456789012:table/t"
    start = time.process_time()
    for _ in range(N // READ):
        records = decode(wire)["Records"]
        for i in range(0, READ, BATCH):
            batch = records[i : i + BATCH]
            for record in batch:
                record["eventSourceARN"] = arn
            noop({"Records": batch}, None)
    return (time.process_time() - start) / N * 1e6
