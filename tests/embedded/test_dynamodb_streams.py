"""The DynamoDB Streams API as boto3 sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
import botocore.httpsession
import pytest
from botocore.exceptions import ClientError

from esm import Harness
from esm.errors import EndpointError
from esm.sources.dynamodb_table import DynamoDbTable

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes as far as the network fails the test."""

    def send(self: object, request: Any) -> None:
        pytest.fail(f"a request left for {request.url}")

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", send)


@pytest.fixture
def h() -> Iterator[Harness]:
    with Harness() as harness:
        yield harness


@pytest.fixture
def orders(h: Harness) -> DynamoDbTable:
    return h.dynamodb("orders")


@pytest.fixture
def streams(h: Harness) -> Any:
    """In a Harness."""
    return a_client()


@cache
def a_client() -> Any:
    """A client with nothing but a region, whose host would hold an account's id."""
    return boto3.session.Session().client("dynamodbstreams", region_name="us-east-1")


def described(streams: Any, **more: Any) -> Any:
    return streams.describe_stream(StreamArn=ARN, **more)["StreamDescription"]


def iterator(streams: Any, kind: str = "TRIM_HORIZON", shard: int = 0, **more: Any) -> str:
    shard_id = described(streams)["Shards"][shard]["ShardId"]
    answer = streams.get_shard_iterator(
        StreamArn=ARN, ShardId=shard_id, ShardIteratorType=kind, **more
    )
    return str(answer["ShardIterator"])


def keys(streams: Any, start: str, **more: Any) -> list[str]:
    """The keys that one read gives."""
    records = streams.get_records(ShardIterator=start, **more)["Records"]
    return [record["dynamodb"]["Keys"]["pk"]["S"] for record in records]


def code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


# --- what there is -------------------------------------------------------------------------------


def test_streams_are_listed_by_arn_and_page_by_page(h: Harness, streams: Any) -> None:
    for name in ("orders", "audit"):
        h.dynamodb(name)
    first = streams.list_streams(Limit=1)
    rest = streams.list_streams(ExclusiveStartStreamArn=first["LastEvaluatedStreamArn"])
    assert [s["TableName"] for s in first["Streams"] + rest["Streams"]] == ["audit", "orders"]
    assert "LastEvaluatedStreamArn" not in rest
    assert streams.list_streams(TableName="orders")["Streams"] == [
        {"StreamArn": ARN, "TableName": "orders", "StreamLabel": "2026-01-01T00:00:00.000"}
    ]


def test_the_table_names_its_stream(orders: DynamoDbTable) -> None:
    client = boto3.session.Session().client("dynamodb", region_name="us-east-1")
    table = client.describe_table(TableName="orders")["Table"]
    assert table["LatestStreamArn"] == orders.arn == ARN
    assert table["StreamSpecification"] == {
        "StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES",
    }  # fmt: skip


def test_a_stream_is_described(h: Harness, streams: Any) -> None:
    table = h.dynamodb("orders", keys=("customer", "order"), view="KEYS_ONLY")
    description = described(streams)
    [shard] = description.pop("Shards")
    assert description == {
        "StreamArn": ARN,
        "StreamLabel": "2026-01-01T00:00:00.000",
        "TableName": "orders",
        "StreamStatus": "ENABLED",
        "StreamViewType": "KEYS_ONLY",
        "CreationRequestDateTime": START,
        "KeySchema": [
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "order", "KeyType": "RANGE"},
        ],
    }
    assert shard["ShardId"] == table.shards[0].shard_id
    assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def test_shards_come_page_by_page_and_name_their_parents(
    orders: DynamoDbTable, streams: Any
) -> None:
    children = [orders.roll_shard() for _ in range(2)]
    first = described(streams, Limit=1)
    rest = described(streams, ExclusiveStartShardId=first["LastEvaluatedShardId"])["Shards"]
    assert [shard["ShardId"] for shard in rest] == [child.shard_id for child in children]
    assert [s.get("ParentShardId") for s in first["Shards"] + rest] == [
        None, orders.shards[0].shard_id, children[0].shard_id,
    ]  # fmt: skip
    assert "EndingSequenceNumber" in rest[0]["SequenceNumberRange"]


def test_the_children_of_a_shard_may_be_asked_for(orders: DynamoDbTable, streams: Any) -> None:
    child = orders.roll_shard()
    orders.roll_shard()
    parent = orders.shards[0].shard_id
    of_parent = described(streams, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent})
    assert [shard["ShardId"] for shard in of_parent["Shards"]] == [child.shard_id]


# --- reading -------------------------------------------------------------------------------------


def test_records_are_in_the_shape_of_the_api(h: Harness, streams: Any) -> None:
    table = h.dynamodb("orders")
    h.advance("1700ms")
    table.put_item({"pk": "a", "raw": b"foobar", "list": [{"b": b"x"}], "bytes": {b"y"}})
    table.ttl_delete({"pk": "a"})
    put, deleted = streams.get_records(ShardIterator=iterator(streams))["Records"]
    assert put == {
        "eventID": table.records[0].event_id,
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": START + timedelta(seconds=1),
            "Keys": {"pk": {"S": "a"}},
            "NewImage": {
                "bytes": {"BS": [b"y"]},
                "list": {"L": [{"M": {"b": {"B": b"x"}}}]},
                "pk": {"S": "a"},
                "raw": {"B": b"foobar"},
            },
            "SequenceNumber": table.records[0].sequence_number,
            "SizeBytes": table.records[0].json["SizeBytes"],
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    assert deleted["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


def test_the_region_is_the_tables(h: Harness, streams: Any) -> None:
    h.region = "eu-central-1"
    table = h.dynamodb("orders")
    table.put_item({"pk": "a"})
    start = streams.get_shard_iterator(
        StreamArn=table.arn, ShardId=table.shards[0].shard_id, ShardIteratorType="TRIM_HORIZON"
    )
    [record] = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    assert record["awsRegion"] == "eu-central-1"


def test_a_reader_goes_on_and_ends_with_its_shard(orders: DynamoDbTable, streams: Any) -> None:
    for key in "abc":
        orders.put_item({"pk": key})
    first = streams.get_records(ShardIterator=iterator(streams), Limit=2)
    assert len(first["Records"]) == 2
    second = streams.get_records(ShardIterator=first["NextShardIterator"])
    assert len(second["Records"]) == 1
    orders.roll_shard()
    last = streams.get_records(ShardIterator=second["NextShardIterator"])
    assert last["Records"] == []
    assert "NextShardIterator" not in last


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("TRIM_HORIZON", lambda r: {}, "abc"),
        ("LATEST", lambda r: {}, ""),
        ("AT_SEQUENCE_NUMBER", lambda r: {"SequenceNumber": r[1].sequence_number}, "bc"),
        ("AFTER_SEQUENCE_NUMBER", lambda r: {"SequenceNumber": r[1].sequence_number}, "c"),
        ("AT_TIMESTAMP", lambda r: {"Timestamp": START + timedelta(seconds=1)}, "bc"),
    ],
)
def test_the_five_starting_points(
    h: Harness, orders: DynamoDbTable, streams: Any, kind: str, more: Any, expected: str
) -> None:
    for key in "abc":
        orders.put_item({"pk": key})
        h.advance("1s")
    start = iterator(streams, kind, **more(orders.records))
    orders.put_item({"pk": "d"})
    assert "".join(keys(streams, start)) == f"{expected}d"


def test_the_number_that_a_shard_starts_with_is_a_starting_point(
    orders: DynamoDbTable, streams: Any
) -> None:
    orders.put_item({"pk": "a"})
    first = orders.shards[0].starting_sequence_number
    assert keys(streams, iterator(streams, "AT_SEQUENCE_NUMBER", SequenceNumber=first)) == ["a"]


def test_a_handler_reads_the_stream_of_its_own_harness(orders: DynamoDbTable, h: Harness) -> None:
    seen: list[str] = []

    def handler(event: dict[str, Any], context: Any) -> None:
        client = a_client()
        seen.extend(keys(client, iterator(client)))

    h.map(orders, handler)
    orders.put_item({"pk": "a"})
    h.drain()
    assert seen == ["a"]


# --- what is refused -----------------------------------------------------------------------------


def test_an_iterator_lives_for_15_minutes(h: Harness, orders: DynamoDbTable, streams: Any) -> None:
    start = iterator(streams)
    h.advance("15m")
    assert keys(streams, start) == []
    h.advance("1ms")
    with pytest.raises(ClientError) as raised:
        keys(streams, start)
    assert code(raised) == "ExpiredIteratorException"


def test_what_is_trimmed_cannot_be_read(h: Harness, orders: DynamoDbTable, streams: Any) -> None:
    gone = orders.put_item({"pk": "a"})
    assert gone is not None
    h.advance("23h59m")
    start = iterator(streams)
    orders.put_item({"pk": "b"})
    assert keys(streams, start) == ["a", "b"]
    h.advance("2m")
    for read in (
        lambda: keys(streams, start),
        lambda: iterator(streams, "AT_SEQUENCE_NUMBER", SequenceNumber=gone.sequence_number),
    ):
        with pytest.raises(ClientError) as raised:
            read()
        assert code(raised) == "TrimmedDataAccessException"
    assert keys(streams, iterator(streams)) == ["b"]


def test_a_shard_is_gone_a_day_after_its_end(
    h: Harness, orders: DynamoDbTable, streams: Any
) -> None:
    parent = orders.shards[0].shard_id
    child = orders.roll_shard()
    h.advance("24h1ms")
    assert [shard["ShardId"] for shard in described(streams)["Shards"]] == [child.shard_id]
    with pytest.raises(ClientError) as raised:
        streams.get_shard_iterator(StreamArn=ARN, ShardId=parent, ShardIteratorType="TRIM_HORIZON")
    assert code(raised) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda s: keys(s, iterator(s), Limit=1_001), "LimitExceededException"),
        (lambda s: iterator(s, "SOMEWHERE"), "ValidationException"),
        (lambda s: iterator(s, "AT_TIMESTAMP"), "ValidationException"),
        (lambda s: iterator(s, "AT_SEQUENCE_NUMBER"), "ValidationException"),
        (
            lambda s: iterator(s, "AFTER_SEQUENCE_NUMBER", SequenceNumber="1" * 21),
            "ValidationException",
        ),
        (
            lambda s: s.get_shard_iterator(
                StreamArn=ARN, ShardId="shardId-" + "0" * 20, ShardIteratorType="LATEST"
            ),
            "ResourceNotFoundException",
        ),
        (lambda s: described(s, ShardFilter={"Type": "OTHERS"}), "ValidationException"),
        (lambda s: s.list_streams(TableName="elsewhere"), None),
        (lambda s: s.describe_stream(StreamArn=ARN.replace("orders", "others")), None),
        (lambda s: keys(s, "not an iterator"), None),
    ],
)
def test_mistakes_are_aws_errors_and_what_is_not_ours_stays_here(
    orders: DynamoDbTable, streams: Any, call: Any, expected: str | None
) -> None:
    if expected is None:
        with pytest.raises(EndpointError, match="E501") as refused:
            call(streams)
        assert "esm.dynamodb(" in str(refused.value)
        return
    with pytest.raises(ClientError) as raised:
        call(streams)
    assert code(raised) == expected
