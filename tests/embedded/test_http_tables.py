"""Tables over HTTP: moto keeps them, and every change is once in a stream of ours.

PARTS.md lists what moto's own streams get wrong; each of that has a test here.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from over_http import Clients, request, send, wait_for

from esm.embedded.aws import EmbeddedAws

KEYS: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
A = {"pk": {"S": "a"}}


@pytest.fixture(name="table")
def a_table(clients: Clients, request: pytest.FixtureRequest) -> str:
    """A table with a stream, that has the test's name."""
    name = request.node.name.replace("[", ".").rstrip("]")
    clients("dynamodb").create_table(TableName=name, StreamSpecification=STREAM, **KEYS)
    return name


def arn_of(clients: Clients, table: str) -> str:
    (stream,) = clients("dynamodbstreams").list_streams(TableName=table)["Streams"]
    return str(stream["StreamArn"])


def records(clients: Clients, table: str) -> list[dict[str, Any]]:
    """Everything in the stream of a table, shard by shard."""
    streams, found = clients("dynamodbstreams"), []
    arn = arn_of(clients, table)
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        start = {"StreamArn": arn, "ShardId": shard["ShardId"]}
        iterator = streams.get_shard_iterator(**start, ShardIteratorType="TRIM_HORIZON")
        found += streams.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    return found


def changes(clients: Clients, table: str) -> list[str]:
    return [record["eventName"] for record in records(clients, table)]


# --- what moto gets wrong ------------------------------------------------------------------------


def test_an_update_that_makes_an_item_is_one_insert(clients: Clients, table: str):
    clients("dynamodb").update_item(
        TableName=table,
        Key=A,
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "1"}},
    )
    (record,) = records(clients, table)
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"] == {**A, "n": {"N": "1"}}
    assert "OldImage" not in record["dynamodb"]


def test_an_update_without_changes_makes_the_item_once(clients: Clients, table: str):
    for _ in range(2):
        clients("dynamodb").update_item(TableName=table, Key=A)
    assert changes(clients, table) == ["INSERT"]


def test_a_write_that_changes_nothing_leaves_no_record(clients: Clients, table: str):
    for _ in range(3):
        clients("dynamodb").put_item(TableName=table, Item={**A, "n": {"N": "1.0"}})
    clients("dynamodb").delete_item(TableName=table, Key={"pk": {"S": "unknown"}})
    assert changes(clients, table) == ["INSERT"]


def test_records_tell_the_region_of_their_table(aws: EmbeddedAws):
    abroad = Clients(aws.url, "eu-west-1")
    abroad("dynamodb").create_table(TableName="abroad", StreamSpecification=STREAM, **KEYS)
    abroad("dynamodb").put_item(TableName="abroad", Item=A)
    (record,) = records(abroad, "abroad")
    arn = arn_of(abroad, "abroad")
    abroad.close()
    assert record["awsRegion"] == "eu-west-1"
    assert arn.startswith("arn:aws:dynamodb:eu-west-1:123456789012:table/abroad/stream/")


def test_records_have_awss_version(clients: Clients, table: str):
    clients("dynamodb").put_item(TableName=table, Item=A)
    (record,) = records(clients, table)
    assert (record["eventVersion"], record["eventSource"]) == ("1.1", "aws:dynamodb")


def test_a_shard_gives_way_to_another_and_ends(
    clients: Clients, table: str, monkeypatch: pytest.MonkeyPatch
):
    streams, arn = clients("dynamodbstreams"), arn_of(clients, table)

    def shards_of_table() -> list[dict[str, Any]]:
        shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        return shards if len(shards) > 1 else []

    clients("dynamodb").put_item(TableName=table, Item=A)
    monkeypatch.setattr("esm.embedded.http.tables.SHARD_LIFE_MS", 0)
    shards = wait_for(shards_of_table)
    monkeypatch.undo()
    clients("dynamodb").delete_item(TableName=table, Key=A)
    assert shards[1]["ParentShardId"] == shards[0]["ShardId"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shards[0]["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    first = streams.get_records(ShardIterator=iterator["ShardIterator"])
    assert [r["eventName"] for r in first["Records"]] == ["INSERT"]
    assert "NextShardIterator" not in first
    assert changes(clients, table) == ["INSERT", "REMOVE"]


def test_time_to_live_deletes_and_says_so(clients: Clients, aws: EmbeddedAws, table: str):
    dynamodb, now_s = clients("dynamodb"), aws.now() // 1_000
    past, future = {"N": str(now_s - 10)}, {"N": str(now_s + 1_000)}
    long_ago = {"N": str(now_s - 6 * 365 * 86_400)}
    dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification={"AttributeName": "ends", "Enabled": True}
    )
    for name, ends in {"a": past, "b": future, "c": long_ago, "d": {"S": "no number"}}.items():
        dynamodb.put_item(TableName=table, Item={"pk": {"S": name}, "ends": ends})
    wait_for(lambda: "REMOVE" in changes(clients, table))
    *_, record = records(clients, table)
    assert record["dynamodb"]["Keys"] == A
    assert record["dynamodb"]["OldImage"] == {**A, "ends": past}
    assert record["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    left = {item["pk"]["S"] for item in dynamodb.scan(TableName=table)["Items"]}
    assert left == {"b", "c", "d"}


def test_time_to_live_works_without_a_stream(clients: Clients, aws: EmbeddedAws):
    dynamodb = clients("dynamodb")
    dynamodb.create_table(TableName="streamless", **KEYS)
    dynamodb.update_time_to_live(
        TableName="streamless", TimeToLiveSpecification={"AttributeName": "ends", "Enabled": True}
    )
    past = {"N": str(aws.now() // 1_000 - 9)}
    dynamodb.put_item(TableName="streamless", Item={**A, "ends": past})
    wait_for(lambda: dynamodb.scan(TableName="streamless")["Count"] == 0)
    assert clients("dynamodbstreams").list_streams(TableName="streamless")["Streams"] == []


def test_bytes_are_bytes(clients: Clients, table: str):
    item = {**A, "b": {"B": b"\x00\xff"}, "bs": {"BS": [b"1", b"2"]}, "m": {"M": {"b": {"B": b""}}}}
    clients("dynamodb").put_item(TableName=table, Item=item)
    (record,) = records(clients, table)
    image = record["dynamodb"]["NewImage"]
    assert image["b"] == {"B": b"\x00\xff"}
    assert sorted(image["bs"]["BS"]) == [b"1", b"2"]
    assert image["m"] == {"M": {"b": {"B": b""}}}


# --- all ways to write ---------------------------------------------------------------------------


def test_batches_and_statements_are_in_the_stream(clients: Clients, table: str):
    dynamodb = clients("dynamodb")
    dynamodb.batch_write_item(
        RequestItems={table: [{"PutRequest": {"Item": {"pk": {"S": k}}}} for k in "abc"]}
    )
    dynamodb.execute_statement(Statement=f"DELETE FROM \"{table}\" WHERE pk = 'b'")
    dynamodb.transact_write_items(TransactItems=[{"Delete": {"TableName": table, "Key": A}}])
    assert changes(clients, table) == ["INSERT"] * 3 + ["REMOVE"] * 2


def test_a_call_that_fails_changes_nothing(clients: Clients, table: str):
    dynamodb = clients("dynamodb")
    dynamodb.put_item(TableName=table, Item=A)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName=table, Item=A, ConditionExpression="attribute_not_exists(pk)")
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": {"pk": {"S": "new"}}}},
                {"ConditionCheck": {
                    "TableName": table, "Key": A, "ConditionExpression": "attribute_exists(x)",
                }},
            ]
        )  # fmt: skip
    assert changes(clients, table) == ["INSERT"]
    assert dynamodb.scan(TableName=table)["Count"] == 1


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"])
def test_a_view_shows_what_it_promises(clients: Clients, view: str):
    table = f"view.{view}"
    specification = {"StreamEnabled": True, "StreamViewType": view}
    clients("dynamodb").create_table(TableName=table, StreamSpecification=specification, **KEYS)
    clients("dynamodb").put_item(TableName=table, Item=A)
    clients("dynamodb").delete_item(TableName=table, Key=A)
    images = [{"NewImage", "OldImage"} & record["dynamodb"].keys() for record in
              records(clients, table)]  # fmt: skip
    assert (
        images
        == {
            "KEYS_ONLY": [set(), set()],
            "NEW_IMAGE": [{"NewImage"}, set()],
            "OLD_IMAGE": [set(), {"OldImage"}],
        }[view]
    )


# --- tables come and go --------------------------------------------------------------------------


def test_every_description_has_the_arn_of_our_stream(clients: Clients, table: str):
    described = clients("dynamodb").describe_table(TableName=table)["Table"]
    label = "2026-01-01T00:00:00.000"
    expected = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/{label}"
    assert described["LatestStreamArn"] == arn_of(clients, table) == expected
    assert described["LatestStreamLabel"] == label


def test_a_table_that_is_made_again_begins_with_nothing(clients: Clients, table: str):
    dynamodb, streams = clients("dynamodb"), clients("dynamodbstreams")
    dynamodb.put_item(TableName=table, Item=A)
    arn = arn_of(clients, table)
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    dynamodb.delete_table(TableName=table)
    assert streams.list_streams(TableName=table)["Streams"] == []
    with pytest.raises(streams.exceptions.ResourceNotFoundException):
        streams.get_records(ShardIterator=iterator)
    dynamodb.create_table(TableName=table, StreamSpecification=STREAM, **KEYS)
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "b"}})
    assert [r["dynamodb"]["Keys"] for r in records(clients, table)] == [{"pk": {"S": "b"}}]


def test_a_stream_is_not_turned_on_later(clients: Clients, table: str):
    with pytest.raises(ClientError, match="does not turn a table's stream on or off"):
        clients("dynamodb").update_table(
            TableName=table, StreamSpecification={"StreamEnabled": False}
        )


def test_a_table_that_aws_would_refuse_is_refused_here(clients: Clients):
    with pytest.raises(ClientError) as refused:
        clients("dynamodb").create_table(
            TableName="x", StreamSpecification={"StreamEnabled": True}, **KEYS
        )
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert "x" not in clients("dynamodb").list_tables()["TableNames"]


def test_what_is_not_there_is_awss_error(clients: Clients):
    dynamodb = clients("dynamodb")
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.put_item(TableName="nowhere", Item=A)


@pytest.mark.parametrize("depth", [31, 40, 200, 400, 900, 20_000])
def test_an_item_may_be_as_deep_as_dynamodb_allows(aws: EmbeddedAws, table: str, depth: int):
    deep = '{"M":{"a":' * depth + '{"NULL":true}' + "}}" * depth
    body = f'{{"TableName":"{table}","Item":{{"pk":{{"S":"a"}},"a":{deep}}}}}'.encode()
    lines = ("POST / HTTP/1.1", "Host: localhost", "X-Amz-Target: DynamoDB_20120810.PutItem")
    reply = send(aws, request(*lines, body=body))
    assert reply.status == (200 if depth < 32 else 400)
    assert len(aws.tables[table].records) == (depth < 32)


def test_a_mistake_in_the_upkeep_is_told_and_the_next_one_comes(
    clients: Clients,
    aws: EmbeddedAws,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr("esm.embedded.http.tables.tables_with_ttl", lambda _: 1 // 0)
    wait_for(lambda: "the tables of us-east-1 were not kept up" in caplog.text)
    monkeypatch.undo()
    clients("dynamodb").update_time_to_live(
        TableName=table, TimeToLiveSpecification={"AttributeName": "ends", "Enabled": True}
    )
    past = {"N": str(aws.now() // 1_000 - 9)}
    clients("dynamodb").put_item(TableName=table, Item={**A, "ends": past})
    wait_for(lambda: changes(clients, table) == ["INSERT", "REMOVE"])
