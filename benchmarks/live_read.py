"""What a record costs from the body of a GetRecords to our record, without a network in between.

`python -m benchmarks.live_read`: CPU µs per record, median of `ROUNDS` interleaved runs, 1,000
records of 200 B a read.
"""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from benchmarks.limit import limit
from esm.core.messages import RecordsArrived
from esm.core.model import TrimHorizon
from esm.sources.kinesis import KinesisSource
from esm.sources.kinesis_wire import records_of, wire_answer

ROUNDS = 7
READS = 20
RECORDS = 1_000
ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/s"


def body() -> bytes:
    data = base64.b64encode(b"x" * 200).decode()
    records = [
        {
            "SequenceNumber": str(10**55 + number),
            "ApproximateArrivalTimestamp": 1.7e9 + number / 1000,
            "Data": data,
            "PartitionKey": f"key-{number % 50}",
        }
        for number in range(RECORDS)
    ]
    answer = {"Records": records, "NextShardIterator": "i" * 220, "MillisBehindLatest": 5}
    return json.dumps(answer, separators=(",", ":")).encode()


BODY = body()


class Raw:
    """The part of urllib3's answer that botocore reads."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self) -> Any:
        yield self.content


def client() -> Any:
    """A client whose every call is answered here."""
    it = boto3.client("kinesis", region_name="us-east-1", endpoint_url="http://127.0.0.1:9",
                      aws_access_key_id="a", aws_secret_access_key="b")  # fmt: skip
    it.meta.events.register("before-send.kinesis.GetRecords", lambda **_: answer(BODY))
    it.meta.events.register(
        "before-send.kinesis.GetShardIterator", lambda **_: answer(b'{"ShardIterator": "i"}')
    )
    return it


def answer(content: bytes) -> AWSResponse:
    return AWSResponse("http://127.0.0.1:9", 200, {}, Raw(content))


def decoding() -> Callable[[], object]:
    return lambda: records_of(wire_answer(BODY), "shardId-000000000000")


def reading() -> Callable[[], object]:
    reader = KinesisSource(ARN, client()).open("shardId-000000000000", lambda: None)

    def read() -> None:
        arrived = reader.read(TrimHorizon(), 10_000, 0)
        assert isinstance(arrived, RecordsArrived)
        assert len(arrived.records) == RECORDS

    return read


def plain() -> Callable[[], object]:
    """boto3's get_records, and the events made of it: what everybody writes."""
    kinesis = client()

    def read() -> list[dict[str, Any]]:
        return [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": record["PartitionKey"],
                    "sequenceNumber": record["SequenceNumber"],
                    "data": base64.b64encode(record["Data"]).decode(),
                    "approximateArrivalTimestamp": record[
                        "ApproximateArrivalTimestamp"
                    ].timestamp(),
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": "shardId-000000000000:" + record["SequenceNumber"],
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": ARN,
                "awsRegion": "us-east-1",
                "eventSourceARN": ARN,
            }
            for record in kinesis.get_records(ShardIterator="i")["Records"]
        ]

    return read


def per_record_us(read: Callable[[], object]) -> float:
    before = time.process_time()
    for _ in range(READS):
        read()
    return (time.process_time() - before) / READS / RECORDS * 1e6


def main() -> None:
    ways = {"decode and record": decoding(), "KinesisReader.read": reading(),
            "boto3 and rebuild": plain()}  # fmt: skip
    taken: dict[str, list[float]] = {name: [] for name in (*ways, "limit C")}
    for _ in range(ROUNDS):
        for name, read in ways.items():
            taken[name].append(per_record_us(read))
        taken["limit C"].append(limit())
    for name, figures in taken.items():
        print(f"{name:20} {statistics.median(figures):6.2f} µs per record")


if __name__ == "__main__":
    main()
