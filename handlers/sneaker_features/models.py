"""What comes in and what goes out: clicks, what the shop's tables hold, and inputs of inference.

Fields that are not named here are left out: producers may add some before we know them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    StringConstraints,
    model_validator,
)

# Sequence numbers are whole numbers of up to 129 digits, 56 of them today. Filled up with zeros to
# one length they compare as text as they do as numbers, which have 38 digits in DynamoDB.
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
VERSION_DIGITS = 129

Sku = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9-]{1,31}$")]
SequenceNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,129}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{129}$")]
Price = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2)]


class Model(BaseModel):
    """A model that does not change and keeps shoppers' data out of the text of its errors."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Action(StrEnum):
    """What a shopper did with a sneaker."""

    VIEW = "view"
    SAVE = "save"
    ADD_TO_CART = "add_to_cart"


class Click(Model):
    """One click, as the shop's pages put it on the stream; the clock is the shopper's."""

    sku: Sku
    action: Action
    clicked_at: AwareDatetime


class ClickPayload(KinesisDataStreamRecordPayload):
    """The `kinesis` part of a record, its data parsed."""

    sequenceNumber: SequenceNumber  # noqa: N815  (AWS names it)
    data: Json[Click]

    @model_validator(mode="after")
    def _keeps_the_order_of_its_sneaker(self) -> Self:
        """Sequence numbers tell the order of clicks only where one key has them all."""
        if self.partitionKey != self.data.sku:
            raise ValueError("the partition key of a click is its sku")
        return self


class ClickRecord(KinesisDataStreamRecord):
    """A Kinesis record whose data is a click."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kinesis: ClickPayload


class Product(Model):
    """A sneaker of the catalogue; whatever a model says, its price stays within its bounds."""

    sku: Sku
    list_price: Price
    min_price: Price
    max_price: Price
    stock: Annotated[int, Field(ge=0)]
    released_on: date

    @model_validator(mode="after")
    def _has_bounds_in_order(self) -> Self:
        if self.min_price > self.max_price:
            raise ValueError("min_price is above max_price")
        return self


class Features(Model):
    """What the price model is asked with, by the names that it was trained with, in its order."""

    log_interest: Decimal
    log_sold: Decimal
    log_stock: Decimal
    years_on_sale: Decimal


class InferenceInput(Model):
    """All that is known of a sneaker at a click: the item of a sku in the table of inputs.

    `version` is the click's sequence number, `as_of` when it arrived; `interest` is what all
    clicks so far have left of it.
    """

    sku: Sku
    version: Version
    as_of: AwareDatetime
    interest: Decimal
    features: Features
    list_price: Price
    min_price: Price
    max_price: Price

    def item(self) -> dict[str, Any]:
        """The input as the table takes it."""
        return {**self.model_dump(), "as_of": iso(self.as_of)}


def iso(instant: datetime) -> str:
    """`2026-03-02T09:15:02.250Z`: texts of one length, in order of time."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def version_of(sequence_number: str) -> str:
    """A sequence number as texts can be compared."""
    return sequence_number.zfill(VERSION_DIGITS)
