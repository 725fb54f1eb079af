"""The shop of Fast Sneakers for tests: its tables, clicks on it, and what prices should be."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from esm import Harness
from esm.sources.dynamodb_table import DynamoDbTable

ROOT = Path(__file__).parent.parent.parent
MODEL = ROOT / "handlers" / "sneaker_pricing" / "model" / "sneaker_prices.json"
ENVIRONMENT = {
    "PRODUCTS_TABLE": "products",
    "ORDERS_TABLE": "orders",
    "INFERENCE_INPUTS_TABLE": "inference-inputs",
    "ENDPOINT_NAME": "sneaker-prices",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
}


@dataclass(frozen=True)
class Shop:
    """The tables of a Harness."""

    products: DynamoDbTable
    orders: DynamoDbTable
    inputs: DynamoDbTable

    def catalogue(self) -> dict[str, dict[str, Any]]:
        """What the catalogue has of each sneaker."""
        return {sku: self.product(sku) for sku in sorted(self.skus())}

    def product(self, sku: str) -> dict[str, Any]:
        item = self.products.get_item({"sku": sku})
        assert item is not None
        return item

    def skus(self) -> list[str]:
        return [item["sku"]["S"] for item in self.products.items.values()]

    def input_of(self, sku: str) -> dict[str, Any] | None:
        return self.inputs.get_item({"sku": sku})


def open_shop(h: Harness, *skus: str) -> Shop:
    """Tables with those sneakers."""
    shop = Shop(
        h.dynamodb("products", keys=("sku",)),
        h.dynamodb("orders", keys=("sku", "placed")),
        h.dynamodb("inference-inputs", keys=("sku",), view="NEW_IMAGE"),
    )
    for sku in skus:
        shop.products.put_item(product(sku))
    return shop


def product(sku: str, **changes: Any) -> dict[str, Any]:
    return {
        "sku": sku,
        "name": f"Sneaker {sku}",
        "list_price": Decimal(120),
        "min_price": Decimal(90),
        "max_price": Decimal(180),
        "price": Decimal(120),
        "stock": 400,
        "released_on": "2025-10-01",
        **changes,
    }


def order(sku: str, placed: str) -> dict[str, Any]:
    return {"sku": sku, "placed": placed, "quantity": 1}


def click(sku: str, action: str = "view", at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"sku": sku, "action": action, "clicked_at": at}


def put_clicks(stream: Any, clicks: Iterable[dict[str, Any]]) -> None:
    """Put clicks as the shop's pages do: under their sku."""
    for each in clicks:
        stream.put(each, key=each["sku"])


def price_of(features: dict[str, Any], bounds: dict[str, Any]) -> Decimal:
    """What the model of the repository makes of an input, by its file alone."""
    model = json.loads(MODEL.read_text())
    terms = zip(model["coefficients"], model["features"], strict=True)
    factor = model["intercept"] + sum(c * float(features[name]) for c, name in terms)
    price = round(bounds["list_price"] * Decimal(str(factor)), 2)
    return min(max(price, bounds["min_price"]), bounds["max_price"])
