"""`esm replay` with a template: a mapping by its name, with its function, streams and queue."""

from __future__ import annotations

import pytest
from replay_desk import Desk, event

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size: {Type: Number, Default: 2}
  Token: {Type: String, NoEcho: true, Default: t0ps3cret}
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties: {Name: orders}
  Copies:
    Type: AWS::Kinesis::Stream
    Properties: {Name: copies}
  Failures:
    Type: AWS::SQS::Queue
    Properties: {QueueName: failures}
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: handle
      Runtime: python3.11
      CodeUri: src
      Handler: app.copies
      Timeout: 9
      MemorySize: 512
      Environment:
        Variables:
          COPIES: !Ref Copies
          TOKEN: !Ref Token
          STAGE: test
      Events:
        Taken:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: LATEST
            Enabled: false
            BatchSize: !Ref Size
            MaximumRetryAttempts: 0
            DestinationConfig:
              OnFailure:
                Destination: !GetAtt Failures.Arn
"""
ANOTHER = """\
  Other:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Handle
      EventSourceArn: !GetAtt Orders.Arn
      StartingPosition: TRIM_HORIZON
      BatchSize: 3
"""
DYNAMODB = (
    ANOTHER.replace("!GetAtt Orders.Arn", "!GetAtt Table.StreamArn")
    + """\
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
"""
)
APP = """\
import os


def copies(event, context):
    import boto3

    for record in event["Records"]:
        boto3.client("kinesis").put_record(
            StreamName=os.environ["COPIES"], Data=b"x", PartitionKey="1"
        )


def fails(event, context):
    raise ValueError(
        f"{os.environ['TOKEN']} {os.environ['STAGE']}"
        f" {context.memory_limit_in_mb} {context.get_remaining_time_in_millis()}"
    )
"""


@pytest.fixture
def project(desk: Desk) -> Desk:
    """Three captured orders, and a template whose one mapping copies them to a stream."""
    desk.write("orders.json", event(1, 2, 3))
    desk.write("template.yaml", TEMPLATE)
    (desk.folder / "src").mkdir()
    desk.write("src/app.py", APP)
    return desk


def failing(desk: Desk) -> None:
    desk.write("template.yaml", TEMPLATE.replace("app.copies", "app.fails"))


def test_a_mapping_by_its_name_has_everything_from_the_template(project: Desk):
    ended = project.replay("orders.json", "--mapping", "HandleTaken", "--at-once", "-o", "json")
    assert ended.code == 0
    assert ended.json["functionArn"].endswith(":function:handle")
    assert ended.json["invocations"]["batches"] == 2
    assert [(s["name"], len(s["records"])) for s in ended.json["streams"]] == [("copies", 3)]


def test_the_only_mapping_needs_no_name(project: Desk):
    named = project.replay("orders.json", "--mapping", "HandleTaken", "--at-once")
    assert "records      3 captured: 3 delivered\n" in named.out
    assert "invocations  2 for 2 batches\n" in named.out
    assert project.replay("orders.json", "--at-once") == named


def test_flags_are_stronger_than_the_template(project: Desk):
    ended = project.replay("orders.json", "--at-once", "--batch-size", "3")
    assert "invocations  1 for 1 batch\n" in ended.out


def test_parameters_are_stronger_than_their_defaults(project: Desk):
    ended = project.replay("orders.json", "--at-once", "--parameter-overrides", "Size=1")
    assert "invocations  3 for 3 batches\n" in ended.out


def test_what_fails_goes_to_the_queue_of_the_template(project: Desk):
    failing(project)
    ended = project.replay("orders.json", "--at-once")
    assert ended.code == 1
    assert "3 discarded" in ended.out
    assert "ValueError: **** test 512 9000" in ended.out
    assert "failures" in ended.out


def test_the_functions_settings_can_be_given_too(project: Desk):
    failing(project)
    project.write("env.json", {"Handle": {"STAGE": "live"}})
    flags = ("--timeout", "5", "--memory-size", "256", "-n", "env.json")
    ended = project.replay("orders.json", "--at-once", *flags)
    assert "ValueError: **** **** 256 5000" in ended.out


def test_another_handler_in_the_place_of_the_mappings(project: Desk):
    project.write("other_app.py", "def handler(event, context):\n    print('other')\n")
    flags = ("--mapping", "HandleTaken", "--handler", "other_app:handler")
    ended = project.replay("orders.json", "--at-once", *flags)
    assert (ended.code, ended.err.count("other\n")) == (0, 2)


def test_each_event_as_it_is_to_the_mappings_function(project: Desk):
    ended = project.replay("orders.json", "--as-is")
    assert (ended.code, ended.out) == (
        0,
        "events       1 sent as they are, 0 failed\npublished    3 records on copies\n",
    )


def test_with_a_handler_alone_the_template_is_not_read(project: Desk):
    project.write("template.yaml", "Resources: [")
    project.write("other_app.py", "def handler(event, context): ...\n")
    ended = project.replay("orders.json", "--handler", "other_app:handler", "--at-once")
    assert "invocations  1 for 1 batch\n" in ended.out


def test_a_mapping_that_is_not_there(project: Desk):
    ended = project.replay("orders.json", "--mapping", "HandelTaken")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        "E150  template.yaml has no mapping 'HandelTaken'\n"
        "why    its mappings: HandleTaken\nfix    --mapping HandleTaken\n"
    )


def test_of_two_mappings_one_must_be_named(project: Desk):
    project.write("template.yaml", TEMPLATE + ANOTHER)
    ended = project.replay("orders.json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "E480  Missing option '--mapping': template.yaml has 2 mappings of Kinesis\n"
        "why    they are HandleTaken, Other\nfix    --mapping HandleTaken\n"
    )
    assert (
        "invocations  1 for" in project.replay("orders.json", "--at-once", "--mapping", "Other").out
    )


def test_a_mapping_of_another_source(project: Desk):
    project.write("template.yaml", TEMPLATE + DYNAMODB)
    assert project.replay("orders.json", "--at-once").code == 0  # of Kinesis there is one
    ended = project.replay("orders.json", "--mapping", "Other")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "E490  Other is a mapping of DynamoDB, and the capture is of Kinesis\n"
        "why    its function expects other events\n"
        "fix    --mapping HandleTaken\n"
    )


@pytest.mark.parametrize("text", [None, "Resources: {}"])
def test_neither_a_handler_nor_a_mapping(desk: Desk, text: str | None):
    desk.write("orders.json", event(1))
    if text is not None:
        desk.write("template.yaml", text)
    ended = desk.replay("orders.json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("E480  Missing option '--handler'")
    assert ended.err.endswith("\nfix    --handler MODULE:FUNCTION\n")


def test_a_mistake_of_the_template_is_told_with_its_place(project: Desk):
    project.write("template.yaml", TEMPLATE.replace("!GetAtt Orders.Arn", "!GetAtt Order.Arn"))
    ended = project.replay("orders.json", "--mapping", "HandleTaken")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("template.yaml:33:21  E120  ")


def test_what_was_written_to_tables_and_queues_is_summed_up(project: Desk):
    pytest.importorskip("moto")
    table = (
        "  Seen:\n    Type: AWS::DynamoDB::Table\n    Properties:\n      TableName: seen\n"
        "      BillingMode: PAY_PER_REQUEST\n"
        "      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]\n"
        "      KeySchema: [{AttributeName: id, KeyType: HASH}]\n"
        "  Alerts:\n    Type: AWS::SNS::Topic\n    Properties: {TopicName: alerts}\n"
    )
    project.write("template.yaml", TEMPLATE.replace("app.copies", "notes.note") + table)
    project.write(
        "src/notes.py",
        "import boto3\n"
        "def note(event, context):\n"
        "    for record in event['Records']:\n"
        "        number = record['kinesis']['sequenceNumber']\n"
        "        boto3.client('dynamodb').put_item(TableName='seen', Item={'id': {'S': number}})\n"
        "    topic = 'arn:aws:sns:us-east-1:123456789012:alerts'\n"
        "    boto3.client('sns').publish(TopicArn=topic, Message='seen')\n",
    )
    ended = project.replay("orders.json", "-o", "json", "--at-once", "--batch-size", "10")
    assert ended.code == 0, ended.err
    assert ended.json["written"] == {
        "arn:aws:dynamodb:us-east-1:123456789012:table/seen": 3,
        "arn:aws:sns:us-east-1:123456789012:alerts": 1,
    }
    told = project.replay("orders.json", "--at-once", "--batch-size", "10").out
    assert "written      3 items to dynamodb:table/seen\n" in told
    assert "             1 message to sns:alerts\n" in told


def test_a_mapping_of_a_function_that_is_elsewhere(project: Desk):
    text = (project.folder / "template.yaml").read_text(encoding="utf-8")
    text += """\
  Abroad:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.Arn
      FunctionName: arn:aws:lambda:us-east-1:123456789012:function:other
      StartingPosition: LATEST
"""
    project.write("template.yaml", text)
    ended = project.replay("orders.json", "--mapping", "Abroad")
    assert ended.code == 3
    assert "Abroad invokes arn:aws:lambda:us-east-1:123456789012:function:other" in ended.err
    assert ended.err.endswith("fix    FunctionName: !Ref Handle\n")


def test_what_aws_refuses_in_the_template_is_mended_there(project: Desk):
    project.write("template.yaml", TEMPLATE.replace("BatchSize: !Ref Size", "BatchSize: 20000"))
    ended = project.replay("orders.json", "--mapping", "HandleTaken")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("template.yaml:36:24  E204  ")
    assert ended.err.endswith("\nfix    BatchSize: 100\n")


def test_what_a_flag_replaces_in_the_template_may_be_wrong_there(project: Desk):
    project.write("template.yaml", TEMPLATE.replace("BatchSize: !Ref Size", "BatchSize: 20000"))
    ended = project.replay("orders.json", "--at-once", "--batch-size", "3")
    assert "invocations  1 for 1 batch\n" in ended.out
    refused = project.replay("orders.json", "--at-once", "--batch-size", "30000")
    assert refused.code == 3
    assert refused.err.endswith("\nfix    --batch-size 100\n")


def test_a_position_that_replay_does_not_need_may_be_wrong(project: Desk):
    project.write("template.yaml", TEMPLATE.replace("LATEST", "SOMEWHERE"))
    assert project.replay("orders.json", "--at-once").code == 0


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "cn-north-1"])
def test_streams_are_in_the_region_of_the_template(project: Desk, region: str):
    by_arn = APP.replace("StreamName=os.environ", "StreamARN=os.environ")
    project.write("src/app.py", by_arn)
    project.write("template.yaml", TEMPLATE.replace("!Ref Copies", "!GetAtt Copies.Arn"))
    ended = project.replay("orders.json", "--at-once", "--region", region, "-o", "json")
    assert ended.err == ""
    assert [(s["name"], len(s["records"])) for s in ended.json["streams"]] == [("copies", 3)]


def test_streams_of_flags_are_in_the_region_of_the_capture(project: Desk):
    project.write(
        "other_app.py",
        "import boto3\ndef handler(event, context):\n"
        "    arn = event['Records'][0]['eventSourceARN'].replace('/orders', '/others')\n"
        "    boto3.client('kinesis').put_record(StreamARN=arn, Data=b'x', PartitionKey='1')\n",
    )
    flags = ("--handler", "other_app:handler", "--stream", "others", "--at-once")
    assert "published    1 record on others" in project.replay("orders.json", *flags).out
