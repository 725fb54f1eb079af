"""Clicks go in, one input of inference for each sneaker comes out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from math import log1p
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sneaker_shop import ENVIRONMENT, Shop, click, open_shop, order, product

from esm import Harness

CONTEXT = SimpleNamespace(
    function_name="SneakerFeatures",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:SneakerFeatures",
    aws_request_id="5a0f4f1c-52bb-4a08-8f5c-7f0c5bd0b6a9",
)
NEW_YEAR_S = 1_767_225_600
Answers = Callable[..., list[str]]


@pytest.fixture(scope="module")
def app(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("sneaker_features", "app")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with Harness() as h:
        yield open_shop(h, "AIR-1", "RUN-2")


@pytest.fixture
def failures(app: ModuleType) -> Answers:
    """What the function reports of an event."""

    def failures(*records: dict[str, Any]) -> list[str]:
        response = app.handler({"Records": list(records)}, CONTEXT)
        assert response.keys() == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    return failures


def record(number: int, data: object, *, key: str | None = None, after_s: float = 0.0) -> Any:
    """A click that arrived so long after the new year; bytes stay, the rest becomes JSON."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    default = data.get("sku", "none") if isinstance(data, dict) else "none"
    return {
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/sneaker-features",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key or default,
            "sequenceNumber": str(number),
            "data": base64.b64encode(text).decode(),
            "approximateArrivalTimestamp": NEW_YEAR_S + after_s,
        },
    }


def views(sku: str, numbers: range) -> list[dict[str, Any]]:
    return [record(number, click(sku)) for number in numbers]


def test_a_click_becomes_an_input_joined_with_product_and_orders(shop: Shop, failures: Answers):
    shop.orders.put_item(order("AIR-1", "2025-12-31T12:00:00.000Z#o-1"))
    shop.orders.put_item(order("AIR-1", "2025-12-31T23:59:59.999Z#o-2"))
    shop.orders.put_item(order("AIR-1", "2025-12-30T23:59:59.999Z#o-3"))
    shop.orders.put_item(order("AIR-1", "2026-01-01T00:00:01.000Z#o-4"))
    shop.orders.put_item(order("RUN-2", "2025-12-31T12:00:00.000Z#o-5"))

    assert failures(record(7, click("AIR-1", "add_to_cart"))) == []

    assert shop.input_of("AIR-1") == {
        "sku": "AIR-1",
        "version": "7".zfill(129),
        "as_of": "2026-01-01T00:00:00.000Z",
        "interest": Decimal(5),
        "features": {
            "log_interest": Decimal(str(round(log1p(5), 6))),
            "log_sold": Decimal(str(round(log1p(2), 6))),
            "log_stock": Decimal(str(round(log1p(400), 6))),
            "years_on_sale": Decimal(str(round(92 / 365, 6))),
        },
        "list_price": 120,
        "min_price": 90,
        "max_price": 180,
    }
    assert shop.input_of("RUN-2") is None


def test_a_thousand_clicks_on_a_sneaker_are_one_write(shop: Shop, failures: Answers):
    assert failures(*views("AIR-1", range(1, 1_001))) == []

    assert len(shop.inputs.records) == 1
    assert shop.input_of("AIR-1")["interest"] == 1_000


def test_orders_of_a_day_may_fill_many_pages(shop: Shop, failures: Answers):
    for number in range(50):
        placed = f"2025-12-31T12:00:00.{number:03d}Z"
        shop.orders.put_item(order("AIR-1", placed) | {"note": "x" * 50_000})

    assert failures(record(1, click("AIR-1"))) == []

    sold = shop.input_of("AIR-1")["features"]["log_sold"]
    assert sold == Decimal(str(round(log1p(50), 6)))


@pytest.mark.parametrize(
    ("clicks", "interest"),
    [
        pytest.param([("view", 0, 0)], "1", id="a view"),
        pytest.param([("save", 0, 0)], "3", id="saved for later"),
        pytest.param([("add_to_cart", 0, 0)], "5", id="in a cart"),
        pytest.param([("view", 0, 0), ("view", 3_600, 3_600)], "1.5", id="halved in an hour"),
        pytest.param([("save", -7_200, 0)], "0.75", id="two hours on its way"),
        pytest.param([("view", 86_400, 0)], "1", id="a clock ahead is not believed"),
        pytest.param([("view", 3_600, 3_600), ("view", 0, 0)], "1.5", id="time never turns back"),
        pytest.param([("view", -3e8, 0)], "0", id="ten years on its way"),
    ],
)
def test_interest_halves_every_hour(
    shop: Shop, failures: Answers, clicks: list[tuple[str, float, float]], interest: str
):
    records = [
        record(
            number,
            click("AIR-1", action, datetime.fromtimestamp(NEW_YEAR_S + made_s, UTC).isoformat()),
            after_s=arrived_s,
        )
        for number, (action, made_s, arrived_s) in enumerate(clicks, 1)
    ]
    assert failures(*records) == []

    known = shop.input_of("AIR-1")
    assert known["interest"] == Decimal(interest)
    last = max(arrived for _, _, arrived in clicks)
    assert known["as_of"] == f"2026-01-01T0{int(last // 3_600)}:00:00.000Z"


def test_the_same_clicks_give_the_same_input_however_they_are_batched(
    shop: Shop, failures: Answers
):
    records = [record(n, click("AIR-1"), after_s=n * 7.3) for n in range(1, 40)]
    assert failures(*records) == []
    at_once = shop.input_of("AIR-1")
    shop.inputs.delete_item({"sku": "AIR-1"})

    for each in records:
        assert failures(each) == []
    assert shop.input_of("AIR-1") == at_once


def test_what_comes_twice_changes_nothing(shop: Shop, failures: Answers):
    records = views("AIR-1", range(1, 4)) + views("RUN-2", range(4, 6))
    for _ in range(2):
        assert failures(*records) == []
    assert failures(*records[1:], record(6, click("AIR-1"))) == []

    assert [len(shop.inputs.records), shop.input_of("AIR-1")["interest"]] == [3, 4]


def test_a_longer_sequence_number_is_the_greater_one(shop: Shop, failures: Answers):
    assert failures(record(9, click("AIR-1"))) == []
    assert failures(record(10, click("AIR-1"))) == []
    assert failures(record(9, click("AIR-1"))) == []

    assert shop.input_of("AIR-1")["version"].lstrip("0") == "10"


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(record(2, b""), id="empty"),
        pytest.param(record(2, b'{"sku": "AIR-1", "act'), id="truncated"),
        pytest.param(record(2, b"\xff\xfe\x00"), id="not UTF-8"),
        pytest.param(record(2, []), id="not an object"),
        pytest.param(record(2, {}), id="nothing in it"),
        pytest.param(record(2, click("air 1")), id="not a sku"),
        pytest.param(record(2, click("AIR-1", "teleport")), id="an unknown action"),
        pytest.param(record(2, click("AIR-1", at="2026-01-01T00:00:00")), id="no time zone"),
        pytest.param(record(2, click("AIR-1"), key="session-9"), id="another key than its sku"),
    ],
)
def test_a_malformed_click_is_reported_and_harms_no_other(
    shop: Shop, failures: Answers, bad: dict[str, Any]
):
    assert failures(record(1, click("AIR-1")), bad, record(3, click("RUN-2"))) == ["2"]

    assert shop.input_of("AIR-1")["interest"] == 1
    assert shop.input_of("RUN-2")["interest"] == 1


def test_a_batch_of_nothing_but_malformed_clicks_is_reported_not_raised(
    shop: Shop, failures: Answers
):
    assert failures(record(1, {}), record(2, b"")) == ["1", "2"]
    assert shop.inputs.records == []


def test_what_a_shopper_did_stays_out_of_the_log(app: ModuleType, shop: Shop, failures: Answers):
    log = StringIO()
    lambda_output = app.logger.registered_handler.setStream(log)
    app.logger.setLevel("INFO")
    try:
        assert failures(record(1, click("AIR-1", "teleport to Ada Costa"))) == ["1"]
    finally:
        app.logger.setLevel("CRITICAL")
        app.logger.registered_handler.setStream(lambda_output)
    assert "kinesis.data.action" in log.getvalue()
    assert "Ada Costa" not in log.getvalue()


def test_a_click_on_what_the_catalogue_does_not_have_is_left_out(shop: Shop, failures: Answers):
    assert failures(record(1, click("GONE-3")), record(2, click("AIR-1"))) == []
    assert [item["sku"]["S"] for item in shop.inputs.items.values()] == ["AIR-1"]


def test_a_malformed_product_holds_up_its_own_clicks_only(shop: Shop, failures: Answers):
    shop.products.put_item(product("AIR-1", min_price=Decimal(200)))
    records = [record(n, click(sku)) for n, sku in enumerate(["RUN-2", "AIR-1", "AIR-1"], 1)]

    assert failures(*records) == ["2"]
    assert shop.input_of("AIR-1") is None

    shop.products.put_item(product("AIR-1"))
    assert failures(*records[1:]) == []
    assert shop.input_of("AIR-1")["interest"] == 2


def test_of_two_runs_that_read_the_same_one_writes(
    app: ModuleType, shop: Shop, failures: Answers, monkeypatch: pytest.MonkeyPatch
):
    """Lambda may run a batch again while its first run goes on."""
    read = app.Shop.sneakers
    slow_run = views("AIR-1", range(1, 3))

    def sneakers(self: Any, skus: Any) -> Any:
        monkeypatch.setattr(app.Shop, "sneakers", read)
        found = list(read(self, skus))
        assert failures(*views("AIR-1", range(1, 4))) == []  # another run is faster
        return found

    monkeypatch.setattr(app.Shop, "sneakers", sneakers)
    assert failures(*slow_run) == ["1"]
    assert shop.input_of("AIR-1")["interest"] == 3

    assert failures(*slow_run) == []
    assert shop.input_of("AIR-1")["interest"] == 3


def test_a_table_that_throttles_holds_up_one_sneaker(
    app: ModuleType, shop: Shop, failures: Answers, monkeypatch: pytest.MonkeyPatch
):
    code = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}
    write = app.Shop.replace_input

    def replace_input(self: Any, before: Any, after: Any) -> None:
        if after.sku == "AIR-1":
            raise ClientError(code, "PutItem")
        write(self, before, after)

    monkeypatch.setattr(app.Shop, "replace_input", replace_input)
    records = [record(n, click(sku)) for n, sku in enumerate(["RUN-2", "AIR-1", "RUN-2"], 1)]
    assert failures(*records) == ["2"]
    assert shop.input_of("RUN-2")["interest"] == 2


def test_what_dynamodb_leaves_unread_comes_back(
    app: ModuleType, shop: Shop, failures: Answers, monkeypatch: pytest.MonkeyPatch
):
    ask = app.dynamodb.batch_get_item

    def batch_get_item(**asked: Any) -> Any:
        answer = ask(**asked)
        table = ENVIRONMENT["INFERENCE_INPUTS_TABLE"]
        return {**answer, "UnprocessedKeys": {table: {"Keys": [{"sku": "AIR-1"}]}}}

    records = [record(n, click(sku)) for n, sku in enumerate(["RUN-2", "AIR-1"], 1)]
    with monkeypatch.context() as patch:
        patch.setattr(app.dynamodb, "batch_get_item", batch_get_item)
        assert failures(*records) == ["2"]
    assert (shop.input_of("AIR-1"), shop.input_of("RUN-2")["interest"]) == (None, 1)

    assert failures(*records) == []
    assert shop.input_of("AIR-1")["interest"] == 1


def test_a_batch_may_have_more_sneakers_than_a_call(shop: Shop, failures: Answers):
    skus = [f"AIR-{number}" for number in range(120)]
    for sku in skus:
        shop.products.put_item(product(sku))
    assert failures(*(record(n, click(sku)) for n, sku in enumerate(skus, 1))) == []
    assert len(shop.inputs.records) == 120
