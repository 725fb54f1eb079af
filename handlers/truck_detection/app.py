"""Finds sensors of trucks that deviate from what is usual for them.

Readings arrive on a Kinesis stream (`models.Reading`), the truck as their partition key. Tumbling
windows cut them; the state that Lambda keeps has the sums of one window, and the baselines that
they will be compared with. Those live in the table that BASELINES_TABLE_NAME names, and are read
when the first reading of a truck comes. A window's final call compares (`baseline.judge`), puts
deviations (`models.Deviation`) on the stream that DEVIATIONS_STREAM_NAME names, and writes the
baselines back.

WARM_UP_WINDOWS and READINGS_APART_SECONDS stand in for `baseline.WARM_UP` and `models.APART`, where
captured readings are sent once more, faster and at another time.

The event source mapping must set TumblingWindowInSeconds, and FunctionResponseTypes to
ReportBatchItemFailures. BisectBatchOnFunctionError, MaximumRetryAttempts and an on-failure
destination put a malformed reading aside.

What fails, and how it comes back:

- A malformed reading is a batch item failure. The state that goes back has the sums of what stands
  before the first of them: that is what Lambda counts as delivered, and the rest comes again.
- An error of DynamoDB or Kinesis is raised. In a call with readings no state goes back, and Lambda
  sends them again with the state before. In a final call Lambda sends the same state once more:
  deviations that went out already go out again under the same `anomaly_id`, and baselines that were
  written are not written twice, for a baseline takes only a window that is newer than its last.
- A final call that fails until Lambda gives up loses its window. That costs one comparison: neither
  does a baseline move, nor is an anomaly lost that lasts.
- A window that Lambda sends a second time, because it lost the answer or reads the stream again,
  changes nothing: a truck whose baselines know the window is passed over. For the same reason the
  second part of a window counts for nothing where a shard was split in its middle, or where Lambda
  ended it early, its state above 1 MB. A truck takes some 500 bytes of it.

Deviations go out before baselines are written. So a window that baselines know is one whose
deviations were published, at least once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from itertools import takewhile
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.typing import LambdaContext

import table
from baseline import WARM_UP, judge
from models import APART, Reading, ReadingRecord, Sums, Window, WindowCall, WindowState
from publishing import publish

logger = Logger(service="truck-detection")
processor = BatchProcessor(
    event_type=EventType.KinesisDataStreams,
    model=ReadingRecord,
    raise_on_entire_batch_failure=False,
)
dynamodb = boto3.client("dynamodb")
kinesis = boto3.client("kinesis")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Take a batch into its window, and end the window if Lambda says so."""
    call = WindowCall.model_validate(event)
    with processor(records=event["Records"], handler=reading_of):
        outcomes = processor.process()
    malformed = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(malformed, processor.exceptions, strict=True):
        logger.warning("Malformed reading", **failure, error=str(error))
    whole = takewhile(lambda outcome: outcome[0] == "success", outcomes)
    state = taken_in(call, [reading for _, reading, _ in whole])
    if call.is_final or call.is_early:
        conclude(call.window, state)
        state = WindowState()
    return {"state": state.json_value(), "batchItemFailures": malformed}


def reading_of(record: ReadingRecord) -> Reading:
    """What a record holds; the processor reports those that do not parse."""
    return record.kinesis.data


def taken_in(call: WindowCall, readings: Iterable[Reading]) -> WindowState:
    """The window's state with readings added, and with the baselines of trucks that are new."""
    apart = timedelta(seconds=float(os.environ.get("READINGS_APART_SECONDS", APART.seconds)))
    sums = dict(call.state.sums)
    for reading in readings:
        if not call.window.speaks_of(reading, apart):
            logger.info("Reading of another time", truck=reading.truck, at=reading.measured_at)
        else:
            sums[reading.truck] = sums.get(reading.truck, Sums()).plus(reading)
    new = sorted(sums.keys() - call.state.baselines.keys())
    read = table.read(dynamodb, os.environ["BASELINES_TABLE_NAME"], new)
    return WindowState(sums=sums, baselines=call.state.baselines | read)


def conclude(window: Window, state: WindowState) -> None:
    """Publish what deviates in a window that is over, then keep what it has taught."""
    warm_up = int(os.environ.get("WARM_UP_WINDOWS", WARM_UP))
    verdicts = {
        truck: verdict
        for truck, sums in state.sums.items()
        if (verdict := judge(window, truck, sums, state.baselines[truck], warm_up)) is not None
    }
    deviations = [each for verdict in verdicts.values() for each in verdict.deviations]
    publish(kinesis, os.environ["DEVIATIONS_STREAM_NAME"], deviations)
    baselines = {truck: verdict.baselines for truck, verdict in verdicts.items()}
    table.write(dynamodb, os.environ["BASELINES_TABLE_NAME"], baselines)
    logger.info(
        "Window over",
        start=window.start,
        trucks=len(verdicts),
        deviations=[each.anomaly_id for each in deviations],
    )
