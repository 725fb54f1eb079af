"""Counts badge scans by zone in tumbling windows, each shard for itself.

The same stream as `badge_load`, and the quicker half of the report: a window of a minute is counted
a minute later, when the warehouse may still wait for a batch to fill. Lambda keeps a window's state
by shard, so a zone whose scans are spread over three shards has three counts: each goes as an item
into the table that COUNTS_TABLE_NAME names, and the report adds them up.

The mapping must set TumblingWindowInSeconds and FunctionResponseTypes, ReportBatchItemFailures.

What fails, and how it comes back:

- A malformed scan is a batch item failure. The state has what stands before it; Lambda brings back
  the rest with that state, and puts the malformed one aside.
- A table that does not take the counts is an error of the function, and Lambda calls again with the
  state as it was. Counts that the table has got already are written once more, and are the same.

Redelivered records are counted into the state that Lambda kept before them, so they make the same
items. What a reader sent twice is counted twice here, in contrast to the warehouse: a state that
knew each scan would soon be too large.
"""

from __future__ import annotations

import os
from itertools import takewhile
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.typing import LambdaContext

from counts import items
from models import ScanRecord
from windows import Tally, WindowEvent

logger = Logger(service="badge-windows")
processor = BatchProcessor(
    event_type=EventType.KinesisDataStreams,
    model=ScanRecord,
    raise_on_entire_batch_failure=False,
)
dynamodb = boto3.resource("dynamodb")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Count a batch into its window's state; the last call of a state leaves it in the table."""
    about = WindowEvent.model_validate(event)
    with processor(records=event["Records"], handler=lambda record: record):
        outcomes = processor.process()
    malformed = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(malformed, processor.exceptions, strict=True):
        logger.warning("Malformed scan", **failure, error=str(error))
    sound = takewhile(lambda outcome: outcome[0] == "success", outcomes)
    tally = about.state.with_scans([record for _, record, _ in sound])
    if about.is_last_of_state:
        keep(about, tally)
    return {"state": tally.model_dump(), "batchItemFailures": malformed}


def keep(about: WindowEvent, tally: Tally) -> None:
    """Write the counts of a window; those of the same window again take their place."""
    table = dynamodb.Table(os.environ["COUNTS_TABLE_NAME"])
    with table.batch_writer() as batch:
        for item in items(about, tally):
            batch.put_item(Item=item)
    logger.info("Window counted", start=about.window.start, zones=len(tally.scans))
