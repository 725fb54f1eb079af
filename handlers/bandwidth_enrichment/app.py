"""Adds the bandwidth options of their location to sign-ups.

Sign-ups arrive on a Kinesis stream, JSON with user and location (`models.SignUp`). Each is
published as `models.EnrichedSignUp` on the stream that ENRICHED_STREAM_NAME names.

The event source mapping must set FunctionResponseTypes to ReportBatchItemFailures. With
BisectBatchOnFunctionError, MaximumRetryAttempts and an on-failure destination a malformed sign-up
is cut out of its batch and put aside; without bisect the rest of the batch goes there with it.

What fails, and how it comes back:

- A sign-up that is malformed, or that the second stream refuses, is a batch item failure. Lambda
  brings back everything from the lowest of the reported sequence numbers, so nothing behind the
  first malformed sign-up is published now. A sign-up is published when Lambda counts it as
  delivered, and one that ends at the on-failure destination is not (but see below).
- A batch of which nothing succeeds is answered in the same way instead of raising: to Lambda both
  mean the whole batch again, halved when bisect is on, and bad data does not count as an error of
  this function in its metrics and alarms.
- An error of the whole PutRecords call (no such stream, no permission, AWS out of reach) is
  raised: that is a fault of the function, and Lambda retries the batch.

What a consumer of the second stream sees: every enriched sign-up at least once. Duplicates come
from PutRecords that took only part of a call, from errors and timeouts after a call went through,
and from Lambda's own redeliveries. They are equal byte for byte and carry the same `event_id`: keep
the ids that were seen, or write under the id. The user id is the partition key, so a user stays on
one shard, but PutRecords keeps no order within a call: of two sign-ups of one user the later is
the one with the greater sequence number in `event_id`.
"""

from __future__ import annotations

import os
from itertools import takewhile
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import (
    PartialItemFailureResponse,
    PartialItemFailures,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from bandwidth import bandwidth_at
from models import EnrichedSignUp, SignUpRecord
from publishing import Message, publish

logger = Logger(service="bandwidth-enrichment")
processor = BatchProcessor(
    event_type=EventType.KinesisDataStreams,
    model=SignUpRecord,
    raise_on_entire_batch_failure=False,
)
kinesis = boto3.client("kinesis")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Enrich and publish a batch of sign-ups; answers with those that Lambda has to bring back."""
    with processor(records=event["Records"], handler=enrich):
        outcomes = processor.process()
    malformed = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(malformed, processor.exceptions, strict=True):
        logger.warning("Malformed sign-up", **failure, error=str(error))
    enriched = takewhile(lambda outcome: outcome[0] == "success", outcomes)
    messages = [message for _, message, _ in enriched]
    numbers = publish(kinesis, os.environ["ENRICHED_STREAM_NAME"], messages)
    refused = [PartialItemFailures(itemIdentifier=number) for number in numbers]
    logger.info(
        "Batch processed",
        records=len(outcomes),
        malformed=len(malformed),
        enriched=len(messages),
        refused=len(refused),
    )
    return {"batchItemFailures": refused + malformed}


def enrich(record: SignUpRecord) -> Message:
    """The message that goes out for one sign-up."""
    sign_up = record.kinesis.data
    enriched = EnrichedSignUp(
        event_id=record.eventID, sign_up=sign_up, bandwidth=bandwidth_at(sign_up.location)
    )
    return Message(
        sequence_number=record.kinesis.sequenceNumber,
        partition_key=sign_up.user.id,
        data=enriched.model_dump_json().encode(),
    )
