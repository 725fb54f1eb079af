"""Keeps the readings of trucks in S3, for later analysis.

Readings arrive on a Kinesis stream (`models.Reading`). Each batch becomes one object of
newline-delimited JSON (`models.Line`) in the bucket that ARCHIVE_BUCKET_NAME names:

    readings/date=2026-03-02/hour=09/shardId-000000000001-4966...jsonl

The key is made of the first reading's arrival, its shard and its sequence number, so a batch that
comes again replaces its object. Batches can be cut in another way when they come again, after a
crash or a partial failure, and then a reading may be in two objects: whoever counts, counts
distinct `event_id`s.

The event source mapping must set FunctionResponseTypes to ReportBatchItemFailures, with
BisectBatchOnFunctionError, MaximumRetryAttempts and an on-failure destination.

What fails, and how it comes back:

- A malformed reading is a batch item failure. The object has what stands before the first of them;
  what stands behind comes again and makes an object of its own.
- An error of S3 is raised, and Lambda retries the batch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from models import Line, ReadingRecord

logger = Logger(service="truck-archive")
processor = BatchProcessor(
    event_type=EventType.KinesisDataStreams,
    model=ReadingRecord,
    raise_on_entire_batch_failure=False,
)
s3 = boto3.client("s3")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Write a batch as one object; answers with what Lambda has to bring back."""
    with processor(records=event["Records"], handler=line_of):
        outcomes = processor.process()
    malformed = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(malformed, processor.exceptions, strict=True):
        logger.warning("Malformed reading", **failure, error=str(error))
    lines = [line for _, line, _ in takewhile(lambda outcome: outcome[0] == "success", outcomes)]
    if lines:
        s3.put_object(
            Bucket=os.environ["ARCHIVE_BUCKET_NAME"],
            Key=key_of(lines[0]),
            Body=body_of(lines),
            ContentType="application/x-ndjson",
        )
    logger.info("Batch archived", readings=len(lines), malformed=len(malformed))
    return {"batchItemFailures": malformed}


def line_of(record: ReadingRecord) -> Line:
    """The line that a record becomes."""
    return Line(
        event_id=record.eventID,
        arrived_at=datetime.fromtimestamp(record.kinesis.approximateArrivalTimestamp, UTC),
        reading=record.kinesis.data,
    )


def key_of(first: Line) -> str:
    """The key of the object that begins with this line."""
    name = first.event_id.replace(":", "-")
    return f"readings/date={first.arrived_at:%Y-%m-%d}/hour={first.arrived_at:%H}/{name}.jsonl"


def body_of(lines: Sequence[Line]) -> bytes:
    """A line of JSON for each."""
    return "".join(f"{line.model_dump_json()}\n" for line in lines).encode()
