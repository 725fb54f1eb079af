"""What a template says of its tables, queues, topics and buckets is so for boto3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm import Harness
from esm.embedded.declared import declared_in
from esm.errors import EsmError, TemplateError
from esm.template import Deployment, load
from esm.template.loading import template_of
from esm.template.reading import read_text

TEMPLATE = """\
Parameters:
  Unset: {Type: String}
Resources:
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: dead}}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      VisibilityTimeout: 0
      DelaySeconds: "0"
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Circle:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: circle
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Round.Arn, maxReceiveCount: 2}
  Round:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: round
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Circle.Arn, maxReceiveCount: 2}
  Elsewhere:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: elsewhere
      RedrivePolicy:
        deadLetterTargetArn: arn:aws:sqs:us-east-1:123456789012:of-another-stack
        maxReceiveCount: 2
  Uploads: {Type: AWS::SQS::Queue, Properties: {QueueName: uploads}}
  Steps:
    Type: AWS::SQS::Queue
    Properties: {QueueName: steps.fifo, FifoQueue: true, ContentBasedDeduplication: true}
  News:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: news
      Subscription:
        - {Protocol: sqs, Endpoint: !GetAtt Jobs.Arn}
        - {Protocol: email, Endpoint: somebody@example.com}
  Raw:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref News
      Protocol: sqs
      Endpoint: !GetAtt Dead.Arn
      RawMessageDelivery: true
      FilterPolicy: {kind: [alarm]}
  Foreign:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !ImportValue topic, Protocol: sqs, Endpoint: !GetAtt Dead.Arn}
  Files:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: files
      NotificationConfiguration:
        QueueConfigurations:
          - Event: s3:ObjectCreated:*
            Queue: !GetAtt Uploads.Arn
            Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}]}}
        LambdaConfigurations: [{Event: 's3:ObjectCreated:*', Function: nobody}]
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: users
      KeySchema: [{AttributeName: pk, KeyType: HASH}, {AttributeName: sk, KeyType: RANGE}]
      AttributeDefinitions:
        - {AttributeName: pk, AttributeType: S}
        - {AttributeName: sk, AttributeType: S}
        - {AttributeName: city, AttributeType: S}
      LocalSecondaryIndexes:
        - IndexName: by_city
          KeySchema: [{AttributeName: pk, KeyType: HASH}, {AttributeName: city, KeyType: RANGE}]
          Projection: {ProjectionType: ALL}
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: until, Enabled: "true"}
  Plain: {Type: AWS::Serverless::SimpleTable, Properties: {TableName: plain}}
  Broken:
    Type: AWS::SQS::Queue
    Properties: {QueueName: broken, VisibilityTimeout: !Ref Unset}
"""

WORDS = [
    *("Subscription", "Protocol", "Endpoint", "TopicArn", "FilterPolicy", "RedrivePolicy", "Ref"),
    *("deadLetterTargetArn", "NotificationConfiguration", "QueueConfigurations", "Queue", "Filter"),
    *("TopicConfigurations", "Topic", "S3Key", "Rules", "KeySchema", "AttributeDefinitions"),
    *("GlobalSecondaryIndexes", "StreamSpecification", "TimeToLiveSpecification", "AttributeName"),
    *("Enabled", "PrimaryKey", "Type", "Name", "VisibilityTimeout", "Fn::GetAtt"),
]
KINDS = [
    *("AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::S3::Bucket", "AWS::DynamoDB::Table"),
    "AWS::Serverless::SimpleTable",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


@pytest.fixture(autouse=True)
def harness(path: Path) -> Iterator[Harness]:
    with Harness() as harness:
        harness.template(path)
        yield harness


def client(service: str) -> Any:
    return boto3.session.Session("k", "s").client(service, region_name="us-east-1")


def url(name: str) -> str:
    return f"https://sqs.us-east-1.amazonaws.com/123456789012/{name}"


def in_queue(name: str) -> list[str]:
    got = client("sqs").receive_message(QueueUrl=url(name), MaxNumberOfMessages=10)
    return [message["Body"] for message in got.get("Messages", [])]


def test_a_tables_stream_has_the_arn_that_the_template_knows(path: Path) -> None:
    described = client("dynamodb").describe_table(TableName="users")["Table"]
    assert described["LatestStreamArn"] == load(path).tables["Users"].stream_arn
    assert described["LatestStreamArn"].endswith(f"/stream/{described['LatestStreamLabel']}")
    assert described["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_IMAGE",
    }
    [index] = described["LocalSecondaryIndexes"]
    assert index["IndexName"] == "by_city"


def test_a_table_without_a_stream_has_none() -> None:
    assert "LatestStreamArn" not in client("dynamodb").describe_table(TableName="plain")["Table"]


def test_items_may_have_a_time_to_live() -> None:
    described = client("dynamodb").describe_time_to_live(TableName="users")
    assert described["TimeToLiveDescription"] == {
        "AttributeName": "until",
        "TimeToLiveStatus": "ENABLED",
    }


def test_a_message_that_is_received_too_often_goes_to_the_dead_letters() -> None:
    client("sqs").send_message(QueueUrl=url("jobs"), MessageBody="poison")
    assert [in_queue("jobs") for _ in range(3)] == [["poison"], ["poison"], []]
    assert in_queue("dead") == ["poison"]


def test_queues_may_be_each_others_and_one_may_be_of_another_stack() -> None:
    attributes = client("sqs").get_queue_attributes(
        QueueUrl=url("circle"), AttributeNames=["RedrivePolicy"]
    )
    policy = json.loads(attributes["Attributes"]["RedrivePolicy"])
    assert policy["deadLetterTargetArn"].endswith(":round")
    client("sqs").send_message(QueueUrl=url("elsewhere"), MessageBody="fine")
    assert in_queue("elsewhere") == ["fine"]


def test_a_fifo_queue_tells_messages_apart_by_their_content() -> None:
    for body in ("a", "a", "b"):
        client("sqs").send_message(
            QueueUrl=url("steps.fifo"), MessageBody=body, MessageGroupId=body
        )
    assert in_queue("steps.fifo") == ["a", "b"]


def test_a_topic_sends_to_the_queues_that_subscribe() -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:news"
    kind = {"kind": {"DataType": "String", "StringValue": "alarm"}}
    client("sns").publish(TopicArn=topic, Message="hello")
    client("sns").publish(TopicArn=topic, Message="fire", MessageAttributes=kind)
    assert [json.loads(body)["Message"] for body in in_queue("jobs")] == ["hello", "fire"]
    assert in_queue("dead") == ["fire"]


def test_a_bucket_tells_a_queue_of_its_objects() -> None:
    client("s3").put_object(Bucket="files", Key="in/a", Body=b"")
    client("s3").put_object(Bucket="files", Key="out/b", Body=b"")
    told = [json.loads(body) for body in in_queue("uploads")]
    assert told[0]["Event"] == "s3:TestEvent"
    assert [r["s3"]["object"]["key"] for body in told[1:] for r in body["Records"]] == ["in%2Fa"]


def test_what_nobody_knows_is_said_by_who_uses_it_and_not_by_others() -> None:
    with pytest.raises(TemplateError, match="Unset"):
        client("sqs").send_message(QueueUrl=url("broken"), MessageBody="a")
    assert in_queue("jobs") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["sqs", "A", "", "S"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(WORDS), JSON), st.sampled_from(KINDS))
def test_whatever_a_resource_says_of_itself_is_read_or_complained_of(
    properties: object, kind: str
) -> None:
    resources = {name: {"Type": kind, "Properties": properties} for name in ("A", "B")}
    resources["S"] = {"Type": "AWS::SNS::Subscription", "Properties": properties}
    root = read_text(json.dumps({"Resources": resources}), "t.json")
    made = 0
    for _, declared in declared_in(template_of(root, Path("t.json"), {}, Deployment())):
        with suppress(EsmError):
            assert isinstance(declared.creation(), dict)
        with suppress(EsmError):
            assert all(step.operation for step in declared.steps())
        assert isinstance(declared.feeders(), list | tuple)
        made += 1
    assert made in (0, 2)
