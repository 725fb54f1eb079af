"""Joins clicks on sneakers with products and orders, for the model that prices them.

Clicks arrive on a Kinesis stream under the sku as partition key (`models.Click`). For each sneaker
of a batch the function reads its product, its orders of the last day and what earlier clicks have
left, and writes one `models.InferenceInput` to the table that INFERENCE_INPUTS_TABLE names, whose
stream feeds the pricing function. A thousand clicks on one sneaker in a batch are one write.

The event source mapping must set FunctionResponseTypes to ReportBatchItemFailures.

What fails, and how it comes back:

- A malformed click is a batch item failure, and so is one whose partition key is not its sku: the
  order of a sneaker's clicks is that of one shard. With BisectBatchOnFunctionError it is cut out of
  its batch, and after MaximumRetryAttempts put aside.
- A sneaker that cannot be read or written now (DynamoDB throttles, another run of the function was
  faster, its product is malformed) is reported with the first of its clicks. The other sneakers
  of the batch are written all the same.
- Tables that cannot be read at all are an error of the function, and Lambda brings the batch back.
- A click on what the catalogue does not have is left out: old links and robots see to it that
  there are many, and none of them would be better later.

What comes twice changes nothing: an input holds the sequence number of the last click that is in
it, clicks up to there are passed over, and the write has the condition that the input is still the
one that was read. Lambda brings back everything behind a failure, so this happens every day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
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
from pydantic import ValidationError

from features import Interest, SeenClick, features_of, interest_after, rounded, seen
from models import ClickRecord, InferenceInput, Product
from shop import NotRead, Shop, Sneaker

logger = Logger(service="sneaker-features")
processor = BatchProcessor(
    event_type=EventType.KinesisDataStreams,
    model=ClickRecord,
    raise_on_entire_batch_failure=False,
)
dynamodb = boto3.resource("dynamodb")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Take in a batch of clicks; answers with those that Lambda has to bring back."""
    with processor(records=event["Records"], handler=click_of):
        outcomes = processor.process()
    malformed = processor.response()["batchItemFailures"]
    for failure, (_, error, _) in zip(malformed, processor.exceptions, strict=True):
        logger.warning("Malformed click", **failure, error=str(error))
    clicks = [click for status, click, _ in outcomes if status == "success"]
    refused = take_in(Shop.of_environment(dynamodb), clicks)
    logger.info(
        "Batch processed", records=len(outcomes), malformed=len(malformed), refused=len(refused)
    )
    return {"batchItemFailures": refused + malformed}


def click_of(record: ClickRecord) -> SeenClick:
    """The click of a record, with when it arrived: a clock that all clicks share."""
    arrived_s = record.kinesis.approximateArrivalTimestamp
    return seen(record.kinesis, datetime.fromtimestamp(arrived_s, UTC))


def take_in(shop: Shop, clicks: Iterable[SeenClick]) -> list[PartialItemFailures]:
    """Bring each sneaker's input up to date; the first clicks of those for which it failed."""
    of_sneakers: dict[str, list[SeenClick]] = defaultdict(list)
    for click in clicks:
        of_sneakers[click.sku].append(click)
    failures: list[PartialItemFailures] = []
    for sneaker in shop.sneakers(list(of_sneakers)):
        its_clicks = of_sneakers[sneaker.sku]
        try:
            update(shop, sneaker, its_clicks)
        except (NotRead, BotoCoreError, ClientError, ValidationError) as error:
            first, why = its_clicks[0].sequence_number, repr(error)
            logger.warning("Not updated", sku=sneaker.sku, itemIdentifier=first, error=why)
            failures.append(PartialItemFailures(itemIdentifier=first))
    return failures


def update(shop: Shop, sneaker: Sneaker, clicks: Sequence[SeenClick]) -> None:
    """Bring one sneaker's input forward through those of its clicks that are not in it yet."""
    product, before = sneaker.known()
    if product is None:
        logger.debug("Not in the catalogue", sku=sneaker.sku, clicks=len(clicks))
        return
    news = [click for click in clicks if before is None or click.version > before.version]
    if news:
        shop.replace_input(before, input_after(shop, product, before, news))


def input_after(
    shop: Shop, product: Product, before: InferenceInput | None, clicks: Sequence[SeenClick]
) -> InferenceInput:
    """The input of a sneaker after its last click, joined with what the shop knows then."""
    start = (
        Interest(0.0, clicks[0].arrived_at)
        if before is None
        else Interest(float(before.interest), before.as_of)
    )
    interest = interest_after(clicks, start)
    return InferenceInput(
        sku=product.sku,
        version=clicks[-1].version,
        as_of=interest.as_of,
        interest=rounded(interest.value),
        features=features_of(
            interest.value,
            sold_last_day=shop.sold_before(product.sku, interest.as_of),
            stock=product.stock,
            released_on=product.released_on,
            today=interest.as_of.date(),
        ),
        list_price=product.list_price,
        min_price=product.min_price,
        max_price=product.max_price,
    )
