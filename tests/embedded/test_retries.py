"""Errors that AWS answers for a while: clients try again as configured, in virtual time."""

from __future__ import annotations

import random
import time
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from esm import Harness
from esm.invokers.inline import Function


def client(**retries: Any) -> Any:
    config = Config(retries=retries) if retries else None
    session = boto3.session.Session()
    return session.client("sagemaker-runtime", region_name="us-east-1", config=config)


def invoke(**retries: Any) -> Any:
    return client(**retries).invoke_endpoint(
        EndpointName="prices", Body=b"{}", ContentType="application/json"
    )


def in_a_handler(harness: Harness, run: Any) -> list[Any]:
    """What `run` gives in a handler, and how long it took there."""
    seen: list[Any] = []

    def handler(event: dict[str, Any], context: Any) -> None:
        before = time.time()
        outcome = run()
        seen.append((outcome, time.time() - before))

    harness.map(harness.kinesis("in"), handler, function=Function(timeout=60))
    harness.streams["in"].put({})
    harness.drain()
    return seen


def served(harness: Harness) -> Any:
    return harness.sagemaker("prices", model=lambda request: {"score": 1})


def test_throttles_are_tried_again_while_virtual_time_passes():
    with Harness() as harness:
        endpoint = served(harness)
        endpoint.inject.throttle(2)
        [(answer, took_s)] = in_a_handler(harness, lambda: invoke())
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert [call.status for call in endpoint.calls] == [400, 400, 200]
    assert 0 < took_s < 3  # at most one second and two
    assert endpoint.calls[-1].at_ms - endpoint.calls[0].at_ms == pytest.approx(
        took_s * 1_000, abs=2
    )


def test_the_same_seed_waits_equally_long():
    def waited(seed: int) -> float:
        with Harness(seed=seed) as harness:
            served(harness).inject.error(times=1, status=500)
            [(_, took_s)] = in_a_handler(harness, lambda: invoke())
        return float(took_s)

    assert waited(1) == waited(1) != waited(2)


def test_chance_of_the_process_is_left_as_it_was():
    random.seed(7)
    expected = random.random()
    random.seed(7)
    with Harness() as harness:
        served(harness).inject.throttle(1)
        invoke()
    assert random.random() == expected


@pytest.mark.parametrize(
    ("retries", "attempts"),
    [
        ({"mode": "legacy"}, 5),
        ({"mode": "standard"}, 3),
        ({"mode": "standard", "total_max_attempts": 2}, 2),
        ({"mode": "legacy", "max_attempts": 1}, 2),
        ({"total_max_attempts": 1}, 1),
    ],
)
def test_a_client_gives_up_as_it_is_configured(retries: dict[str, Any], attempts: int):
    with Harness() as harness:
        endpoint = served(harness)
        endpoint.inject.error(times=10, status=503)
        with pytest.raises(ClientError) as caught:
            invoke(**retries)
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == attempts - 1
    assert len(endpoint.calls) == attempts


def test_what_is_wrong_with_the_call_is_not_tried_again():
    with Harness() as harness:
        endpoint = harness.sagemaker("prices", model=lambda request: 1 / 0)
        with pytest.raises(ClientError, match="ModelError"):
            invoke()
    assert [call.status for call in endpoint.calls] == [424]


def test_a_client_that_succeeds_gets_back_what_retries_cost_it():
    with Harness() as harness:
        endpoint = served(harness)
        runtime = client(mode="standard")
        for _ in range(150):  # far more than its quota has room for
            endpoint.inject.throttle(1)
            runtime.invoke_endpoint(EndpointName="prices", Body=b"{}")
    assert len(endpoint.requests) == 150


def test_a_client_waits_for_an_answer_only_as_long_as_it_would():
    def invoke_impatiently() -> str:
        config = Config(read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"})
        runtime = boto3.session.Session().client(
            "sagemaker-runtime", region_name="us-east-1", config=config
        )
        try:
            runtime.invoke_endpoint(EndpointName="prices", Body=b"{}")
        except ReadTimeoutError as error:
            return str(error)
        return "answered"

    with Harness() as harness:
        endpoint = served(harness)
        endpoint.inject.latency("2500ms")
        [(outcome, took_s)] = in_a_handler(harness, invoke_impatiently)
    assert outcome.startswith("Read timeout on endpoint URL")
    assert len(endpoint.calls) == 2
    assert 4 <= took_s < 5
