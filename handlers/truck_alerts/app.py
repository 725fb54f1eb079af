"""Tells the driver and the fleet team of an anomaly, each of them once.

Deviations arrive on a Kinesis stream (`models.Deviation`). Each becomes two messages, on the SNS
topics that DRIVER_TOPIC_ARN and FLEET_TOPIC_ARN name; their attributes `truck` and `kind` are there
for the filter policies of subscriptions.

A deviation may come more than once: `truck_detection` sends it again when its call is retried, and
Lambda when it lost an answer of ours. So each message is noted, under the anomaly and its audience,
in the table that IDEMPOTENCY_TABLE_NAME names, and what is noted is not sent again. Anomaly and
audience, and not the anomaly alone: when one topic refuses, only its message is sent again.

The event source mapping must set FunctionResponseTypes to ReportBatchItemFailures, with
BisectBatchOnFunctionError, MaximumRetryAttempts and an on-failure destination.

What fails, and how it comes back:

- A deviation that is malformed, or that a topic or the table refuses, is a batch item failure.
  Lambda brings back everything from the first of these; those behind it are not held up by it,
  they are sent now and found in the table then.
- A call that ends in the middle of a message, by a timeout, leaves a note that it is in progress.
  Until the function's timeout is over nobody sends it again: the deviation is reported as failed,
  and retries have to last longer than the timeout.
- A message is sent twice where SNS took it and its answer was lost. Nothing can tell the two apart.
"""

from __future__ import annotations

import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from models import Audience, DeviationRecord, Notice
from notices import notices

REMEMBERED_S = 7 * 24 * 3600  # as long as a deviation can lie in a stream

logger = Logger(service="truck-alerts")
processor = BatchProcessor(
    event_type=EventType.KinesisDataStreams,
    model=DeviationRecord,
    raise_on_entire_batch_failure=False,
)
sns = boto3.client("sns")
sent = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE_NAME"])
once = IdempotencyConfig(
    event_key_jmespath="[anomaly_id, audience]",
    raise_on_no_idempotency_key=True,
    expires_after_seconds=REMEMBERED_S,
)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Send what has to be sent for a batch; answers with what Lambda has to bring back."""
    once.register_lambda_context(context)
    with processor(records=event["Records"], handler=alert):
        processor.process()
    failures = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(failures, processor.exceptions, strict=True):
        logger.warning("Deviation not told", **failure, error=str(error))
    return {"batchItemFailures": failures}


def alert(record: DeviationRecord) -> None:
    """Tell everybody of one deviation; the first topic that refuses ends it."""
    for notice in notices(record.kinesis.data):
        tell(notice=notice)


@idempotent_function(  # type: ignore[untyped-decorator]  # Powertools says Any
    data_keyword_argument="notice", persistence_store=sent, config=once
)
def tell(notice: Notice) -> str:
    """Publish a message unless it is noted that it was; gives the message's id."""
    answer = sns.publish(
        TopicArn=topic_of(notice.audience),
        Subject=notice.subject,
        Message=notice.text,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": value}
            for name, value in (("truck", notice.truck), ("kind", notice.kind.value))
        },
    )
    logger.info("Told", anomaly_id=notice.anomaly_id, audience=notice.audience)
    return str(answer["MessageId"])


def topic_of(audience: Audience) -> str:
    """The ARN of an audience's topic."""
    match audience:
        case Audience.DRIVER:
            return os.environ["DRIVER_TOPIC_ARN"]
        case Audience.FLEET:
            return os.environ["FLEET_TOPIC_ARN"]
