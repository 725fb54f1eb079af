"""boto3 and a test write to the same table: each sees the other, and each change is told once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cache
from typing import Any

import boto3
import botocore.httpsession
import pytest
from boto3.dynamodb.types import Binary
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from esm import Harness
from esm.errors import EndpointError, InputError
from esm.payloads.dynamodb import TTL_IDENTITY
from esm.sources.dynamodb_table import DynamoDbTable

A = {"pk": {"S": "a"}}


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


@cache
def dynamodb() -> Any:
    return boto3.session.Session().client("dynamodb", region_name="us-east-1")


@cache
def items(name: str = "orders") -> Any:
    return boto3.session.Session().resource("dynamodb", region_name="us-east-1").Table(name)


def told(table: DynamoDbTable) -> list[tuple[str, Any, Any]]:
    """Name, new image and old image of each record."""
    parts = [(record.event_name, record.json) for record in table.records]
    return [(name, part.get("NewImage"), part.get("OldImage")) for name, part in parts]


# --- the same items from both sides --------------------------------------------------------------


def test_what_a_test_writes_boto3_reads(orders: DynamoDbTable) -> None:
    orders.put_item({"pk": "a", "n": 1, "tags": {"x"}, "raw": b"foobar"})
    got = items().get_item(Key={"pk": "a"})["Item"]
    assert (got["n"], got["tags"], got["raw"].value) == (1, {"x"}, b"foobar")

    orders.update_item({"pk": "a"}, n=2)
    orders.put_item({"pk": "b"})
    assert items().get_item(Key={"pk": "a"})["Item"]["n"] == 2
    assert items().scan()["Count"] == 2

    orders.delete_item({"pk": "a"})
    assert "Item" not in items().get_item(Key={"pk": "a"})


def test_what_boto3_writes_a_test_reads(orders: DynamoDbTable) -> None:
    items().put_item(Item={"pk": "a", "n": Decimal("1.50"), "raw": b"foobar", "tags": {"y", "x"}})
    assert orders.get_item({"pk": "a"}) == {
        "pk": "a", "n": Decimal("1.5"), "raw": b"foobar", "tags": {"x", "y"},
    }  # fmt: skip

    items().delete_item(Key={"pk": "a"})
    assert orders.get_item({"pk": "a"}) is None


def test_both_may_take_turns(orders: DynamoDbTable) -> None:
    add = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": 1}}
    orders.put_item({"pk": "a", "n": 1})
    items().update_item(Key={"pk": "a"}, **add)
    orders.update_item({"pk": "a"}, seen=True)
    items().update_item(Key={"pk": "a"}, **add)
    assert orders.get_item({"pk": "a"}) == {"pk": "a", "n": 3, "seen": True}
    assert [record.event_name for record in orders.records] == ["INSERT", *["MODIFY"] * 3]


def test_a_table_without_boto3_never_loads_moto() -> None:
    code = (
        "import sys; from esm import Harness; h = Harness(); t = h.dynamodb('t')\n"
        "t.put_item({'pk': 'a'}); h.map(t, lambda event, context: None); h.drain()\n"
        "assert len(t.records) == 1 and not {'moto', 'boto3', 'botocore'} & sys.modules.keys()"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(-(10**9), 10**9, places=5)
SETS = (
    st.sets(NUMBERS, min_size=1, max_size=3)
    | st.sets(st.text(min_size=1, max_size=3), min_size=1, max_size=3)
    | st.sets(st.binary(min_size=1, max_size=3), min_size=1, max_size=3)
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=4) | st.binary(max_size=4) | SETS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
ITEMS = st.dictionaries(st.sampled_from(["one", "two", "three"]), VALUES)


def plain(value: Any) -> Any:
    """A value without boto3's type for bytes."""
    match value:
        case Binary():
            return value.value
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list():
            return [plain(each) for each in value]
        case set():
            return {plain(each) for each in value}
    return value


@settings(max_examples=30, deadline=None)
@given(first=ITEMS, second=ITEMS)
def test_an_item_is_the_same_on_both_sides(first: dict[str, Any], second: dict[str, Any]) -> None:
    h = Harness()
    orders = h.dynamodb("orders")
    first, second = {"pk": "a", **first}, {"pk": "a", **second}
    with h:
        items().put_item(Item=first)
        assert orders.get_item({"pk": "a"}) == first
        orders.put_item(second)
        got = items().get_item(Key={"pk": "a"})["Item"]
        assert plain(got) == second
        told_before = len(orders.records)
        items().put_item(Item=got)
        assert len(orders.records) == told_before


# --- each way to write ---------------------------------------------------------------------------

Write = Callable[[Any], object]

WRITES: dict[str, Write] = {
    "PutItem": lambda c: c.put_item(TableName="orders", Item=A),
    "UpdateItem": lambda c: c.update_item(TableName="orders", Key=A),
    "BatchWriteItem": lambda c: c.batch_write_item(
        RequestItems={"orders": [{"PutRequest": {"Item": A}}]}
    ),
    "TransactWriteItems": lambda c: c.transact_write_items(
        TransactItems=[{"Put": {"TableName": "orders", "Item": A}}]
    ),
    "by ARN": lambda c: c.put_item(
        TableName="arn:aws:dynamodb:us-east-1:123456789012:table/orders", Item=A
    ),
    "ExecuteStatement": lambda c: c.execute_statement(
        Statement="INSERT INTO \"orders\" VALUE {'pk': 'a'}"
    ),
    "BatchExecuteStatement": lambda c: c.batch_execute_statement(
        Statements=[{"Statement": "INSERT INTO \"orders\" VALUE {'pk': 'a'}"}]
    ),
    "ExecuteTransaction": lambda c: c.execute_transaction(
        TransactStatements=[{"Statement": "INSERT INTO \"orders\" VALUE {'pk': 'a'}"}]
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_is_told_once(orders: DynamoDbTable, write: Write) -> None:
    write(dynamodb())
    assert told(orders) == [("INSERT", A, None)]


def test_deletes_are_told_with_the_old_image(orders: DynamoDbTable) -> None:
    client = dynamodb()
    for key in "abcd":
        orders.put_item({"pk": key})
    client.delete_item(TableName="orders", Key=A)
    client.batch_write_item(
        RequestItems={"orders": [{"DeleteRequest": {"Key": {"pk": {"S": "b"}}}}]}
    )
    client.transact_write_items(
        TransactItems=[{"Delete": {"TableName": "orders", "Key": {"pk": {"S": "c"}}}}]
    )
    client.execute_statement(Statement="DELETE FROM 'orders' WHERE pk = 'd'")
    assert told(orders)[4:] == [("REMOVE", None, {"pk": {"S": key}}) for key in "abcd"]


def test_a_transaction_of_three_is_three_records_in_its_order(h: Harness) -> None:
    orders, audit = h.dynamodb("orders"), h.dynamodb("audit")
    orders.put_item({"pk": "old"})
    dynamodb().transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "orders", "Item": A}},
            {"Delete": {"TableName": "orders", "Key": {"pk": {"S": "old"}}}},
            {"Update": {
                "TableName": "audit", "Key": A, "UpdateExpression": "SET n = :n",
                "ExpressionAttributeValues": {":n": {"N": "1"}},
            }},
            {"ConditionCheck": {
                "TableName": "audit", "Key": {"pk": {"S": "none"}},
                "ConditionExpression": "attribute_not_exists(pk)",
            }},
        ]
    )  # fmt: skip
    assert [record.event_name for record in orders.records] == ["INSERT", "INSERT", "REMOVE"]
    assert told(audit) == [("INSERT", A | {"n": {"N": "1"}}, None)]


def test_threads_may_write_at_once(orders: DynamoDbTable) -> None:
    client = dynamodb()
    with ThreadPoolExecutor(4) as pool:
        for number in range(20):
            pool.submit(client.put_item, TableName="orders", Item={"pk": {"S": str(number)}})
    assert sorted(int(r.json["Keys"]["pk"]["S"]) for r in orders.records) == list(range(20))


# --- what fails changes nothing ------------------------------------------------------------------

NEW_ONLY = {"ConditionExpression": "attribute_not_exists(pk)"}

FAILING: dict[str, tuple[str, Write]] = {
    "condition of a put": (
        "ConditionalCheckFailedException",
        lambda c: c.put_item(TableName="orders", Item=A | {"n": {"N": "2"}}, **NEW_ONLY),
    ),
    "condition of a delete": (
        "ConditionalCheckFailedException",
        lambda c: c.delete_item(TableName="orders", Key=A, **NEW_ONLY),
    ),
    "condition of one in a transaction": (
        "TransactionCanceledException",
        lambda c: c.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "orders", "Item": {"pk": {"S": "b"}}}},
                {"Put": {"TableName": "orders", "Item": A, **NEW_ONLY}},
            ]
        ),
    ),
    "an update that cannot be": (
        "ValidationException",
        lambda c: c.update_item(
            TableName="orders", Key={"pk": {"S": "b"}}, UpdateExpression="SET n = missing + :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        ),
    ),
    "an item without its key": (
        "ValidationException",
        lambda c: c.put_item(TableName="orders", Item={"n": {"N": "1"}}),
    ),
    "a key of another type": (
        "ValidationException",
        lambda c: c.put_item(TableName="orders", Item={"pk": {"N": "1"}}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("code", "write"), FAILING.values(), ids=FAILING)
def test_a_write_that_fails_is_not_told(orders: DynamoDbTable, code: str, write: Write) -> None:
    orders.put_item({"pk": "a", "n": 1})
    with pytest.raises(ClientError) as raised:
        write(dynamodb())
    assert raised.value.response["Error"]["Code"] == code
    assert len(orders.records) == 1
    assert items().scan()["Items"] == [{"pk": "a", "n": 1}]

    items().put_item(Item={"pk": "b"})
    assert [record.event_name for record in orders.records] == ["INSERT", "INSERT"]


def test_parameters_are_checked_as_botocore_does(orders: DynamoDbTable) -> None:
    with pytest.raises(ParamValidationError, match='Missing required parameter in input: "Item"'):
        dynamodb().put_item(TableName="orders")


def test_a_stream_cannot_be_switched_off(orders: DynamoDbTable) -> None:
    with pytest.raises(EndpointError, match="E502"):
        dynamodb().update_table(TableName="orders", StreamSpecification={"StreamEnabled": False})
    assert dynamodb().describe_table(TableName="orders")["Table"]["LatestStreamArn"] == orders.arn


# --- where moto's own stream is wrong ------------------------------------------------------------


def test_an_upsert_is_one_insert(orders: DynamoDbTable) -> None:
    items().update_item(
        Key={"pk": "a"}, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": 1}
    )
    assert told(orders) == [("INSERT", A | {"n": {"N": "1"}}, None)]


def test_a_write_that_changes_nothing_is_not_told(orders: DynamoDbTable) -> None:
    for _ in range(2):
        items().put_item(Item={"pk": "a", "n": Decimal("1.0"), "tags": {"x", "y"}})
    set_again = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": 1}}
    items().update_item(Key={"pk": "a"}, **set_again)
    items().delete_item(Key={"pk": "none"})
    assert len(orders.records) == 1


def test_a_set_that_loses_its_last_member_is_gone(orders: DynamoDbTable) -> None:
    orders.put_item({"pk": "a", "tags": {"x"}, "list": []})
    items().update_item(
        Key={"pk": "a"}, UpdateExpression="DELETE tags :t", ExpressionAttributeValues={":t": {"x"}}
    )
    assert orders.get_item({"pk": "a"}) == {"pk": "a", "list": []}


def test_time_to_live_says_who_deleted(orders: DynamoDbTable) -> None:
    items().put_item(Item={"pk": "a"})
    orders.ttl_delete({"pk": "a"})
    assert orders.records[1].user_identity == TTL_IDENTITY
    assert items().scan()["Count"] == 0


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a", 5, b"raw"])
def test_the_first_item_tells_the_type_of_a_key(h: Harness, key: object) -> None:
    numbers = h.dynamodb("numbers", keys=("pk", "sk"))
    assert dynamodb().describe_table(TableName="numbers")["Table"]["ItemCount"] == 0
    items("numbers").put_item(Item={"pk": key, "sk": 1})
    assert numbers.get_item({"pk": key, "sk": 1}) == {"pk": key, "sk": 1}


def test_the_types_of_keys_may_be_declared(h: Harness) -> None:
    numbers = h.dynamodb("numbers", keys={"pk": "N"})
    described = dynamodb().describe_table(TableName="numbers")["Table"]
    assert described["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "N"}]
    with pytest.raises(InputError, match="this table declares pk as a number"):
        numbers.put_item({"pk": "a"})


def test_keys_of_two_types_are_refused_when_boto3_comes(orders: DynamoDbTable) -> None:
    orders.put_item({"pk": "a"})
    orders.put_item({"pk": 1})
    with pytest.raises(InputError, match=r"E462  pk of table orders is \{'N': '1'\}, and text"):
        items().scan()


def test_a_short_name_will_do(h: Harness) -> None:
    table = h.dynamodb("t")
    items("t").put_item(Item={"pk": "a"})
    assert len(table.records) == 1


def test_a_table_that_boto3_has_deleted_is_gone_for_boto3(orders: DynamoDbTable) -> None:
    dynamodb().delete_table(TableName="orders")
    orders.put_item({"pk": "a"})
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        dynamodb().get_item(TableName="orders", Key=A)


def test_each_harness_has_its_own() -> None:
    first, second = Harness(), Harness()
    one, two = first.dynamodb("orders"), second.dynamodb("orders")
    with first:
        items().put_item(Item={"pk": "a"})
    with second:
        assert items().scan()["Count"] == 0
    assert (len(one.records), len(two.records)) == (1, 0)
