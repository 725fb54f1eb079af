"""Asks the price model about sneakers whose inputs changed, and sets their prices.

The inputs come from the stream of the table of inference inputs (`models.InferenceInput`), new
images included. The newest input of each sneaker in a batch goes to the SageMaker endpoint that
ENDPOINT_NAME names, all of them in one call, and the prices to the table PRODUCTS_TABLE.

The event source mapping must set FunctionResponseTypes to ReportBatchItemFailures, and filter for
the event names INSERT and MODIFY: an input that was deleted has no price to ask for.

What fails, and how it comes back:

- A malformed input is a batch item failure. With BisectBatchOnFunctionError it is cut out of its
  batch, and after MaximumRetryAttempts put aside.
- An endpoint that throttles, fails or does not answer in time is an error of the function, which
  its alarms should know of, and Lambda brings the batch back. Should the model itself choke on one
  input, bisect finds it. What is older than MaximumRecordAgeInSeconds is put aside: a price for
  how things were then helps nobody, and the next click brings a newer input.
- A price that the catalogue does not take (DynamoDB throttles) is reported with its input. The
  other prices of the batch are set all the same.

What comes twice changes nothing, and what comes late does no harm: a price is written only where
the catalogue has none of the same input or of a newer one, by the version that the input carries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import (
    PartialItemFailureResponse,
    PartialItemFailures,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from catalogue import set_price
from endpoint import PATIENCE, price_factors
from models import InputChange, InputRecord

logger = Logger(service="sneaker-pricing")
processor = BatchProcessor(
    event_type=EventType.DynamoDBStreams,
    model=InputRecord,
    raise_on_entire_batch_failure=False,
)
dynamodb = boto3.resource("dynamodb")
sagemaker = boto3.client("sagemaker-runtime", config=PATIENCE)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Price the sneakers of a batch; answers with the inputs that Lambda has to bring back."""
    with processor(records=event["Records"], handler=change_of):
        outcomes = processor.process()
    malformed = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(malformed, processor.exceptions, strict=True):
        logger.warning("Malformed input", **failure, error=str(error))
    changes = newest(change for status, change, _ in outcomes if status == "success")
    refused = reprice(changes)
    logger.info(
        "Batch processed",
        records=len(outcomes),
        malformed=len(malformed),
        sneakers=len(changes),
        refused=len(refused),
    )
    return {"batchItemFailures": refused + malformed}


def change_of(record: InputRecord) -> InputChange:
    """What a record tells of its input."""
    return record.dynamodb


def newest(changes: Iterable[InputChange]) -> list[InputChange]:
    """The newest change of each sneaker: what the model says of older ones would not be kept."""
    found: dict[str, InputChange] = {}
    for change in changes:
        known = found.get(change.NewImage.sku)
        if known is None or known.NewImage.version <= change.NewImage.version:
            found[change.NewImage.sku] = change
    return list(found.values())


def reprice(changes: Sequence[InputChange]) -> list[PartialItemFailures]:
    """Ask the model and set the prices; those whose price the catalogue did not take."""
    if not changes:
        return []
    products = dynamodb.Table(os.environ["PRODUCTS_TABLE"])
    rows = [change.NewImage.features.row() for change in changes]
    factors = price_factors(sagemaker, os.environ["ENDPOINT_NAME"], rows)
    failures: list[PartialItemFailures] = []
    for change, factor in zip(changes, factors, strict=True):
        known, number = change.NewImage, change.SequenceNumber
        try:
            is_set = set_price(products, known, known.price_at(factor))
        except (BotoCoreError, ClientError) as error:
            logger.warning("Price not set", itemIdentifier=number, error=str(error))
            failures.append(PartialItemFailures(itemIdentifier=number))
        else:
            logger.debug("Priced", sku=known.sku, factor=factor, is_set=is_set)
    return failures
