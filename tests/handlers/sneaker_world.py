"""Fast Sneakers in a Harness, without its template: any settings, twice if need be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from sneaker_shop import (
    ENVIRONMENT,
    MODEL,
    ROOT,
    Shop,
    click,
    open_shop,
    order,
    price_of,
    put_clicks,
)

from esm import Function, Harness
from esm.isolation import load_function

SKUS = ("AIR-1", "RUN-2", "OLD-3")
ACTIONS = ("view", "save", "add_to_cart")
VARIABLES = {
    **ENVIRONMENT,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
FUNCTION = Function(timeout=30, environment=VARIABLES)
REPORTS = {"function_response_types": ["ReportBatchItemFailures"]}
NEW_AND_CHANGED = {"Filters": [{"Pattern": '{"eventName": ["INSERT", "MODIFY"]}'}]}


@cache
def load_handler(function: str) -> Callable[..., Any]:
    """A handler with modules of its own: both functions have an `app` and `models`."""
    return load_function(ROOT / "handlers" / function, "app.handler", VARIABLES)


@dataclass(frozen=True)
class World:
    """The application in a Harness."""

    h: Harness
    shop: Shop
    clicks: Any
    features: list[Any]
    pricing: list[Any]
    endpoint: Any

    def click(self, *skus: str, action: str = "view") -> None:
        now = self.h.now.isoformat()
        put_clicks(self.clicks, (click(sku, action, at=now) for sku in skus))

    def prices(self) -> dict[str, Decimal]:
        return {sku: product["price"] for sku, product in self.shop.catalogue().items()}

    def expected(self, sku: str) -> Decimal:
        """What the model makes of the input that the sneaker has now."""
        known = self.shop.input_of(sku)
        assert known is not None
        return price_of(known["features"], known)

    def lag(self) -> int:
        return sum(mapping.lag() for mapping in [*self.features, *self.pricing])


def make_world(
    *,
    h: Harness | None = None,
    model: Any = MODEL,
    readers: Sequence[dict[str, Any]] = ({},),
) -> World:
    """A shop with three sneakers; each of `readers` has both mappings, with its properties."""
    h = Harness() if h is None else h
    shop = open_shop(h, *SKUS)
    for number in range(6):  # AIR-1 was sold once, RUN-2 twice, OLD-3 three times
        sku = SKUS[(number > 0) + (number > 2)]
        shop.orders.put_item(order(sku, f"2025-12-31T20:00:00.000Z#o-{number}"))
    clicks = h.kinesis("clicks", shards=2)
    endpoint = h.sagemaker(ENVIRONMENT["ENDPOINT_NAME"], model=model)
    features, pricing = load_handler("sneaker_features"), load_handler("sneaker_pricing")
    common: dict[str, Any] = {"function": FUNCTION, "on_failure": h.queue("failed"), **REPORTS}
    first = [h.map(clicks, features, **common, **reader) for reader in readers]
    common["filter_criteria"] = NEW_AND_CHANGED
    second = [h.map(shop.inputs, pricing, **common, **reader) for reader in readers]
    return World(h, shop, clicks, first, second, endpoint)
