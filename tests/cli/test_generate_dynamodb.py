"""`esm generate dynamodb`: what it writes is a table's stream, and `esm replay` reads it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from replay_desk import Desk, Ended

from esm.cli.main import main

HANDLER = """
def handler(event, context):
    assert all(record["eventSource"] == "aws:dynamodb" for record in event["Records"])
"""
STREAM = "arn:aws:dynamodb:eu-west-1:210987654321:table/orders/stream/2025-05-05T05:05:05.055"


def generate(desk: Desk, *arguments: str) -> Ended:
    code = main(["generate", "dynamodb", *arguments])
    out, err = desk.capsys.readouterr()
    return Ended(code, out, err)


def lines(ended: Ended) -> list[Any]:
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def records(desk: Desk, *arguments: str) -> list[Any]:
    return lines(generate(desk, "--records", *arguments))


def test_replay_reads_what_was_generated(desk: Desk):
    desk.write("app.py", HANDLER)
    generate(desk, "--count", "250", "--keys", "9", "--mix", "3:2:1", "--out", "orders.jsonl.gz")
    ended = desk.replay("orders.jsonl.gz", "--handler", "app:handler", "--batch-size", "7")
    assert (ended.code, ended.out.splitlines()[0]) == (
        0,
        "records      250 captured: 250 delivered",
    )
    as_is = desk.replay("orders.jsonl.gz", "--handler", "app:handler", "--as-is")
    assert as_is.out == "events       3 sent as they are, 0 failed\n"


def test_each_record_alone_is_an_insert_of_its_own_item(desk: Desk):
    first, second = records(desk, "--count", "2", "--rate", "1", "--data", '{"n": {{n}}}')
    assert list(first) == [
        "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb",
        "eventSourceARN",
    ]  # fmt: skip
    assert first["dynamodb"] == {
        "ApproximateCreationDateTime": 1_767_225_600.0,
        "Keys": {"pk": {"S": "1"}},
        "NewImage": {"n": {"N": "1"}, "pk": {"S": "1"}},
        "SequenceNumber": first["dynamodb"]["SequenceNumber"],
        "SizeBytes": 9,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    assert second["dynamodb"]["ApproximateCreationDateTime"] == 1_767_225_601.0
    assert second["eventName"] == "INSERT"


@pytest.mark.parametrize("mix", ["6:3:1", "0:1:0", "1:0:1", "0:0:1"])
def test_the_records_tell_one_story(desk: Desk, mix: str):
    made = records(desk, "--count", "300", "--keys", "a,b,c", "--mix", mix)
    items: dict[str, Any] = {}
    for record in made:
        key = record["dynamodb"]["Keys"]["pk"]["S"]
        old, new = record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage")
        assert old == items.get(key)
        assert old != new
        assert record["eventName"] == (
            "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        )
        items[key] = new
    assert len(made) == 300
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in made]
    assert numbers == sorted(set(numbers))


def test_the_mix_is_what_was_asked_for(desk: Desk):
    made = Counter(r["eventName"] for r in records(desk, "--count", "2000", "--mix", "6:3:1"))
    assert 1_100 < made["INSERT"] < 1_300
    assert 500 < made["MODIFY"] < 700
    assert 150 < made["REMOVE"] < 250


def test_a_change_that_changes_nothing_removes_the_item(desk: Desk):
    made = records(desk, "--count", "4", "--keys", "a", "--mix", "1:1:0", "--data", '{"n": 1}')
    assert [record["eventName"] for record in made] == ["INSERT", "REMOVE"] * 2


def test_the_view_and_the_key_and_the_table(desk: Desk):
    [record] = records(
        desk, "--count", "1", "--view", "KEYS_ONLY", "--key-name", "id", "--table", STREAM
    )
    assert record["dynamodb"]["Keys"] == {"id": {"S": "1"}}
    assert "NewImage" not in record["dynamodb"]
    assert (record["eventSourceARN"], record["awsRegion"]) == (STREAM, "eu-west-1")


def test_the_seed_decides(desk: Desk):
    drawn = ("--keys", "9", "--mix", "3:2:1", "--data", '{"n": {{int 1 9}}}')
    first, again = records(desk, *drawn), records(desk, *drawn)
    assert first == again != records(desk, *drawn, "--seed", "1")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--mix", "1:2"], "'1:2' is not INSERT:MODIFY:REMOVE such as 6:3:1"),
        (["--mix", "0:0:0"], "'0:0:0' is not INSERT:MODIFY:REMOVE such as 6:3:1"),
        (["--data", "[1]"], "E456  the data is no item: [1]"),
        (["--view", "ALL"], "E463  view='ALL' is not a view type"),
        (["--table", "no table"], "E463  'no table' is not a table name"),
        (["--key-name", ""], "E463  keys=('',) is not a table's primary key"),
        (["--data", '{"n": 1E200}'], "E460  n: DynamoDB has no type for"),
        (["--start", "9999-12-31T23:59:59Z", "--rate", "1"], "E455  the records would not"),
        (["--records", "--batch-size", "1"], "--records makes no events, so no --batch-size"),
    ],
)
def test_what_cannot_be(desk: Desk, arguments: list[str], says: str):
    ended = generate(desk, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


# --- a template with a table ---------------------------------------------------------------------

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      KeySchema: [{AttributeName: pk, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: pk, AttributeType: S}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: .
      Events:
        Changed:
          Type: DynamoDB
          Properties: {Stream: !GetAtt Orders.StreamArn, StartingPosition: LATEST, BatchSize: 7}
"""


def test_the_overviews_commands_are_those_of_the_mapping(desk: Desk):
    desk.write("template.yaml", TEMPLATE)
    code = main([])
    out, _ = desk.capsys.readouterr()
    assert code == 0
    assert "  source    DynamoDB orders\n" in out
    assert out.endswith(
        "next\n  esm validate\n"
        "  esm generate dynamodb --count 3 | esm invoke Handle --event -\n"
        "  esm generate dynamodb --count 100 | esm replay - --mapping HandleChanged\n"
        "  esm run HandleChanged\n"
    )


def test_the_templates_only_mapping_takes_the_capture(desk: Desk):
    desk.write("template.yaml", TEMPLATE)
    desk.write("app.py", HANDLER)
    generate(desk, "--count", "20", "--out", "orders.jsonl")
    ended = desk.replay("orders.jsonl", "--at-once")
    assert (ended.code, ended.out.splitlines()[:2]) == (
        0,
        ["records      20 captured: 20 delivered", "invocations  3 for 3 batches"],
    )


def test_the_capture_says_which_of_two_kinds_of_mappings(desk: Desk):
    stream = (
        "        Taken:\n          Type: Kinesis\n          Properties:\n"
        "            Stream: arn:aws:kinesis:us-east-1:123456789012:stream/taken\n"
        "            StartingPosition: LATEST\n"
    )
    desk.write("template.yaml", TEMPLATE + stream)
    desk.write("app.py", HANDLER)
    generate(desk, "--count", "2", "--out", "orders.jsonl")
    assert desk.replay("orders.jsonl").out.startswith("records      2 captured: 2 delivered\n")
