"""`esm replay` goes on where a function writes: the template's next mappings run as well."""

from __future__ import annotations

import json

import pytest
from replay_desk import Desk, Ended, event

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders: {Type: AWS::Kinesis::Stream, Properties: {Name: orders}}
  Checked: {Type: AWS::Kinesis::Stream, Properties: {Name: checked}}
  Totals:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: totals
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Check:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      CodeUri: src
      Handler: app.check
      Environment: {Variables: {TARGET: !Ref Checked}}
      Events:
        Orders:
          Type: Kinesis
          Properties: {Stream: !GetAtt Orders.Arn, StartingPosition: TRIM_HORIZON}
  Add:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      CodeUri: src
      Handler: app.add
      Environment: {Variables: {TARGET: !Ref Totals, REFUSED: none}}
      Events:
        Checked:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Checked.Arn
            StartingPosition: TRIM_HORIZON
            Enabled: true
            BatchSize: 1
            MaximumRetryAttempts: 0
  Tell:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      CodeUri: src
      Handler: app.tell
      Events:
        Totals:
          Type: DynamoDB
          Properties: {Stream: !GetAtt Totals.StreamArn, StartingPosition: TRIM_HORIZON}
        Orders:
          Type: Kinesis
          Properties: {Stream: !GetAtt Orders.Arn, StartingPosition: TRIM_HORIZON}
"""
APP = """\
import base64
import json
import os

import boto3


def check(event, context):
    for record in event["Records"]:
        data = base64.b64decode(record["kinesis"]["data"])
        boto3.client("kinesis").put_record(
            StreamName=os.environ["TARGET"], Data=data, PartitionKey="1"
        )


def add(event, context):
    for record in event["Records"]:
        order = json.loads(base64.b64decode(record["kinesis"]["data"]))
        if str(order["id"]) == os.environ["REFUSED"]:
            raise ValueError("no such order")
        table = boto3.resource("dynamodb").Table(os.environ["TARGET"])
        table.put_item(Item={"pk": str(order["id"])})


def tell(event, context):
    print([record["eventName"] for record in event["Records"]])
"""


@pytest.fixture
def desk(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    folder = tmp_path_factory.mktemp("chain")
    monkeypatch.chdir(folder)
    made = Desk(folder, capsys)
    made.write("template.yaml", TEMPLATE)
    (folder / "src").mkdir()
    made.write("src/app.py", APP)
    made.write("orders.json", event(1, 2, 3))
    return made


def checked(desk: Desk, *more: str) -> Ended:
    return desk.replay("orders.json", "--mapping", "CheckOrders", "--at-once", *more)


def test_what_a_function_writes_reaches_the_next_mappings(desk: Desk):
    ended = checked(desk)
    assert ended.code == 0
    assert ended.out.splitlines()[2:4] == [
        "then         AddChecked: 3 delivered",
        "             TellTotals: 3 delivered",
    ]
    assert ended.err.count("INSERT") == 3


def test_other_readers_of_the_captured_stream_do_not_come_after_it(desk: Desk):
    assert "TellOrders" not in checked(desk).out


def test_the_chain_can_be_left_out(desk: Desk):
    ended = checked(desk, "--no-chain")
    assert ended.code == 0
    assert "then" not in ended.out
    assert "published    3 records on checked" in ended.out


def test_a_mapping_that_is_not_enabled_ends_the_chain(desk: Desk):
    desk.write("template.yaml", TEMPLATE.replace("Enabled: true", "Enabled: false"))
    assert "then" not in checked(desk).out


def test_what_goes_wrong_further_down_counts(desk: Desk):
    desk.write("env.json", {"Check": {}, "Add": {"REFUSED": "2"}})
    ended = checked(desk, "-n", "env.json")
    assert ended.code == 1
    assert "then         AddChecked: 2 delivered, 1 discarded; 1 call failed" in ended.out
    assert "AddChecked: 2 delivered, 1 discarded" in ended.out.partition("\n\n")[2]
    assert "errors       AddChecked: ValueError: no such order" in ended.out


def test_the_chain_as_json(desk: Desk):
    answer = checked(desk, "-o", "json").json
    assert [each["mapping"] for each in answer["chain"]] == ["AddChecked", "TellTotals"]
    assert answer["chain"][0]["records"]["delivered"] == 3
    assert answer["invocations"]["total"] == answer["invocations"]["succeeded"] == 1
    lines = [json.loads(line) for line in checked(desk, "-o", "jsonl").out.splitlines()]
    assert [line["batchSize"] for line in lines] == [3]


def test_two_runs_of_a_chain_are_one(desk: Desk):
    assert checked(desk, "--timeline").out == checked(desk, "--timeline").out
