"""What comes in and what goes out: changed inputs of inference, predictions, prices."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from aws_lambda_powertools.utilities.parser.models import (
    DynamoDBStreamChangedRecordModel,
    DynamoDBStreamRecordModel,
)
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

Price = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=2)]
Feature = Annotated[float, Field(allow_inf_nan=False)]
CENT = Decimal("0.01")


class Model(BaseModel):
    """A model that does not change."""

    model_config = ConfigDict(frozen=True)


class Features(Model):
    """What the price model is asked with, by the names that it was trained with, in its order."""

    log_interest: Feature
    log_sold: Feature
    log_stock: Feature
    years_on_sale: Feature

    def row(self) -> list[float]:
        """The numbers alone, as the endpoint takes them."""
        return list(self.model_dump().values())


class InferenceInput(Model):
    """All that was known of a sneaker at a click; of two inputs the greater version is newer."""

    sku: str
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{129}$")]
    as_of: AwareDatetime
    features: Features
    list_price: Price
    min_price: Price
    max_price: Price

    def price_at(self, factor: float) -> Decimal:
        """The list price times what the model says, within the sneaker's bounds, in cents."""
        price = self.list_price * Decimal(str(factor))
        return min(max(price, self.min_price), self.max_price).quantize(CENT, ROUND_HALF_UP)


class InputChange(DynamoDBStreamChangedRecordModel):
    """The `dynamodb` part of a record, its new image parsed."""

    NewImage: InferenceInput


class InputRecord(DynamoDBStreamRecordModel):
    """A record of an input that is new or changed."""

    dynamodb: InputChange


class Prediction(Model):
    """What the model says of one row: the price as a multiple of the list price."""

    score: FiniteFloat


class Predictions(Model):
    """The endpoint's answer, row by row."""

    predictions: tuple[Prediction, ...]
