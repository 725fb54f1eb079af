"""An endpoint serves a model of the project: what it is asked, what it answers, how it fails."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from esm import Harness
from esm.errors import EndpointError, InputError, InvalidValue

LINEAR = {
    "kind": "linear",
    "features": ["views", "stock"],
    "intercept": 90.0,
    "coefficients": [0.5, -0.25],
}
BOOSTED = {
    "kind": "boosted",
    "features": ["views", "stock"],
    "base": 100.0,
    "learning_rate": 0.5,
    "trees": [
        {"feature": "views", "threshold": 10, "below": -4.0, "else": 4.0},
        {
            "feature": "stock",
            "threshold": 5,
            "below": {"feature": "views", "threshold": 100, "below": 1.0, "else": 9.0},
            "else": 0.0,
        },
    ],
}
JSON, LINES, CSV = "application/json", "application/jsonlines", "text/csv"
ONE = json.dumps({"instances": [{"features": [10, 4]}]})


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(LINEAR))
    return path


@cache
def runtime() -> Any:
    return boto3.session.Session().client("sagemaker-runtime", region_name="us-east-1")


def invoke(body: Any, content_type: str = JSON, **more: Any) -> Any:
    return runtime().invoke_endpoint(
        EndpointName="prices", Body=body, ContentType=content_type, **more
    )


def refusal(body: Any, content_type: str = JSON, **more: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        invoke(body, content_type, **more)
    return caught.value.response


# --- models --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "scores"),
    [(LINEAR, [94.0, 90.0]), (BOOSTED, [102.5, 98.5]), ({**LINEAR, "maximum": 91}, [91.0, 90.0])],
    ids=["linear", "boosted", "bounded"],
)
def test_a_model_file_is_served(tmp_path: Path, document: dict[str, Any], scores: list[float]):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(document))
    body = json.dumps({"instances": [{"features": [10, 4]}, {"features": [0, 0]}]})
    with Harness() as harness:
        harness.sagemaker("prices", model=path)
        answer = json.loads(invoke(body)["Body"].read())
    assert answer == {"predictions": [{"score": score} for score in scores]}


@pytest.mark.parametrize(
    "instance", [[10, 4], {"features": [10, 4]}, {"features": {"stock": 4, "views": 10}},
                 {"stock": 4, "views": 10, "sku": "sneaker"}]
)  # fmt: skip
def test_an_instance_is_a_row_or_has_names(model: Path, instance: Any):
    with Harness() as harness:
        endpoint = harness.sagemaker("prices", model=model)
        answer = json.loads(invoke(json.dumps({"instances": [instance]}))["Body"].read())
    assert answer == {"predictions": [{"score": 94.0}]}
    assert endpoint.requests == [{"instances": [instance]}]


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "answered"),
    [
        (b"10,4\n0,0\n", CSV, None, b"94.0\n90.0\n"),
        (b'{"features": [10, 4]}\n{"features": [0, 0]}\n', LINES, None,
         b'{"score": 94.0}\n{"score": 90.0}\n'),
        (b"10,4\n", CSV, JSON, b'{"predictions": [{"score": 94.0}]}'),
        (ONE, "application/json; charset=utf-8", "*/*", b'{"predictions": [{"score": 94.0}]}'),
        (io.BytesIO(ONE.encode()), JSON, CSV, b"94.0\n"),
    ],
)  # fmt: skip
def test_a_request_has_one_form_and_its_answer_another(
    model: Path, body: Any, content_type: str, accept: str | None, answered: bytes
):
    with Harness() as harness:
        harness.sagemaker("prices", model=model)
        answer = invoke(body, content_type, **({"Accept": accept} if accept else {}))
    assert answer["Body"].read() == answered
    assert answer["ContentType"] == (
        accept if accept in (JSON, CSV) else content_type.split(";")[0]
    )


def test_a_function_may_stand_in_for_a_model():
    def double(request: Any) -> Any:
        return {"twice": request["n"] * 2}

    with Harness() as harness:
        endpoint = harness.sagemaker("prices", model=double)
        answer = invoke(json.dumps({"n": 21}), CustomAttributes="trace-1", TargetVariant="B")
    assert json.loads(answer["Body"].read()) == {"twice": 42}
    assert answer["InvokedProductionVariant"] == "B"
    [call] = endpoint.calls
    assert (call.custom_attributes, call.target_variant, call.status) == ("trace-1", "B", 200)


def test_without_a_content_type_a_function_gets_bytes():
    with Harness() as harness:
        endpoint = harness.sagemaker("prices", model=lambda request: request[::-1])
        answer = runtime().invoke_endpoint(EndpointName="prices", Body=b"abc")
    assert answer["Body"].read() == b"cba"
    assert endpoint.requests == [b"abc"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "truncated"),
        ('{"kind": "neural"}', "neural"),
        (json.dumps({**LINEAR, "coefficients": [1]}), "2 features and 1 coefficients"),
        (json.dumps({**LINEAR, "weights": []}), "weights"),
        (json.dumps({**BOOSTED, "features": ["views"]}), "'stock', which is no feature"),
        (json.dumps(BOOSTED).replace('"below"', '"left"'), "left"),
    ],
)
def test_a_file_that_is_no_model_is_told_at_once(tmp_path: Path, document: str, message: str):
    path = tmp_path / "prices.json"
    path.write_text(document)
    with pytest.raises(EndpointError, match=message) as caught:
        Harness().sagemaker("prices", model=path)
    assert caught.value.esm_code == "E505"
    assert str(path) in str(caught.value)


def test_a_missing_file_is_told_at_once(tmp_path: Path):
    with pytest.raises(EndpointError, match="No such file"):
        Harness().sagemaker("prices", model=tmp_path / "none.json")


def test_a_file_without_an_end_is_not_read_to_it():
    with pytest.raises(EndpointError, match="it has more than 67,108,864 bytes"):
        Harness().sagemaker("prices", model="/dev/zero")


def test_a_model_is_a_file_or_a_function():
    with pytest.raises(InputError, match="neither a file nor a function") as caught:
        Harness().sagemaker("prices", model=3)  # type: ignore[arg-type]
    assert caught.value.esm_code == "E467"


# --- errors --------------------------------------------------------------------------------------


def test_an_unknown_endpoint_is_refused_in_awss_words(model: Path):
    with Harness() as harness:
        harness.sagemaker("costs", model=model)
        error = refusal(ONE)["Error"]
    assert error == {
        "Code": "ValidationError",
        "Message": "Endpoint prices of account 123456789012 not found.",
    }


def test_without_endpoints_no_call_leaves_the_harness():
    with Harness(), pytest.raises(EndpointError) as caught:
        invoke(ONE)
    assert caught.value.esm_code == "E501"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        ("{", JSON, "the body is no application/json"),
        ("[]", JSON, 'a request is {"instances"'),
        ('{"instances": [3]}', JSON, "an instance is a list of features"),
        ('{"instances": [[1]]}', JSON, "2 features wanted, not 1"),
        ('{"instances": [{"views": 1}]}', JSON, "feature 'stock' is missing"),
        ('{"instances": [["many", 1]]}', JSON, "feature 'views' must be a number, not 'many'"),
        ('{"instances": [[true, 1]]}', JSON, "feature 'views' must be a number"),
        ('{"instances": [[NaN, 1]]}', JSON, "feature 'views' must be a number"),
        ('{"instances": [[1e999, 1]]}', JSON, "feature 'views' must be a number, not 'inf'"),
        ('{"instances": [[1' + 400 * "0" + ", 1]]}", JSON, "feature 'views' must be a number"),
        (b"a,b\n", CSV, "feature 'views' must be a number, not 'a'"),
        (b"1,2\r3,4", CSV, "the body is no text/csv"),
        (b"\xff", CSV, "the body is no text/csv"),
        (b"?", "image/png", "image/png is none of"),
    ],
)
def test_what_a_model_cannot_read_is_a_model_error(
    model: Path, body: Any, content_type: str, message: str
):
    with Harness() as harness:
        endpoint = harness.sagemaker("prices", model=model)
        answer = refusal(body, content_type)
    assert answer["Error"]["Code"] == "ModelError"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 400
    assert message in answer["OriginalMessage"]
    assert answer["Error"]["Message"].startswith(
        'Received client error (400) from primary with message "'
    )
    assert endpoint.requests == []


def test_a_form_of_answers_that_no_model_has_is_a_model_error(model: Path):
    with Harness() as harness:
        harness.sagemaker("prices", model=model)
        assert "image/png is none of" in refusal(ONE, Accept="image/png")["OriginalMessage"]


def test_a_function_that_raises_is_a_model_error():
    with Harness() as harness:
        harness.sagemaker("prices", model=lambda request: request["missing"])
        answer = refusal("{}")
    assert answer["OriginalStatusCode"] == 500
    assert answer["OriginalMessage"] == "KeyError: 'missing'"
    assert "/aws/sagemaker/Endpoints/prices" in answer["LogStreamArn"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (424, "ModelError"),
        (500, "InternalFailure"),
        (503, "ServiceUnavailable"),
        (530, "InternalDependencyException"),
    ],
)
def test_an_injected_error_has_awss_shape(model: Path, status: int, code: str):
    with Harness() as harness:
        endpoint = harness.sagemaker("prices", model=model)
        endpoint.inject.error(times=10, status=status)
        answer = refusal(ONE)
        with pytest.raises(getattr(runtime().exceptions, code)):
            invoke(ONE)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def test_only_errors_that_the_service_has_can_be_injected(model: Path):
    endpoint = Harness().sagemaker("prices", model=model)
    with pytest.raises(InvalidValue, match="no error with status 404") as caught:
        endpoint.inject.error(status=404)
    assert caught.value.esm_code == "E448"
    with pytest.raises(InvalidValue, match="times cannot be negative"):
        endpoint.inject.throttle(-1)


@pytest.mark.parametrize("parameter", ["TargetModel", "SessionId", "InferenceComponentName"])
def test_what_is_not_emulated_is_refused(model: Path, parameter: str):
    with Harness() as harness:
        harness.sagemaker("prices", model=model)
        with pytest.raises(EndpointError, match=parameter) as caught:
            invoke(ONE, **{parameter: "one"})
    assert caught.value.esm_code == "E502"


# --- in a Harness --------------------------------------------------------------------------------


def test_a_call_takes_virtual_time_and_may_take_the_function_past_its_timeout(model: Path):
    def invoke_twice(event: dict[str, Any], context: Any) -> None:
        invoke(ONE)
        invoke(ONE)

    with Harness() as harness:
        endpoint = harness.sagemaker("prices", model=model)
        endpoint.inject.latency("2s")
        stream = harness.kinesis("in")
        mapping = harness.map(stream, invoke_twice, maximum_retry_attempts=0)
        stream.put({})
        harness.drain()
    [discard] = mapping.discarded
    assert discard.records[0].json == {}
    assert [call.at_ms - harness.trace.start_ms for call in endpoint.calls] == [0, 2_000]


TEMPLATE = """\
Resources:
  Model:
    Type: AWS::SageMaker::Model
    Properties: {ExecutionRoleArn: role, PrimaryContainer: {ModelDataUrl: s3://models/p.tar.gz}}
  Config:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants:
        - {ModelName: !GetAtt Model.ModelName, VariantName: AllTraffic}
  Prices:
    Type: AWS::SageMaker::Endpoint
    Metadata: {esm: {ModelFile: prices.json}}
    Properties: {EndpointName: prices, EndpointConfigName: !GetAtt Config.EndpointConfigName}
  Other:
    Type: AWS::SageMaker::Endpoint
    Properties: {EndpointName: other, EndpointConfigName: !GetAtt Config.EndpointConfigName}
"""


def test_a_template_declares_endpoints_and_says_where_their_models_are(model: Path):
    path = model.with_name("template.yaml")
    path.write_text(TEMPLATE)
    with Harness() as harness:
        mappings = harness.template(path)
        assert json.loads(invoke(ONE)["Body"].read()) == {"predictions": [{"score": 94.0}]}
        assert len(mappings.endpoints["Prices"].requests) == 1
        with pytest.raises(EndpointError, match="other has no model here") as caught:
            runtime().invoke_endpoint(EndpointName="other", Body=b"")
        harness.sagemaker("other", model=lambda request: "ours")
        answer = runtime().invoke_endpoint(EndpointName="other", Body=b"")
        assert json.loads(answer["Body"].read()) == "ours"
    assert caught.value.esm_code == "E506"


def test_an_endpoint_has_one_name():
    harness = Harness()
    harness.sagemaker("prices", model=lambda request: 1)
    with pytest.raises(InputError, match="has a SageMaker endpoint 'prices' already"):
        harness.sagemaker("prices", model=lambda request: 2)
