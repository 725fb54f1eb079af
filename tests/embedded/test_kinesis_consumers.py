"""Consumers through the API: registered, described and listed as on AWS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from esm import Harness
from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.kinesis_errors import KinesisApiError
from esm.errors import EndpointError
from esm.sources.memory import KinesisStream

START_MS = 1_767_225_600_123


class World:
    """A stream and the API over it."""

    def __init__(self) -> None:
        self.orders = KinesisStream("orders", now=lambda: START_MS)
        self.api = KinesisApi({"orders": self.orders})

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        if "ConsumerARN" not in params:
            params["StreamARN"] = self.orders.arn
        return self.api.handle(operation, params, START_MS)

    def refused(self, operation: str, **params: Any) -> KinesisApiError:
        with pytest.raises(KinesisApiError) as refusal:
            self.call(operation, **params)
        return refusal.value


@pytest.fixture
def world() -> World:
    return World()


def test_a_consumer_is_registered_and_described(world):
    consumer = world.call("RegisterStreamConsumer", ConsumerName="fast")["Consumer"]
    assert consumer == {
        "ConsumerName": "fast",
        "ConsumerARN": f"{world.orders.arn}/consumer/fast:1767225600",
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
    }
    described = {"ConsumerDescription": consumer | {"StreamARN": world.orders.arn}}
    assert world.call("DescribeStreamConsumer", ConsumerName="fast") == described
    arn = consumer["ConsumerARN"]
    assert world.call("DescribeStreamConsumer", ConsumerARN=arn) == described
    assert world.orders.consumer("fast").arn == arn


def test_they_are_listed_by_name_in_pages(world):
    for name in ("c", "a", "b"):
        world.orders.consumer(name)
    first = world.call("ListStreamConsumers", MaxResults=2)
    rest = world.call("ListStreamConsumers", MaxResults=2, NextToken=first["NextToken"])
    names = [[c["ConsumerName"] for c in page["Consumers"]] for page in (first, rest)]
    assert names == [["a", "b"], ["c"]]
    assert "NextToken" not in rest


def test_the_summary_of_a_stream_counts_them(world):
    world.orders.consumer("fast")
    summary = world.call("DescribeStreamSummary")["StreamDescriptionSummary"]
    assert summary["ConsumerCount"] == 1


def test_a_name_is_registered_once(world):
    world.call("RegisterStreamConsumer", ConsumerName="fast")
    error = world.refused("RegisterStreamConsumer", ConsumerName="fast")
    assert error.code == "ResourceInUseException"


def test_there_are_twenty_at_most(world):
    for number in range(20):
        world.call("RegisterStreamConsumer", ConsumerName=f"c{number}")
    error = world.refused("RegisterStreamConsumer", ConsumerName="one-more")
    assert error.code == "LimitExceededException"


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("RegisterStreamConsumer", {}, "ValidationException"),
        ("RegisterStreamConsumer", {"ConsumerName": "a b"}, "ValidationException"),
        ("DescribeStreamConsumer", {"ConsumerName": "nobody"}, "ResourceNotFoundException"),
        ("ListStreamConsumers", {"MaxResults": 0}, "ValidationException"),
        ("ListStreamConsumers", {"NextToken": "x"}, "InvalidArgumentException"),
    ],
)
def test_what_aws_refuses(world, operation, params, code):
    assert world.refused(operation, **params).code == code


def test_none_is_deregistered_under_a_mapping_that_reads_it(world):
    world.orders.consumer("fast")
    with pytest.raises(EndpointError, match="E502"):
        world.call("DeregisterStreamConsumer", ConsumerName="fast")


def test_a_handler_may_ask_boto3():
    h = Harness()
    orders = h.kinesis("orders")
    asked = []

    def handler(event, context):
        arn = event["Records"][0]["eventSourceARN"]
        kinesis = boto3.client("kinesis", region_name="us-east-1")
        described = kinesis.describe_stream_consumer(ConsumerARN=arn)["ConsumerDescription"]
        asked.append(described["ConsumerName"])

    h.map(orders.consumer("fast"), handler)
    orders.put("x")
    h.drain()
    assert asked == ["fast"]
