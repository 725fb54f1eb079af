"""The same source for the same function, twice: AWS's answers, with the spaces inside quotes."""

import pytest

from esm.errors import MappingError
from esm.mapping import create
from esm.mapping.duplicates import conflict, reading_of, refuse_duplicate

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2024-06-10T19:26:16.525"
CLUSTER = "arn:aws:kafka:us-east-1:123456789012:cluster/orders/1-1"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:handle"
UUID = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"


def stream(arn=STREAM, function="handle"):
    return reading_of({"EventSourceArn": arn, "FunctionName": function})


def brokers(servers="a:1", topic="orders", function="handle"):
    endpoints = {"KAFKA_BOOTSTRAP_SERVERS": servers.split(",")}
    return reading_of(
        {"SelfManagedEventSource": {"Endpoints": endpoints}, "Topics": [topic]}, function=function
    )


def cluster(topic="orders", function="handle"):
    return reading_of({"EventSourceArn": CLUSTER, "Topics": [topic], "FunctionName": function})


@pytest.mark.parametrize("arn", [STREAM, TABLE], ids=["kinesis", "dynamodb"])
@pytest.mark.parametrize("function", ["handle", FUNCTION])
def test_a_stream_in_awss_words(arn, function):
    error = conflict(stream(arn, function), stream(arn), uuid=UUID)
    assert error is not None
    assert (error.esm_code, error.code) == ("E236", "ResourceConflictException")
    assert error.message == (
        f'The event source arn (" {arn} ") and function (" handle ") provided mapping already '
        f"exists. Please update or delete the existing mapping with UUID {UUID}"
    )


def test_brokers_in_awss_words():
    error = conflict(brokers("a:1,b:2", function=FUNCTION), brokers("b:2"), uuid=UUID)
    assert error is not None
    assert error.code == "ResourceConflictException"
    assert error.message == (
        f'An event source mapping with event source ("a:1,b:2"), function ("{FUNCTION}"), topics '
        f'("orders") already exists. Please update or delete the existing mapping with UUID {UUID}'
    )


def test_a_cluster_is_its_own_broker():
    error = conflict(cluster(), cluster(), uuid=UUID)
    assert error is not None
    assert f'event source ("{CLUSTER}")' in error.message


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(stream(), stream(TABLE), id="another-source"),
        pytest.param(stream(), stream(function="other"), id="another-function"),
        pytest.param(stream(), stream(function="handle:live"), id="a-qualifier"),
        pytest.param(
            stream(function=f"{FUNCTION}:1"), stream(function=f"{FUNCTION}:2"), id="two-qualifiers"
        ),
        pytest.param(stream(), stream(f"{STREAM}/consumer/fast:1"), id="a-consumer"),
        pytest.param(brokers("a:1"), brokers("b:2"), id="no-broker-in-common"),
        pytest.param(brokers(topic="aa"), brokers(topic="bb"), id="no-topic-in-common"),
        pytest.param(cluster(topic="aa"), cluster(topic="bb"), id="another-topic-of-a-cluster"),
        pytest.param(reading_of({}), reading_of({}), id="no-source-at-all"),
        pytest.param(
            reading_of({"SelfManagedEventSource": "a:1", "Topics": "orders"}),
            reading_of({"SelfManagedEventSource": {"Endpoints": ["a:1"]}, "Topics": 1}),
            id="values-without-sense",
        ),
    ],
)
def test_two_mappings_that_aws_takes(first, second):
    assert conflict(second, first, uuid=UUID) is None


def test_a_mapping_beside_others():
    def mapping(arn, function):
        position = {"StartingPosition": "LATEST"}
        return create({"EventSourceArn": arn, "FunctionName": function, **position}, now_ms=0)

    others = {"1": mapping(TABLE, "handle"), "2": mapping(STREAM, "other")}
    refuse_duplicate(mapping(STREAM, "handle"), others)
    with pytest.raises(MappingError) as caught:
        refuse_duplicate(mapping(TABLE, FUNCTION), others)
    assert caught.value.message.endswith("the existing mapping with UUID 1")
