"""A template's resources are made in the embedded AWS, by the names and ARNs that it gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from over_http import Clients

from esm.embedded.aws import EmbeddedAws
from esm.embedded.provisioning import provide
from esm.errors import EndpointError, EsmError, TemplateError
from esm.template import Deployment, Template, load

REGION = "eu-west-1"
FUNCTION = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: .
      Events:
"""
ALL = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties: {Name: orders, ShardCount: 3, RetentionPeriodHours: 48}
  Unnamed:
    Type: AWS::Kinesis::Stream
    Properties: {ShardCount: 1}
  Fast:
    Type: AWS::Kinesis::StreamConsumer
    Properties: {ConsumerName: fast, StreamARN: !GetAtt Orders.Arn}
  Users:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: users
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: ends, Enabled: true}
  Plain:
    Type: AWS::Serverless::SimpleTable
    Properties: {TableName: plain}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: jobs
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Dead: {Type: AWS::SQS::Queue, Properties: {QueueName: dead}}
  News:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: news
      Subscription: [{Protocol: sqs, Endpoint: !GetAtt Jobs.Arn}]
  Files:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: files
      NotificationConfiguration:
        QueueConfigurations: [{Event: "s3:ObjectCreated:*", Queue: !GetAtt Dead.Arn}]
  Prices:
    Type: AWS::SageMaker::Endpoint
    Metadata: {esm: {ModelFile: model.json}}
    Properties: {EndpointName: prices, EndpointConfigName: any}
  House:
    Type: AWS::Redshift::Cluster
    Properties:
      {ClusterIdentifier: house, DBName: shop, ClusterType: single-node, NodeType: ra3.large,
       MasterUsername: admin}
"""


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(port=0) as aws:
        yield aws


@pytest.fixture
def clients(aws: EmbeddedAws) -> Iterator[Clients]:
    clients = Clients(aws.url, REGION)
    yield clients
    clients.close()


def written(folder: Path, text: str) -> Template:
    path = folder / "template.yaml"
    path.write_text(text)
    (folder / "app.py").write_text("def handler(event, context): ...\n")
    return load(path, deployment=Deployment(region=REGION))


def test_all_is_there_under_its_names(aws: EmbeddedAws, clients: Clients, tmp_path: Path):
    model = {"kind": "linear", "features": ["x"], "intercept": 1.0, "coefficients": [2.0]}
    (tmp_path / "model.json").write_text(json.dumps(model))
    template = written(tmp_path, ALL)
    made = provide(template, aws.url, REGION)

    kinesis = clients("kinesis")
    orders = kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]
    assert orders["StreamARN"] == template.streams["Orders"].arn
    assert (orders["OpenShardCount"], orders["RetentionPeriodHours"]) == (3, 48)
    (fast,) = kinesis.list_stream_consumers(StreamARN=orders["StreamARN"])["Consumers"]
    assert fast["ConsumerARN"] == template.consumers["Fast"].arn
    users = clients("dynamodb").describe_table(TableName="users")["Table"]
    assert users["LatestStreamArn"] == template.tables["Users"].stream_arn
    assert users["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    ttl = clients("dynamodb").describe_time_to_live(TableName="users")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ends"}
    assert aws.models["prices"].arn == template.endpoints["Prices"].arn
    assert aws.warehouses["house"].database == "shop"
    resources = (
        template.streams, template.consumers, template.tables, template.queues, template.topics,
        template.buckets, template.endpoints, template.warehouses,
    )  # fmt: skip
    assert set(made) == {each.arn for group in resources for each in group.values()}


def test_what_leads_from_one_to_the_other_does(aws: EmbeddedAws, clients: Clients, tmp_path: Path):
    provide(written(tmp_path, ALL), aws.url, REGION)
    sqs = clients("sqs")
    topics = clients("sns").list_topics()["Topics"]
    clients("sns").publish(TopicArn=topics[0]["TopicArn"], Message="hello")
    jobs = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=jobs)["Messages"]
    assert json.loads(message["Body"])["Message"] == "hello"
    attributes = sqs.get_queue_attributes(QueueUrl=jobs, AttributeNames=["RedrivePolicy"])
    assert json.loads(attributes["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 3
    clients("s3").put_object(Bucket="files", Key="new", Body=b"")
    dead = sqs.get_queue_url(QueueName="dead")["QueueUrl"]
    told = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10)["Messages"]
    assert any('"new"' in message["Body"] for message in told)


def test_once_more_makes_nothing_and_loses_nothing(
    aws: EmbeddedAws, clients: Clients, tmp_path: Path
):
    template = written(tmp_path, ALL)
    provide(template, aws.url, REGION)
    dead = clients("sqs").get_queue_url(QueueName="dead")["QueueUrl"]
    clients("sqs").purge_queue(QueueUrl=dead)
    clients("kinesis").put_record(StreamName="orders", Data=b"1", PartitionKey="a")
    assert provide(template, aws.url, REGION) == []
    assert aws.in_region(REGION).streams["orders"].record_count == 1
    assert "Messages" not in clients("sqs").receive_message(QueueUrl=dead)


def test_what_a_stream_keeps_against_the_template_is_told(aws: EmbeddedAws, tmp_path: Path):
    provide(written(tmp_path, ALL), aws.url, REGION)
    changed = ALL.replace("ShardCount: 3, RetentionPeriodHours: 48", "ShardCount: 2")
    template = written(tmp_path, changed)
    told: list[str] = []

    assert provide(template, aws.url, REGION, remark=told.append) == []

    place = template.streams["Orders"].place
    assert told == [
        f"stream/orders keeps its ShardCount of 3: {place} has 2",
        f"stream/orders keeps its RetentionPeriodHours of 48: {place} has 24",
    ]
    told.clear()
    provide(written(tmp_path, ALL), aws.url, REGION, remark=told.append)
    assert told == []


def test_a_subscription_that_is_written_later_is_made_later(
    aws: EmbeddedAws, clients: Clients, tmp_path: Path
):
    less = ALL.replace("      Subscription: [{Protocol: sqs, Endpoint: !GetAtt Jobs.Arn}]\n", "")
    provide(written(tmp_path, less), aws.url, REGION)
    assert clients("sns").list_subscriptions()["Subscriptions"] == []
    assert provide(written(tmp_path, ALL), aws.url, REGION) == []
    assert len(clients("sns").list_subscriptions()["Subscriptions"]) == 1


def test_what_a_mapping_only_names_is_there_under_that_arn(
    aws: EmbeddedAws, clients: Clients, tmp_path: Path
):
    stream = "arn:aws:kinesis:us-west-2:999999999999:stream/theirs"
    table = f"arn:aws:dynamodb:{REGION}:999999999999:table/abroad/stream/2024-02-03T04:05:06.789"
    queue = f"arn:aws:sqs:{REGION}:123456789012:failed"
    consumer = f"{stream}/consumer/me:1700000000"
    events = f"""\
        One:
          Type: Kinesis
          Properties:
            Stream: {consumer}
            StartingPosition: LATEST
            DestinationConfig: {{OnFailure: {{Destination: "{queue}"}}}}
        Two: {{Type: DynamoDB, Properties: {{Stream: "{table}", StartingPosition: LATEST}}}}
"""
    template = written(tmp_path, FUNCTION + events)
    provide(template, aws.url, REGION)
    west = Clients(aws.url, "us-west-2")
    found = west("kinesis").list_stream_consumers(StreamARN=stream)["Consumers"]
    west.close()
    assert [each["ConsumerARN"] for each in found] == [consumer]
    described = clients("dynamodbstreams").describe_stream(StreamArn=table)["StreamDescription"]
    assert described["TableName"] == "abroad"
    assert clients("sqs").get_queue_url(QueueName="failed")["QueueUrl"]
    assert provide(template, aws.url, REGION) == []


def test_a_consumer_brings_its_stream_along(aws: EmbeddedAws, clients: Clients, tmp_path: Path):
    stream = f"arn:aws:kinesis:{REGION}:123456789012:stream/elsewhere"
    text = f"""\
Resources:
  Fast:
    Type: AWS::Kinesis::StreamConsumer
    Properties: {{ConsumerName: fast, StreamARN: "{stream}"}}
"""
    template = written(tmp_path, text)
    assert provide(template, aws.url, REGION) == [stream, template.consumers["Fast"].arn]
    (fast,) = clients("kinesis").list_stream_consumers(StreamARN=stream)["Consumers"]
    assert fast["ConsumerARN"] == template.consumers["Fast"].arn


def test_two_accounts_cannot_have_a_stream_of_one_name(aws: EmbeddedAws, tmp_path: Path):
    theirs = f"arn:aws:kinesis:{REGION}:999999999999:stream/orders"
    events = f"""\
        One: {{Type: Kinesis, Properties: {{Stream: "{theirs}", StartingPosition: LATEST}}}}
        Two: {{Type: Kinesis, Properties: {{Stream: !GetAtt Orders.Arn, StartingPosition: LATEST}}}}
  Orders: {{Type: AWS::Kinesis::Stream, Properties: {{Name: orders, ShardCount: 1}}}}
"""
    with pytest.raises(EndpointError, match="one of that name belongs to another account"):
        provide(written(tmp_path, FUNCTION + events), aws.url, REGION)


def test_a_table_that_is_there_without_its_stream_stands_in_the_way(
    aws: EmbeddedAws, clients: Clients, tmp_path: Path
):
    clients("dynamodb").create_table(
        TableName="users",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(EndpointError) as refused:
        provide(written(tmp_path, ALL), aws.url, REGION)
    first, _, _ = str(refused.value).partition("\n")
    assert "template.yaml:12" in first
    assert "E537" in first
    assert first.endswith("table/users: it is there, and has no stream")


def test_what_the_server_refuses_has_its_place_in_the_template(aws: EmbeddedAws, tmp_path: Path):
    text = ALL.replace("QueueName: dead", 'QueueName: "dead letters"')
    with pytest.raises(EsmError) as refused:
        provide(written(tmp_path, text), aws.url, REGION)
    assert "template.yaml" in str(refused.value)


def test_what_cannot_be_read_is_left_out_or_raised(
    aws: EmbeddedAws, clients: Clients, tmp_path: Path
):
    text = "Parameters: {Unset: {Type: String}}\n" + ALL.replace("VisibilityTimeout", "").replace(
        "QueueName: dead}", "QueueName: dead, VisibilityTimeout: !Ref Unset}"
    )
    template = written(tmp_path, text)
    complaints: list[EsmError] = []
    provide(template, aws.url, REGION, complaints.append)
    assert [type(each) for each in complaints] == [TemplateError]
    assert [q.rpartition("/")[2] for q in clients("sqs").list_queues()["QueueUrls"]] == ["jobs"]
    with pytest.raises(TemplateError):
        provide(template, aws.url, REGION)


def test_a_server_that_is_not_ours_takes_no_models(tmp_path: Path):
    (tmp_path / "model.json").write_text("{}")
    text = """\
Resources:
  Prices:
    Type: AWS::SageMaker::Endpoint
    Metadata: {esm: {ModelFile: model.json}}
    Properties: {EndpointName: prices, EndpointConfigName: any}
"""
    with EmbeddedAws(port=0) as gone:
        pass
    with pytest.raises(EndpointError) as refused:
        provide(written(tmp_path, text), gone.url, REGION)
    assert refused.value.esm_code == "E537"
