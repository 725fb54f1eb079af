"""The filter step alone: three fields of 200-byte JSON in base64, half of the records pass."""

from __future__ import annotations

import base64
import json
import time

from esm.core.filtering import compile_pattern
from esm.payloads.kinesis import KinesisEvents, KinesisRecord, make_record
from esm.payloads.kinesis_filter import KinesisFilter

RECORDS, READ = 20_000, 1_000
SHARD = "shardId-000000000000"
PATTERN = {
    "data": {
        "region": [{"prefix": "eu-"}],
        "total": [{"numeric": [">", 0, "<=", 1_000]}],
        "type": ["buy", "sell"],
    }
}


def payload(number: int) -> bytes:
    order: dict[str, object] = {
        "order_id": f"{number:010d}",
        "region": "eu-west-1",
        "total": number % 200 + 0.5,
        "type": "buy" if number % 2 else "hold",
        "customer": {"id": number % 97, "name": "Ada"},
        "note": "",
    }
    order["note"] = "x" * (200 - len(_json(order)))
    assert len(_json(order)) == 200
    return _json(order)


def records() -> list[KinesisRecord]:
    return [
        make_record(
            position=10**55 + number,
            key=f"key-{number % 50}",
            arrived_ms=1_700_000_000_000 + number,
            base64=base64.b64encode(payload(number)).decode(),
            shard_id=SHARD,
            ordinal=number + 1,
        )
        for number in range(RECORDS)
    ]


def filter_us(given: list[KinesisRecord]) -> float:
    """CPU µs per record, in reads of 1,000."""
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
    criteria = KinesisFilter([compile_pattern(PATTERN)], KinesisEvents(arn, "us-east-1", "role"))
    reads = [given[start : start + READ] for start in range(0, len(given), READ)]
    begin = time.process_time()
    matching = sum(len(criteria.split(SHARD, read)[0]) for read in reads)
    used = time.process_time() - begin
    assert matching == len(given) // 2
    return used / len(given) * 1e6


def _json(order: dict[str, object]) -> bytes:
    return json.dumps(order, separators=(",", ":")).encode()
