"""What a change of an item costs from the body of a GetRecords to the event of a function.

`python -m benchmarks.live_changes`: CPU µs per record, median of `ROUNDS` interleaved runs, without
a network in between.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from typing import Any

import boto3

from benchmarks.dynamodb_limit import body, dynamodb_limit
from benchmarks.limit import BATCH, noop
from benchmarks.live_read import ROUNDS, answer, per_record_us
from esm.core.messages import RecordsArrived
from esm.core.model import TrimHorizon
from esm.payloads.attribute_values import checked
from esm.payloads.dynamodb import DynamoDbEvents
from esm.sources.dynamodb import DynamoDbStreamSource

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
SHARD_ID = "shardId-00000000000000000000-00000000"
BODY = json.dumps(
    json.loads(body()) | {"NextShardIterator": "i" * 220}, separators=(",", ":")
).encode()


def client() -> Any:
    """A client whose every call is answered here."""
    it = boto3.client("dynamodbstreams", region_name="us-east-1", aws_access_key_id="a",
                      endpoint_url="http://127.0.0.1:9", aws_secret_access_key="b")  # fmt: skip
    events = it.meta.events
    events.register("before-send.dynamodb-streams.GetRecords", lambda **_: answer(BODY))
    events.register(
        "before-send.dynamodb-streams.GetShardIterator",
        lambda **_: answer(b'{"ShardIterator":"i"}'),
    )
    return it


def reading(*, events: bool) -> Callable[[], object]:
    """A read, and what the function is called with."""
    reader = DynamoDbStreamSource(ARN, client()).open(SHARD_ID, lambda: None)
    build = DynamoDbEvents(ARN, "us-east-1").build

    def read() -> None:
        arrived = reader.read(TrimHorizon(), 1_000, 0)
        assert isinstance(arrived, RecordsArrived), arrived
        for at in range(0, len(arrived.records) if events else 0, BATCH):
            noop(build(SHARD_ID, arrived.records[at : at + BATCH]), None)

    return read


def plain() -> Callable[[], object]:
    """boto3's get_records, and the events made of it: what everybody writes."""
    streams = client()

    def read() -> None:
        records = streams.get_records(ShardIterator="i")["Records"]
        for at in range(0, len(records), BATCH):
            noop({"Records": [rebuilt(record) for record in records[at : at + BATCH]]}, None)

    return read


def rebuilt(record: dict[str, Any]) -> dict[str, Any]:
    part = record["dynamodb"]
    part["ApproximateCreationDateTime"] = part["ApproximateCreationDateTime"].timestamp()
    for name in part.keys() & {"Keys", "NewImage", "OldImage"}:
        part[name] = checked(part[name], name)  # bytes become base64 again
    return {**record, "eventSourceARN": ARN}


def main() -> None:
    ways = {"read": reading(events=False), "read and events": reading(events=True),
            "boto3 and rebuild": plain()}  # fmt: skip
    taken: dict[str, list[float]] = {name: [] for name in (*ways, "limit")}
    for _ in range(ROUNDS):
        for name, read in ways.items():
            taken[name].append(per_record_us(read))
        taken["limit"].append(dynamodb_limit(BODY))
    for name, figures in taken.items():
        print(f"{name:20} {statistics.median(figures):6.2f} µs per record")


if __name__ == "__main__":
    main()
