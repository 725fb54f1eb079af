"""Changed inputs go in, the model is asked once, and newer prices are in the catalogue."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from sneaker_shop import ENVIRONMENT, MODEL, ROOT, Shop, open_shop, price_of

from esm import Harness
from esm.payloads.attribute_values import from_python

CONTEXT = SimpleNamespace(
    function_name="SneakerPricing",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:SneakerPricing",
    aws_request_id="b0a7c1de-9c43-4f0a-8a52-0f3a6d9a4c55",
)
FEATURES = {"log_interest": 3.5, "log_sold": 2.0, "log_stock": 4.0, "years_on_sale": 0.25}
STORED = {name: Decimal(str(value)) for name, value in FEATURES.items()}
BOUNDS = {"list_price": Decimal(120), "min_price": Decimal(90), "max_price": Decimal(180)}


@dataclass(frozen=True)
class Function:
    """The function, the catalogue, and the endpoint that it asks."""

    app: ModuleType
    shop: Shop
    endpoint: Stubber

    def answers(self, *scores: Any, rows: list[Any] | None = None) -> None:
        """What the endpoint says next; `rows`: what it must have been asked."""
        expected = {
            "EndpointName": "sneaker-prices",
            "ContentType": "application/json",
            "Accept": "application/json",
            "Body": body({"instances": rows or [{"features": [*FEATURES.values()]}] * len(scores)}),
        }
        text = body({"predictions": [{"score": score} for score in scores]})
        answer = {"Body": StreamingBody(io.BytesIO(text), len(text))}
        self.endpoint.add_response("invoke_endpoint", answer, expected)

    def failures(self, *records: dict[str, Any]) -> list[str]:
        response = self.app.handler({"Records": list(records)}, CONTEXT)
        assert response.keys() == {"batchItemFailures"}
        return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]

    def price(self, sku: str) -> Decimal:
        price: Decimal = self.shop.product(sku)["price"]
        return price


@pytest.fixture(scope="module")
def app(load: Callable[[str, str], ModuleType]) -> ModuleType:
    return load("sneaker_pricing", "app")


@pytest.fixture
def function(app: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with Harness() as h, Stubber(app.sagemaker) as endpoint:
        yield Function(app, open_shop(h, "AIR-1", "RUN-2"), endpoint)
        endpoint.assert_no_pending_responses()


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def record(number: int, sku: str, version: int, /, **changes: Any) -> dict[str, Any]:
    """A new input as the stream of the table tells of it."""
    image = {
        "sku": sku,
        "version": str(version).zfill(129),
        "as_of": f"2026-01-01T00:00:{version:02d}.000Z",
        "interest": 42,
        "features": STORED,
        **BOUNDS,
        **changes,
    }
    return {
        "eventID": f"{number:032x}",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_767_225_600,
            "Keys": from_python({"sku": sku}),
            "NewImage": from_python(image),
            "SequenceNumber": str(number),
            "SizeBytes": 400,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": (
            "arn:aws:dynamodb:us-east-1:123456789012:table/inputs/stream/2026-01-01T00:00:00.000"
        ),
    }


def test_a_price_is_what_the_model_makes_of_the_list_price(function: Function):
    function.answers(1.05)

    assert function.failures(record(1, "AIR-1", 5)) == []

    priced = function.shop.product("AIR-1")
    assert priced["price"] == Decimal("126.00")
    assert priced["price_version"] == "5".zfill(129)
    assert priced["priced_as_of"] == "2026-01-01T00:00:05.000Z"
    assert (priced["name"], priced["stock"]) == ("Sneaker AIR-1", 400), "the rest stays"
    assert function.price("RUN-2") == 120


@pytest.mark.parametrize(
    ("factor", "price"),
    [
        pytest.param(1, "120.00", id="as listed"),
        pytest.param(0.99999, "120.00", id="in cents"),
        pytest.param(1.000125, "120.02", id="half a cent is rounded up"),
        pytest.param(0.5, "90.00", id="not below its least price"),
        pytest.param(-3, "90.00", id="whatever the model says"),
        pytest.param(1e300, "180.00", id="not above its greatest"),
    ],
)
def test_a_price_stays_within_the_bounds_of_its_sneaker(
    function: Function, factor: float, price: str
):
    function.answers(factor)
    assert function.failures(record(1, "AIR-1", 1)) == []
    assert function.price("AIR-1") == Decimal(price)


def test_a_batch_is_one_call_with_the_newest_input_of_each_sneaker(function: Function):
    newest = {name: value + 1 for name, value in STORED.items()}
    rows = [{"features": [4.5, 3.0, 5.0, 1.25]}, {"features": [*FEATURES.values()]}]
    function.answers(1.1, 0.9, rows=rows)

    records = [record(1, "AIR-1", 1), record(2, "RUN-2", 2)]
    assert function.failures(*records, record(3, "AIR-1", 3, features=newest)) == []

    assert (function.price("AIR-1"), function.price("RUN-2")) == (132, 108)
    assert len([r for r in function.shop.products.records if r.event_name == "MODIFY"]) == 2


def test_a_redelivered_input_changes_nothing(function: Function):
    for _ in range(2):
        function.answers(1.1)
        assert function.failures(record(1, "AIR-1", 1)) == []
    assert [r.event_name for r in function.shop.products.records] == ["INSERT", "INSERT", "MODIFY"]


def test_a_stale_input_never_overwrites_a_newer_price(function: Function):
    for number, (version, factor) in enumerate([(10, 1.2), (9, 0.8), (10, 0.9)], 1):
        function.answers(factor)
        assert function.failures(record(number, "AIR-1", version)) == []
    assert function.price("AIR-1") == 144


def test_a_sneaker_that_left_the_catalogue_stays_out_of_it(function: Function):
    function.shop.products.delete_item({"sku": "AIR-1"})
    function.answers(1.1)
    assert function.failures(record(1, "AIR-1", 1)) == []
    assert function.shop.skus() == ["RUN-2"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"features": {}}, id="no features"),
        pytest.param({"features": STORED | {"log_sold": "many"}}, id="not a number"),
        pytest.param({"version": "9"}, id="a version that cannot be compared"),
        pytest.param({"as_of": "2026-01-01T00:00:00"}, id="no time zone"),
        pytest.param({"list_price": Decimal(0)}, id="no list price"),
    ],
)
def test_a_malformed_input_is_reported_and_harms_no_other(
    function: Function, changes: dict[str, Any]
):
    function.answers(1.1, 1.1)

    records = [record(1, "AIR-1", 1), record(2, "BAD-3", 1, **changes), record(3, "RUN-2", 1)]
    assert function.failures(*records) == ["2"]
    assert (function.price("AIR-1"), function.price("RUN-2")) == (132, 132)


def test_nothing_is_asked_for_a_batch_of_nothing_but_malformed_inputs(function: Function):
    assert function.failures(record(1, "AIR-1", 1, features={})) == ["1"]


@pytest.mark.parametrize("code", ["ThrottlingException", "ModelError", "ServiceUnavailable"])
def test_an_endpoint_that_fails_is_an_error_of_the_function(function: Function, code: str):
    function.endpoint.add_client_error("invoke_endpoint", code)
    with pytest.raises(ClientError, match=code):
        function.failures(record(1, "AIR-1", 1))
    assert function.price("AIR-1") == 120


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        pytest.param([], "answered 0 of 1 rows", id="too few"),
        pytest.param([1.0, 1.1], "answered 2 of 1 rows", id="too many"),
        pytest.param([float("nan")], "finite number", id="not a number"),
        pytest.param(["high"], "valid number", id="a word"),
    ],
)
def test_an_answer_that_makes_no_sense_sets_no_price(
    function: Function, scores: list[Any], why: str
):
    function.answers(*scores, rows=[{"features": [*FEATURES.values()]}])
    with pytest.raises(ValueError, match=why):
        function.failures(record(1, "AIR-1", 1))
    assert function.price("AIR-1") == 120


def test_a_catalogue_that_throttles_holds_up_one_sneaker(
    function: Function, monkeypatch: pytest.MonkeyPatch
):
    code = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}
    set_price = function.app.set_price

    def throttled(products: Any, known: Any, price: Decimal) -> bool:
        if known.sku == "AIR-1":
            raise ClientError(code, "UpdateItem")
        return bool(set_price(products, known, price))

    monkeypatch.setattr(function.app, "set_price", throttled)
    function.answers(1.1, 1.1)
    assert function.failures(record(1, "AIR-1", 1), record(2, "RUN-2", 1)) == ["1"]
    assert (function.price("AIR-1"), function.price("RUN-2")) == (120, 132)


# --- the model -----------------------------------------------------------------------------------


def test_training_writes_the_model_byte_for_byte(tmp_path: Any):
    again = tmp_path / "model.json"
    trained = subprocess.run(
        [sys.executable, ROOT / "scripts" / "train_sneaker_prices.py", again],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert again.read_bytes() == MODEL.read_bytes()
    assert trained.stdout == "R² 0.978 on 400 sales that it was not trained with\n"


def test_the_model_is_asked_in_the_order_in_which_it_was_trained(app: ModuleType):
    assert json.loads(MODEL.read_text())["features"] == [*FEATURES]
    models = sys.modules["models"]
    assert models.Features(**dict(reversed(FEATURES.items()))).row() == [*FEATURES.values()]


def test_the_model_has_learned_what_shops_know():
    """Wanted and sold makes dear; plenty and old makes cheap."""
    model = json.loads(MODEL.read_text())
    signs = {name: c > 0 for name, c in zip(model["features"], model["coefficients"], strict=True)}
    assert signs == {
        "log_interest": True, "log_sold": True, "log_stock": False, "years_on_sale": False,
    }  # fmt: skip
    assert price_of(dict.fromkeys(FEATURES, 0), BOUNDS) == Decimal("117.39")
