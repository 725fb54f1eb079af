"""Brings badge scans into the warehouse, a batch at a time.

Scans arrive on a Kinesis stream, JSON as in `models.Scan`. A batch becomes one object of newline
JSON in the bucket that OBJECTS_BUCKET_NAME names, and one COPY in DATABASE_NAME of the Redshift
Serverless workgroup WORKGROUP_NAME. The mapping waits up to five minutes for a batch
(MaximumBatchingWindowInSeconds 300): a warehouse likes few large loads.

The event source mapping must set FunctionResponseTypes to ReportBatchItemFailures. With
BisectBatchOnFunctionError, MaximumRetryAttempts and an on-failure destination a malformed scan is
cut out of its batch and put aside.

What fails, and how it comes back:

- A malformed scan is a batch item failure. What stands before it is loaded; Lambda brings back
  everything from there on, halves it until the malformed one is alone, and loads the rest.
- An object that S3 does not take, or a load that the warehouse refuses or aborts, is an error of
  the function: nothing of the batch is in the warehouse, and Lambda brings it back, in halves. Its
  object may be there already, and stays: half of it is loaded from an object of its own.
- A load that outlasts the function's timeout may still succeed. The batch comes back all the same,
  waits for the table, and finds its scans there.

Whatever is delivered again changes nothing. The same records make the same object under the same
key; a scan whose id is in the warehouse is not inserted once more, in whatever batch it comes. So
totals of `badge_scans` are right at any time. Who reads the objects themselves counts `scan_id`,
each once: after a crash records may come back in batches that are cut elsewhere, and then they are
in two objects.
"""

from __future__ import annotations

import os
from itertools import takewhile
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from loading import load
from models import ScanRecord
from objects import object_of
from statements import Warehouse

logger = Logger(service="badge-load")
processor = BatchProcessor(
    event_type=EventType.KinesisDataStreams,
    model=ScanRecord,
    raise_on_entire_batch_failure=False,
)
s3 = boto3.client("s3")
redshift = boto3.client("redshift-data")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Load a batch of scans; answers with those that Lambda has to bring back."""
    with processor(records=event["Records"], handler=lambda record: record):
        outcomes = processor.process()
    malformed = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(malformed, processor.exceptions, strict=True):
        logger.warning("Malformed scan", **failure, error=str(error))
    sound = takewhile(lambda outcome: outcome[0] == "success", outcomes)
    records = [record for _, record, _ in sound]
    if records:
        store(records)
    logger.info(
        "Batch processed", records=len(outcomes), malformed=len(malformed), loaded=len(records)
    )
    return {"batchItemFailures": malformed}


def store(records: list[ScanRecord]) -> None:
    """Leave the object of a batch in the bucket, and its scans in the warehouse."""
    bucket, made = os.environ["OBJECTS_BUCKET_NAME"], object_of(records)
    warehouse = Warehouse(redshift, os.environ["WORKGROUP_NAME"], os.environ["DATABASE_NAME"])
    s3.put_object(Bucket=bucket, Key=made.key, Body=made.body, ContentType="application/x-ndjson")
    load(warehouse, bucket, made.key)
