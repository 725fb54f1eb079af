"""Tables in chains: what handlers write with boto3 is what the next handler gets."""

from __future__ import annotations

import json
import textwrap
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esm import Harness
from esm.errors import InputError, TemplateError

Write = Callable[[str, str], Path]


@cache
def table(name: str) -> Any:
    return boto3.session.Session().resource("dynamodb", region_name="us-east-1").Table(name)


def images(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [record["dynamodb"]["NewImage"] for record in event["Records"]]


def nothing(event: dict[str, Any], context: Any) -> None:
    """A handler that is content."""


def count_orders(event: dict[str, Any], context: Any) -> None:
    """Count the orders of each customer with boto3."""
    for image in images(event):
        table("totals").update_item(
            Key={"customer": image["customer"]["S"]},
            UpdateExpression="ADD orders :one",
            ExpressionAttributeValues={":one": 1},
        )


def chain(seed: int) -> tuple[Harness, list[Any], list[str]]:
    """Orders that are put, counted with boto3, and announced from the stream of the counts."""
    h, announced = Harness(seed), list[Any]()

    def announce(event: dict[str, Any], context: Any) -> None:
        announced.extend((i["customer"]["S"], i["orders"]["N"]) for i in images(event))

    orders, totals = h.dynamodb("orders", keys=("id",)), h.dynamodb("totals", keys=("customer",))
    first = h.map(orders, count_orders, batch_size=2)
    second = h.map(totals, announce)
    for number in range(6):
        orders.put_item({"id": number, "customer": "abc"[number % 3]})
        h.advance("300ms")
    assert h.drain() == "idle"
    return h, announced, [first.timeline(), second.timeline()]


def test_what_a_handler_writes_is_what_the_next_gets():
    h, announced, _ = chain(seed=1)
    assert announced == [(c, n) for n in "12" for c in "abc"]
    assert h.tables["totals"].get_item({"customer": "b"}) == {"customer": "b", "orders": 2}


def test_the_same_seed_gives_the_same_chain():
    assert chain(seed=7)[1:] == chain(seed=7)[1:]


def test_a_failed_condition_makes_the_handler_fail_and_leaves_no_record(h):
    def once_only(event: dict[str, Any], context: Any) -> None:
        for image in images(event):
            table("seen").put_item(
                Item={"pk": image["pk"]["S"]}, ConditionExpression="attribute_not_exists(pk)"
            )

    orders, seen = h.dynamodb("orders"), h.dynamodb("seen")
    mapping = h.map(orders, once_only, maximum_retry_attempts=1)
    orders.put_item({"pk": "a"})
    h.drain()
    orders.update_item({"pk": "a"}, n=1)
    h.drain()

    assert [type(i.error).__name__ for i in mapping.invocations] == [
        "NoneType", "ConditionalCheckFailedException", "ConditionalCheckFailedException",
    ]  # fmt: skip
    assert len(mapping.discarded) == 1
    assert [record.event_name for record in seen.records] == ["INSERT"]


def test_a_transaction_arrives_whole(h):
    def book(event: dict[str, Any], context: Any) -> None:
        client = boto3.session.Session().client("dynamodb", region_name="us-east-1")
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "book", "Item": {"pk": {"S": side}}}} for side in "abc"
            ]
        )

    orders, entries = h.dynamodb("orders"), h.dynamodb("book")
    h.map(orders, book)
    mapping = h.map(entries, nothing)
    orders.put_item({"pk": 1})
    h.drain()
    assert mapping.batches == [[1, 2, 3]]


def test_items_that_time_to_live_deletes_can_be_told_apart(h):
    def archive(event: dict[str, Any], context: Any) -> None:
        for record in event["Records"]:
            if record.get("userIdentity", {}).get("principalId") == "dynamodb.amazonaws.com":
                table("archive").put_item(Item={"pk": record["dynamodb"]["Keys"]["pk"]["S"]})

    sessions, archived = h.dynamodb("sessions"), h.dynamodb("archive")
    h.map(sessions, archive)
    for key in "ab":
        sessions.put_item({"pk": key})
    sessions.delete_item({"pk": "a"})
    sessions.ttl_delete({"pk": "b"})
    h.drain()
    assert list(archived.items) == ['{"pk":{"S":"b"}}']


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_the_view_holds_for_what_boto3_writes(h, view, shown):
    orders = h.dynamodb("orders", view=view)
    mapping = h.map(orders, nothing)
    with h:
        for number in (1, 2):
            table("orders").put_item(Item={"pk": "a", "n": number})
    h.drain()
    part = mapping.invocations[0].event["Records"][1]["dynamodb"]
    assert set(part) & {"NewImage", "OldImage"} == shown
    assert part["StreamViewType"] == view


def test_a_crash_loses_nothing(h):
    orders = h.dynamodb("orders", keys=("id",))
    totals = h.dynamodb("totals", keys=("customer",))
    first, second = h.map(orders, count_orders, batch_size=1), h.map(totals, nothing)
    for number in range(10):
        orders.put_item({"id": number, "customer": "a"})
        h.advance("100ms")
        h.restart()
        if number == 5:
            totals.roll_shard()
    h.drain()
    assert (first.lag(), second.lag()) == (0, 0)
    assert {r.ordinal for r in second.delivered} == {r.ordinal for r in totals.records}
    assert totals.get_item({"customer": "a"})["orders"] >= 10


@settings(max_examples=12, deadline=None)
@given(
    writes=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    seed=st.integers(0, 100),
)
def test_an_items_changes_through_boto3_keep_their_order(writes: list[int], seed: int):
    """Ten lanes of different speed, and failures now and then."""
    h = Harness(seed, freeze=False, latency=("1ms", "3s"))
    seen: dict[str, list[int]] = defaultdict(list)

    def handler(event: dict[str, Any], context: Any) -> None:
        if h.rng.random() < 0.2:
            raise ValueError("now and then")
        for image in images(event):
            seen[image["pk"]["N"]].append(int(image["n"]["N"]))

    orders = h.dynamodb("orders", keys={"pk": "N"})
    mapping = h.map(orders, handler, batch_size=2, parallelization_factor=10)
    with h:
        for number, key in enumerate(writes):
            table("orders").put_item(Item={"pk": key, "n": number})
    h.drain()

    assert mapping.lag() == 0
    assert {int(key): numbers for key, numbers in seen.items()} == {
        key: [n for n, written in enumerate(writes) if written == key] for key in set(writes)
    }


@pytest.fixture
def h() -> Harness:
    return Harness()


# --- from a template -----------------------------------------------------------------------------

TEMPLATE = """\
    Transform: AWS::Serverless-2016-10-31
    Globals:
      Function: {Handler: app.handler, Runtime: python3.11, CodeUri: src}
    Resources:
      Orders:
        Type: AWS::DynamoDB::Table
        Properties:
          TableName: orders
          KeySchema: [{AttributeName: sk, KeyType: RANGE}, {AttributeName: pk, KeyType: HASH}]
          AttributeDefinitions:
            - {AttributeName: pk, AttributeType: S}
            - {AttributeName: sk, AttributeType: N}
            - {AttributeName: city, AttributeType: S}
          GlobalSecondaryIndexes:
            - IndexName: by_city
              KeySchema: [{AttributeName: city, KeyType: HASH}]
              Projection: {ProjectionType: ALL}
          StreamSpecification: {StreamViewType: NEW_IMAGE}
      Copies:
        Type: AWS::DynamoDB::Table
        Properties:
          KeySchema: [{AttributeName: id, KeyType: HASH}]
          AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      Copy:
        Type: AWS::Serverless::Function
        Properties:
          Environment: {Variables: {TABLE: !Ref Copies}}
          Events:
            Changed:
              Type: DynamoDB
              Properties: {Stream: !GetAtt Orders.StreamArn, StartingPosition: TRIM_HORIZON}
      Raw:
        Type: AWS::Lambda::EventSourceMapping
        Properties:
          EventSourceArn: !GetAtt Orders.StreamArn
          FunctionName: !Ref Again
          StartingPosition: LATEST
      Again:
        Type: AWS::Serverless::Function
        Properties: {Environment: {Variables: {TABLE: !Ref Copies}}}
    """
APP = """\
    import os
    import boto3
    copies = boto3.resource("dynamodb").Table(os.environ["TABLE"])
    def handler(event, context):
        for record in event["Records"]:
            copies.put_item(Item={"id": record["dynamodb"]["Keys"]["sk"]["N"]})
    """


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below a folder of the test's own."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return write


def test_a_templates_table_is_a_source(h, write):
    write("src/app.py", APP)
    mappings = h.template(write("template.yaml", TEMPLATE))
    orders = h.tables["orders"]
    changed, raw = mappings["CopyChanged"], mappings["Raw"]
    assert changed.source is raw.source is orders
    assert orders.arn == mappings.template.tables["Orders"].stream_arn
    assert (orders.keys, orders.view) == (("pk", "sk"), "NEW_IMAGE")

    orders.put_item({"pk": "a", "sk": 1, "city": "Köln"})
    with h:
        table("orders").put_item(Item={"pk": "a", "sk": 2})
        found = table("orders").query(
            IndexName="by_city", KeyConditionExpression="city = :c",
            ExpressionAttributeValues={":c": "Köln"},
        )  # fmt: skip
    h.drain()

    assert found["Count"] == 1
    assert (len(changed.delivered), len(raw.delivered)) == (2, 2)
    assert "OldImage" not in changed.invocations[0].event["Records"][0]["dynamodb"]
    assert mappings.written() == {"Orders": 1, "Copies": 4}


def test_what_a_template_says_of_keys_holds_for_tests_too(h, write):
    h.template(write("template.yaml", TEMPLATE))
    with pytest.raises(InputError, match="this table declares sk as a number") as raised:
        h.tables["orders"].put_item({"pk": "a", "sk": "1"})
    assert raised.value.fix == '{"pk": "a", "sk": 1}'


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("TableName: orders", "TableName: o", "E463"),
        ("StreamViewType: NEW_IMAGE", "StreamViewType: IMAGES", "E463"),
        (
            "{AttributeName: sk, KeyType: RANGE}, {AttributeName: pk, KeyType: HASH}",
            "{KeyType: HASH}",
            "E463",
        ),
        ("KeySchema: [{AttributeName: sk", "KeySchema: [{AttributeName: !Ref Unset", "E11"),
    ],
)
def test_what_aws_would_not_make_is_told_who_reads_it(h, write, before, after, code):
    write("src/app.py", APP)
    unset = "Parameters: {Unset: {Type: String}}\n    Globals:"
    text = TEMPLATE.replace(before, after).replace("Globals:", unset)
    mappings = h.template(write("template.yaml", text))
    with pytest.raises(TemplateError) as raised:
        mappings["CopyChanged"]
    assert raised.value.esm_code.startswith(code)
    assert raised.value.place is not None


def test_a_table_without_a_stream_has_none_to_read(h, write):
    text = TEMPLATE.replace("Stream: !GetAtt Orders.StreamArn", "Stream: !GetAtt Copies.StreamArn")
    write("src/app.py", APP)
    with pytest.raises(TemplateError, match="StreamArn") as raised:
        h.template(write("template.yaml", text))["CopyChanged"]
    assert raised.value.place.line is not None


def test_a_stream_from_elsewhere_is_made_for_the_test(h, write):
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/others/stream/2025-05-05T05:05:05.055"
    write("src/app.py", APP)
    text = TEMPLATE.replace("!GetAtt Orders.StreamArn, S", f"'{arn}', S")
    mapping = h.template(write("template.yaml", text))["CopyChanged"]
    h.tables["others"].put_record("INSERT", {"sk": {"N": "1"}})
    h.drain()
    [record] = mapping.invocations[0].event["Records"]
    assert (record["eventSourceARN"], record["awsRegion"]) == (arn, "eu-west-1")
    assert json.loads(mapping.delivered[0].partition_key) == {"sk": {"N": "1"}}

    with h:  # boto3 has it too, in its region
        client = boto3.session.Session().client("dynamodb", region_name="eu-west-1")
        client.put_item(TableName="others", Item={"pk": {"S": "a"}, "sk": {"N": "2"}})
    assert h.tables["others"].get_item({"pk": "a"}) == {"pk": "a", "sk": 2}
