"""Fast Sneakers as its template has it: some of its life, and what its settings are."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.httpsession
import pytest
from sneaker_shop import ROOT, price_of

from esm import Harness
from esm.instants import parse_instant
from esm.scenarios import fast_sneakers
from esm.template import load

EVENING = "2026-03-02T19:00:00Z"
DURATION_MS = 6 * 60_000
CLICKS_A_SECOND, ORDERS_A_SECOND = 0.3, 0.001


@dataclass(frozen=True)
class Evening:
    """What six minutes have left behind."""

    h: Harness
    features: Any
    pricing: Any
    endpoint: Any
    products: dict[str, dict[str, Any]]
    inputs: dict[str, dict[str, Any]]

    def timelines(self) -> list[str]:
        return [self.features.timeline(), self.pricing.timeline()]


def evening() -> Evening:
    """Clicks through the template's functions, tables and endpoint."""
    start_ms = parse_instant(EVENING)
    with Harness(seed=11, start=EVENING, latency=("20ms", "400ms")) as h:
        mappings = h.template(ROOT / "template.yaml", {"LogLevel": "CRITICAL"})
        features, pricing = mappings["SneakerFeaturesClicks"], mappings["SneakerPricingInputs"]
        endpoint = mappings.endpoints["SneakerPriceEndpoint"]
        endpoint.inject.latency(("30ms", "150ms"))
        dynamodb = boto3.session.Session().resource("dynamodb", region_name="us-east-1")
        tables = {name: dynamodb.Table(t.name) for name, t in mappings.template.tables.items()}
        orders = fast_sneakers.orders(random.Random(1), start_ms, DURATION_MS, ORDERS_A_SECOND)
        fill(tables["SneakerProducts"], fast_sneakers.products(start_ms))
        fill(tables["SneakerOrders"], orders)
        clicks = fast_sneakers.records(random.Random(2), start_ms, DURATION_MS, CLICKS_A_SECOND)
        for click in clicks:
            h.advance((click.at_ms - h.instant_ms()) / 1_000)
            features.source.put(click.data, key=click.key)
        assert h.drain() == "idle"
        found = [
            {str(item["sku"]): item for item in tables[name].scan()["Items"]}
            for name in ("SneakerProducts", "SneakerInferenceInputs")
        ]
        return Evening(h, features, pricing, endpoint, *found)


def fill(table: Any, items: Iterable[dict[str, object]]) -> None:
    with table.batch_writer() as batch:
        for item in items:
            batch.put_item(Item=item)


@pytest.fixture(scope="module")
def no_network() -> Iterator[None]:
    """Whatever comes as far as the network fails the test."""

    def send(self: object, request: Any) -> None:
        pytest.fail(f"a request left for {request.url}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.httpsession.URLLib3Session, "send", send)
        yield


@pytest.fixture(scope="module")
def ended(no_network: None) -> Evening:
    return evening()


def test_every_price_is_what_the_model_says_of_the_last_click(ended: Evening):
    assert len(ended.products) == len(fast_sneakers.SNEAKERS)
    for sku, product in ended.products.items():
        known = ended.inputs[sku]
        assert product["price"] == price_of(known["features"], known)
        assert product["price_version"] == known["version"]
    assert ended.products[fast_sneakers.HOT.sku]["price"] > fast_sneakers.HOT.list_price


def test_nothing_is_lost(ended: Evening):
    features, pricing = ended.features, ended.pricing
    clicks = features.source.records
    spoilt = {r.sequence_number for r in clicks if b'"undefined"' in r.data or r.data[-1:] != b"}"}
    put_aside = [r for d in features.discarded for r in d.records]
    assert {record.sequence_number for record in put_aside} == spoilt
    assert spoilt
    assert len(features.delivered) + len(put_aside) == len(clicks) > 100
    assert (features.lag(), pricing.lag(), pricing.discarded) == (0, 0, [])


def test_clicks_on_a_sneaker_are_folded_before_the_model_is_asked(ended: Evening):
    clicks, inputs = len(ended.features.delivered), len(ended.pricing.delivered)
    assert clicks > 1.5 * inputs
    assert len(ended.endpoint.calls) < inputs / 2


def test_another_evening_is_the_same(ended: Evening):
    again = evening()
    assert again.products == ended.products
    assert again.timelines() == ended.timelines()


# --- the template --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def template() -> Any:
    return load(ROOT / "template.yaml")


@pytest.mark.parametrize("function", ["SneakerFeatures", "SneakerPricing"])
def test_the_variables_that_the_code_reads_are_set(template: Any, function: str):
    resource = template.functions[function]
    code = "".join(path.read_text() for path in resource.code_uri.glob("*.py"))
    read = set(re.findall(r'os\.environ\["(\w+)"\]', code))
    assert read == resource.environment.keys() - {"POWERTOOLS_LOG_LEVEL"}


def test_prices_are_retried_as_long_as_they_are_worth_it(template: Any):
    properties = template.mappings["SneakerPricingInputs"].properties
    assert properties["maximum_retry_attempts"] >= 8, "an endpoint that throttles needs a minute"
    assert properties["maximum_record_age_in_seconds"] == 900
    for name in ("SneakerFeaturesClicks", "SneakerPricingInputs"):
        properties = template.mappings[name].properties
        assert properties["function_response_types"] == ["ReportBatchItemFailures"]
        assert properties["bisect_batch_on_function_error"] is True


# --- the scenario --------------------------------------------------------------------------------


def test_the_shop_sells_what_is_clicked_on():
    start_ms = parse_instant(EVENING)
    products = {str(product["sku"]): product for product in fast_sneakers.products(start_ms)}
    keys = [r.key for r in fast_sneakers.records(random.Random(3), start_ms, DURATION_MS, 1)]
    orders = list(fast_sneakers.orders(random.Random(4), start_ms, DURATION_MS, 0.01))

    assert set(keys) == {*products, fast_sneakers.GONE_SKU}
    assert {order["sku"] for order in orders} <= products.keys()
    assert keys.count(fast_sneakers.HOT.sku) > 0.3 * len(keys), "a hot key"
    assert products[fast_sneakers.HOT.sku]["released_on"] == "2026-03-01"
    placed = [str(order["placed"]) for order in orders]
    assert min(placed) < "2026-03-02" < max(placed)
