"""A template's tables, topics, queues and buckets answer boto3, and nobody else sees them."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import botocore.httpsession
import moto
import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError, ParamValidationError

from esm import Harness
from esm.assembly import TemplateMappings
from esm.errors import EndpointError, TemplateError

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  KeyName: {Type: String, Default: pk}
  Unset: {Type: String}
Resources:
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}
  InOrder: {Type: AWS::SQS::Queue, Properties: {QueueName: steps.fifo, FifoQueue: true}}
  News: {Type: AWS::SNS::Topic, Properties: {TopicName: news}}
  NewsInOrder: {Type: AWS::SNS::Topic, Properties: {TopicName: news.fifo, FifoTopic: true}}
  Files: {Type: AWS::S3::Bucket, Properties: {BucketName: files}}
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: users
      KeySchema: [{AttributeName: !Ref KeyName, KeyType: HASH}]
      AttributeDefinitions:
        - {AttributeName: !Ref KeyName, AttributeType: S}
        - {AttributeName: city, AttributeType: S}
      ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}
      GlobalSecondaryIndexes:
        - IndexName: by_city
          KeySchema: [{AttributeName: city, KeyType: HASH}]
          Projection: {ProjectionType: ALL}
          ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}
  Simple: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: simple}}
  Counts:
    Type: AWS::Serverless::SimpleTable
    Properties: {TableName: counts, PrimaryKey: {Name: n, Type: Number}}
  Broken:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: broken
      KeySchema: [{AttributeName: !Ref Unset, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: !Ref Unset, AttributeType: S}]
"""
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:news"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes as far as the network fails the test; no keys are lying around."""

    def send(self: object, request: Any) -> None:
        pytest.fail(f"a request left for {request.url}")

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", send)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture
def harness() -> Iterator[Harness]:
    with Harness() as harness:
        yield harness


@pytest.fixture
def mappings(harness: Harness, path: Path) -> TemplateMappings:
    return harness.template(path)


def client(service: str) -> Any:
    return boto3.session.Session().client(service, region_name="us-east-1")


def items(**options: Any) -> Any:
    return boto3.session.Session().resource("dynamodb", region_name="us-east-1", **options)


def in_queue() -> list[str]:
    got = client("sqs").receive_message(QueueUrl=QUEUE_URL, MaxNumberOfMessages=10)
    return [message["Body"] for message in got.get("Messages", [])]


# --- what each service does ----------------------------------------------------------------------


def test_a_message_can_be_sent_and_received(mappings: TemplateMappings) -> None:
    sqs = client("sqs")
    assert sqs.get_queue_url(QueueName="jobs")["QueueUrl"] == QUEUE_URL
    sqs.send_message(QueueUrl=QUEUE_URL, MessageBody="one")
    sqs.send_message_batch(
        QueueUrl=QUEUE_URL, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(3)]
    )
    assert sorted(in_queue()) == ["0", "1", "2", "one"]
    assert mappings.written()["Jobs"] == 4


def test_waiting_for_messages_that_nobody_can_send_takes_no_time(
    mappings: TemplateMappings,
) -> None:
    got = client("sqs").receive_message(QueueUrl=QUEUE_URL, WaitTimeSeconds=20)
    assert got.get("Messages", []) == []
    assert mappings.written()["Jobs"] == 0


def test_a_queue_and_a_topic_that_keep_order_are_fifo(mappings: TemplateMappings) -> None:
    sent = client("sqs").send_message(
        QueueUrl=QUEUE_URL.replace("jobs", "steps.fifo"),
        MessageBody="1",
        MessageGroupId="g",
        MessageDeduplicationId="d",
    )
    sns = client("sns")
    sns.publish(
        TopicArn=TOPIC_ARN + ".fifo",
        Message="1",
        MessageGroupId="g",
        MessageDeduplicationId="d",
    )
    assert "SequenceNumber" in sent
    attributes = sns.get_topic_attributes(TopicArn=TOPIC_ARN + ".fifo")["Attributes"]
    assert attributes["FifoTopic"] == "true"
    written = mappings.written()
    assert (written["InOrder"], written["NewsInOrder"]) == (1, 1)


def test_a_topic_reaches_the_queue_that_subscribes(mappings: TemplateMappings) -> None:
    sqs, sns = client("sqs"), client("sns")
    got = sqs.get_queue_attributes(QueueUrl=QUEUE_URL, AttributeNames=["QueueArn"])
    sns.subscribe(
        TopicArn=TOPIC_ARN,
        Protocol="sqs",
        Endpoint=got["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"},
    )
    sns.publish(TopicArn=TOPIC_ARN, Message="hello")
    assert in_queue() == ["hello"]
    assert mappings.written()["News"] == 1


def test_an_object_can_be_put_and_got(mappings: TemplateMappings) -> None:
    s3 = client("s3")
    s3.put_object(Bucket="files", Key="a/b", Body=b"text")
    s3.put_object(Bucket="files", Key="a/b", Body=b"other text")
    assert s3.get_object(Bucket="files", Key="a/b")["Body"].read() == b"other text"
    assert mappings.written()["Files"] == 2


def test_objects_are_copied_and_uploaded_in_parts(mappings: TemplateMappings) -> None:
    s3 = client("s3")
    s3.upload_fileobj(io.BytesIO(b"x" * 9_000_000), "files", "large")
    s3.copy_object(Bucket="files", Key="copy", CopySource={"Bucket": "files", "Key": "large"})
    assert s3.head_object(Bucket="files", Key="copy")["ContentLength"] == 9_000_000
    assert mappings.written()["Files"] == 2


def test_what_is_put_may_be_read_by_a_call(mappings: TemplateMappings) -> None:
    s3 = client("s3")
    s3.put_object(Bucket="files", Key="from", Body=b"text")

    class Remote(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            client("sqs").send_message(QueueUrl=QUEUE_URL, MessageBody="read")
            s3.get_object(Bucket="files", Key="from")
            return super().read(size)

    s3.put_object(Bucket="files", Key="to", Body=Remote(b"other text"))
    assert s3.get_object(Bucket="files", Key="to")["Body"].read() == b"other text"
    assert "read" in in_queue()
    assert mappings.written()["Files"] == 2


@pytest.mark.usefixtures("mappings")
def test_parameters_that_botocore_does_not_know_are_refused() -> None:
    with pytest.raises(ParamValidationError, match="MessageBody"):
        client("sqs").send_message(QueueUrl=QUEUE_URL)


def test_a_table_takes_python_values_and_gives_them_back(mappings: TemplateMappings) -> None:
    table = items().Table("users")
    given = {"pk": "ann", "city": "Ulm", "tags": {"a", "b"}}
    table.put_item(Item=given)
    assert table.get_item(Key={"pk": "ann"})["Item"] == given
    found = table.query(IndexName="by_city", KeyConditionExpression=Key("city").eq("Ulm"))
    assert found["Items"] == [given]
    assert given == {"pk": "ann", "city": "Ulm", "tags": {"a", "b"}}


def test_all_writes_to_tables_count_and_deletions_do_not(mappings: TemplateMappings) -> None:
    dynamodb = items()
    with dynamodb.Table("users").batch_writer() as batch:
        for n in range(30):
            batch.put_item(Item={"pk": str(n)})
        batch.delete_item(Key={"pk": "0"})
    dynamodb.Table("counts").update_item(
        Key={"n": 1}, UpdateExpression="SET seen = :one", ExpressionAttributeValues={":one": 1}
    )
    client("dynamodb").transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "simple", "Item": {"id": {"S": "a"}}}},
            {"Put": {"TableName": "counts", "Item": {"n": {"N": "2"}}}},
        ]
    )
    written = mappings.written()
    assert (written["Users"], written["Simple"], written["Counts"]) == (30, 1, 2)


def test_parameters_name_the_keys(harness: Harness, path: Path) -> None:
    harness.template(path, {"KeyName": "email", "Unset": "x"})
    described = client("dynamodb").describe_table(TableName="users")["Table"]
    assert described["KeySchema"] == [{"AttributeName": "email", "KeyType": "HASH"}]
    assert "broken" in client("dynamodb").list_tables()["TableNames"]


@pytest.mark.usefixtures("mappings")
def test_a_table_whose_key_nobody_knows_is_complained_of_when_it_is_used() -> None:
    with pytest.raises(TemplateError, match="Unset") as raised:
        client("dynamodb").describe_table(TableName="broken")
    assert raised.value.place is not None
    client("dynamodb").describe_table(TableName="users")


def test_threads_may_all_be_the_first_to_write(mappings: TemplateMappings) -> None:
    dynamodb = client("dynamodb")

    def put(n: int) -> None:
        dynamodb.put_item(TableName="users", Item={"pk": {"S": str(n)}})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(8)))
    assert dynamodb.scan(TableName="users")["Count"] == mappings.written()["Users"] == 8


def test_a_client_may_be_older_than_the_harness_and_have_an_endpoint(path: Path) -> None:
    s3 = boto3.session.Session("key", "secret", region_name="eu-west-1").client(
        "s3", endpoint_url="http://127.0.0.1:1"
    )
    with Harness() as harness:
        mappings = harness.template(path)
        s3.put_object(Bucket="files", Key="k", Body=b"")
        assert mappings.written()["Files"] == 1


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("mappings")
def test_errors_are_those_of_the_callers_client() -> None:
    s3, dynamodb = client("s3"), client("dynamodb")
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="files", Key="none")
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(
            TableName="users",
            Item={"pk": {"S": "a"}},
            ConditionExpression="attribute_exists(pk)",
        )
    with pytest.raises(ClientError) as raised:
        dynamodb.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": "users",
                        "Item": {"pk": {"S": "a"}},
                        "ConditionExpression": "attribute_exists(pk)",
                    }
                }
            ]
        )
    reasons = raised.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ConditionalCheckFailed"]


@pytest.mark.usefixtures("mappings")
def test_what_the_template_does_not_declare_is_refused() -> None:
    with pytest.raises(EndpointError, match="E501") as raised:
        client("s3").put_object(Bucket="elsewhere", Key="a", Body=b"")
    assert "of s3 there is: files\n" in str(raised.value)
    with pytest.raises(EndpointError, match="E501"):
        client("sqs").send_message(
            QueueUrl=QUEUE_URL.replace("123456789012", "210987654321"), MessageBody=""
        )


def test_without_moto_the_call_says_what_to_install(
    mappings: TemplateMappings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "moto.core.models", None)
    with pytest.raises(EndpointError, match="E503") as raised:
        client("sqs").send_message(QueueUrl=QUEUE_URL, MessageBody="one")
    assert raised.value.fix == 'pip install "lambda-esm[run]"'
    assert mappings.written()["Jobs"] == 0


# --- nobody else sees them -----------------------------------------------------------------------


def test_each_harness_has_its_own(path: Path) -> None:
    for _ in range(2):
        with Harness() as harness:
            mappings = harness.template(path)
            client("s3").put_object(Bucket="files", Key="k", Body=b"")
            client("sqs").send_message(QueueUrl=QUEUE_URL, MessageBody="one")
            assert in_queue() == ["one"]
            assert mappings.written()["Files"] == 1
    gc.collect()  # moto would complain of an object that was not closed


def test_a_tests_own_mock_keeps_its_things_and_does_not_take_ours(
    mappings: TemplateMappings,
) -> None:
    s3 = client("s3")
    s3.put_object(Bucket="files", Key="ours", Body=b"ours")
    with moto.mock_aws():
        theirs = client("s3")
        theirs.create_bucket(Bucket="theirs")
        theirs.put_object(Bucket="theirs", Key="k", Body=b"theirs")
        s3.put_object(Bucket="files", Key="more", Body=b"more")
        assert theirs.get_object(Bucket="theirs", Key="k")["Body"].read() == b"theirs"
    names = [found["Key"] for found in s3.list_objects_v2(Bucket="files")["Contents"]]
    assert names == ["more", "ours"]
    assert s3.get_object(Bucket="files", Key="ours")["Body"].read() == b"ours"
    assert mappings.written()["Files"] == 2
