"""The shop's tables, as far as this function reads and writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from boto3.dynamodb.conditions import Attr, Key

from models import InferenceInput, Product, iso

SOLD_WITHIN = timedelta(days=1)

# BatchGetItem takes 100 keys, and two tables are asked for each sneaker.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
SNEAKERS_IN_A_CALL = 50


class NotRead(Exception):
    """DynamoDB has left a key of a call unread, as it may at any time."""


@dataclass(frozen=True, slots=True)
class Sneaker:
    """The items of a sneaker as they were read, None where a table has none."""

    sku: str
    product_item: dict[str, Any] | None
    input_item: dict[str, Any] | None
    is_read: bool = True

    def known(self) -> tuple[Product | None, InferenceInput | None]:
        """Both as models; raises NotRead, or pydantic's ValidationError."""
        if not self.is_read:
            raise NotRead(self.sku)
        product, before = self.product_item, self.input_item
        return (
            None if product is None else Product.model_validate(product),
            None if before is None else InferenceInput.model_validate(before),
        )


@dataclass(frozen=True, slots=True)
class Shop:
    """Products and inference inputs by sku; orders by sku and by when they were placed."""

    dynamodb: Any
    products: Any
    orders: Any
    inputs: Any

    @classmethod
    def of_environment(cls, dynamodb: Any) -> Self:
        """The tables that the function's variables name."""
        return cls(
            dynamodb,
            products=dynamodb.Table(os.environ["PRODUCTS_TABLE"]),
            orders=dynamodb.Table(os.environ["ORDERS_TABLE"]),
            inputs=dynamodb.Table(os.environ["INFERENCE_INPUTS_TABLE"]),
        )

    def sneakers(self, skus: Sequence[str]) -> Iterator[Sneaker]:
        """What there is of each sneaker.

        Inputs are read consistently: the next one builds on what the last click has left.
        """
        for start in range(0, len(skus), SNEAKERS_IN_A_CALL):
            yield from self._some(skus[start : start + SNEAKERS_IN_A_CALL])

    def _some(self, skus: Sequence[str]) -> Iterator[Sneaker]:
        keys = [{"sku": sku} for sku in skus]
        products, inputs = self.products.name, self.inputs.name
        answer = self.dynamodb.batch_get_item(
            RequestItems={
                products: {"Keys": keys},
                inputs: {"Keys": keys, "ConsistentRead": True},
            }
        )
        found = {
            (table, item["sku"]): item
            for table, items in answer["Responses"].items()
            for item in items
        }
        unread = {
            key["sku"] for asked in answer["UnprocessedKeys"].values() for key in asked["Keys"]
        }
        for sku in skus:
            yield Sneaker(
                sku, found.get((products, sku)), found.get((inputs, sku)), sku not in unread
            )

    def sold_before(self, sku: str, instant: datetime) -> int:
        """Orders of the day before an instant."""
        since, until = iso(instant - SOLD_WITHIN), iso(instant)
        pages = self.orders.meta.client.get_paginator("query").paginate(
            TableName=self.orders.name,
            KeyConditionExpression=Key("sku").eq(sku) & Key("placed").between(since, until),
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def replace_input(self, before: InferenceInput | None, after: InferenceInput) -> None:
        """Write an input in place of the one that was read; an error if it is not there any more.

        Lambda may run a batch again while the first run goes on: of two that read the same input
        one writes, and the other comes back and finds its clicks counted.
        """
        unchanged = (
            Attr("version").not_exists() if before is None else Attr("version").eq(before.version)
        )
        self.inputs.put_item(Item=after.item(), ConditionExpression=unchanged)
