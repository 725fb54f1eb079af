"""`esm put`: records into a live stream, items into a live table."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from aws_desk import LiveDesk
from replay_desk import event, record

from esm.cli import putting
from esm.embedded.aws import EmbeddedAws
from esm.embedded.endpoint_file import write
from esm.state import FOLDER

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties: {{Name: {stream}, ShardCount: 1}}
  Ship:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      Events:
        Taken:
          Type: Kinesis
          Properties: {{Stream: !GetAtt Orders.Arn, StartingPosition: TRIM_HORIZON}}
"""


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Say what is on standard input."""

    def give(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def change(name: str, number: int, **new: str) -> dict[str, Any]:
    """A captured change of an item as a function sees it; number n is n seconds late."""
    image = {"NewImage": {"id": {"S": "a"}, **{k: {"S": v} for k, v in new.items()}}} if new else {}
    return {
        "eventID": f"{number:032x}",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_772_444_400 + number,
            "Keys": {"id": {"S": "a"}},
            **image,
            "SequenceNumber": str(1_000 + number),
            "SizeBytes": 10,
            "StreamViewType": "NEW_IMAGE",
        },
    }


# --- one record ----------------------------------------------------------------------------------


def test_a_text_becomes_a_record(live: LiveDesk):
    stream = live.stream()
    ended = live.at("put", stream, "--data", '{"id": 1}', "--partition-key", "ann")

    (got,) = live.records(stream)
    assert (got["Data"], got["PartitionKey"]) == (b'{"id": 1}', "ann")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        f"{stream}: 1 record\nshardId-000000000000  1  up to {got['SequenceNumber']}\n"
    )


def test_so_does_a_file_as_it_is(live: LiveDesk):
    stream = live.stream()
    (live.folder / "photo").write_bytes(b"\x1f\x8b\x00 not json \xff\n")

    assert live.at("put", stream, "--data", "@photo").code == 0
    assert [each["Data"] for each in live.records(stream)] == [b"\x1f\x8b\x00 not json \xff\n"]


def test_so_does_what_is_on_standard_input(live: LiveDesk, stdin: Callable[[bytes], None]):
    stream = live.stream()
    stdin(b"two\nlines\n")

    assert live.at("put", stream, "--data", "-").code == 0
    assert [each["Data"] for each in live.records(stream)] == [b"two\nlines\n"]


def test_an_explicit_hash_key_chooses_the_shard(live: LiveDesk):
    stream = live.stream(2)
    for hash_key in ("0", str(2**128 - 1)):
        live.at("put", stream, "--data", "x", "--explicit-hash-key", hash_key)

    answer = live.at("put", stream, "--data", "x", "--explicit-hash-key", "0", "-o", "json").json
    assert [shard["shardId"] for shard in answer["shards"]] == ["shardId-000000000000"]
    assert len(live.records(stream)) == 3


def test_json_says_where_it_went(live: LiveDesk):
    stream = live.stream()
    answer = live.at("put", stream, "--data", "x", "-o", "json").json

    (got,) = live.records(stream)
    assert answer == {
        "name": stream,
        "arn": f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream}",
        "records": 1,
        "overtaken": 0,
        "shards": [
            {
                "shardId": "shardId-000000000000",
                "records": 1,
                "lastSequenceNumber": got["SequenceNumber"],
            }
        ],
    }


# --- lines and captures --------------------------------------------------------------------------


def test_each_line_is_a_record_with_a_key_of_its_own(live: LiveDesk):
    stream = live.stream()
    (live.folder / "orders.txt.gz").write_bytes(gzip.compress(b"one\r\n\n  \ntwo\nthree"))

    assert live.at("put", stream, "orders.txt.gz", "--lines").out.startswith(f"{stream}: 3 records")
    got = live.records(stream)
    assert [each["Data"] for each in got] == [b"one", b"two", b"three"]
    assert len({each["PartitionKey"] for each in got}) == 3


def test_lines_may_share_a_key(live: LiveDesk, stdin: Callable[[bytes], None]):
    stream = live.stream()
    stdin(b"one\ntwo\n")

    live.at("put", stream, "-", "--lines", "--partition-key", "ann")

    assert [each["PartitionKey"] for each in live.records(stream)] == ["ann", "ann"]


def test_captured_records_keep_data_key_and_order(live: LiveDesk):
    stream = live.stream()
    live.write("late.json", event(3, 4, shard=1))
    live.write("early.jsonl", "\n".join(json.dumps(record(n)) for n in (2, 1)))

    assert live.at("put", stream, "late.json", "early.jsonl").code == 0
    assert [(json.loads(each["Data"]), each["PartitionKey"]) for each in live.records(stream)] == [
        ({"id": number}, f"key-{number}") for number in (1, 2, 3, 4)
    ]


def test_more_than_one_call_takes_go_in_several(live: LiveDesk):
    stream = live.stream(2)
    live.esm("generate", "kinesis", "--count", "1201", "--keys", "3", "--out", "many.jsonl.gz")

    ended = live.at("put", stream, "many.jsonl.gz", "-o", "json")

    assert ended.json["records"] == sum(s["records"] for s in ended.json["shards"]) == 1201
    of_one = [each for each in live.records(stream) if each["PartitionKey"] == "key-1"]
    of_key = [json.loads(each["Data"])["id"] for each in of_one]
    assert len(of_key) > 300
    assert of_key == sorted(of_key)


# --- which stream --------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["Orders", "ShipTaken"])
def test_a_stream_goes_by_what_the_template_calls_it_and_its_mapping(live: LiveDesk, word: str):
    stream = live.stream()
    live.write("template.yaml", TEMPLATE.format(stream=stream))

    assert live.at("put", word, "--data", "x").out.startswith(f"{stream}: 1 record\n")


def test_a_stream_goes_by_its_arn_and_by_a_consumers(live: LiveDesk):
    stream = live.stream()
    arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream}"

    for word in (arn, f"{arn}/consumer/alerts:1767225600"):
        assert live.at("put", word, "--data", "x").out.startswith(f"{stream}: 1 record\n")


def test_a_stream_that_is_not_there_names_the_nearest(live: LiveDesk):
    live.stream(name="payments")
    ended = live.at("put", "paiments", "--data", "x")
    lines = ended.err.splitlines()

    assert ended.code == 5
    assert lines[0] == "E540  there is no stream and no table paiments"
    assert lines[1].startswith("why    there are ")
    assert lines[2] == "fix    payments"


def test_an_arn_of_something_else_is_no_stream(live: LiveDesk):
    ended = live.at("put", "arn:aws:sqs:us-east-1:123456789012:orders", "--data", "x")
    assert ended.err.startswith("E540  there is no stream and no table orders\n")


# --- where it is ---------------------------------------------------------------------------------


def test_what_runs_in_this_folder_is_found(live: LiveDesk, aws: EmbeddedAws):
    stream = live.stream()
    write(live.folder / FOLDER, aws.url, aws.incarnation)

    assert live.esm("put", stream, "--data", "x").code == 0
    assert len(live.records(stream)) == 1


def test_nothing_runs_in_this_folder(live: LiveDesk):
    ended = live.esm("put", "orders", "--data", "x")
    assert (ended.code, ended.err) == (
        5,
        "E539  nothing is running in this folder\n"
        "why    streams are those of a running esm run or esm serve, or of --endpoint-url\n"
        "fix    esm serve\n",
    )


def test_an_endpoint_may_stand_in_the_environment(live: LiveDesk, monkeypatch: pytest.MonkeyPatch):
    stream = live.stream()
    monkeypatch.setenv("AWS_ENDPOINT_URL", live.url)

    assert live.esm("put", stream, "--data", "x").code == 0


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS"])
def test_it_may_not_lead_off_this_machine(
    live: LiveDesk, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv(variable, "https://kinesis.eu-central-1.amazonaws.com")
    ended = live.esm("put", "orders", "--data", "x")

    assert ended.code == 5
    assert ended.err.startswith(
        "E541  https://kinesis.eu-central-1.amazonaws.com is not on this machine\n"
    )


def test_who_asks_for_real_streams_is_told_which(live: LiveDesk):
    stream = live.stream()
    ended = live.at("put", stream, "--data", "x", "--aws")
    assert ended.err == f"using arn:aws:kinesis:us-east-1:123456789012:stream/{stream}\n"


def test_nobody_answers(live: LiveDesk):
    ended = live.esm("put", "orders", "--data", "x", "--endpoint-url", "http://127.0.0.1:1")
    assert ended.code == 5
    assert ended.err.startswith("E543  Could not connect to the endpoint URL")


# --- tables --------------------------------------------------------------------------------------


def test_json_becomes_an_item(live: LiveDesk):
    table = live.table()
    ended = live.at("put", table, "--data", '{"id": "a", "total": 9.50, "tags": ["x", null]}')

    assert ended.out == f"{table}: 1 record\n"
    (item,) = live.dynamodb.scan(TableName=table)["Items"]
    assert item == {
        "id": {"S": "a"},
        "total": {"N": "9.5"},
        "tags": {"L": [{"S": "x"}, {"NULL": True}]},
    }


@pytest.mark.parametrize("line", ['"text"', "[1]", '{"id": '])
def test_anything_else_is_none(live: LiveDesk, line: str):
    table = live.table()
    live.write("items.jsonl", f'{{"id": "a"}}\n{line}\n')
    ended = live.at("put", table, "items.jsonl", "--lines")

    assert ended.code == 2
    assert ended.err.startswith("items.jsonl:2  E497  this is no item of a table\n")
    assert live.dynamodb.scan(TableName=table)["Items"] == []


def test_an_item_has_its_key_in_it(live: LiveDesk):
    table = live.table()
    ended = live.at("put", table, "--data", '{"id": "a"}', "--partition-key", "a")

    assert ended.code == 2
    assert ended.err.startswith(f"E480  {table} is a table: items have their keys in them")
    assert live.dynamodb.scan(TableName=table)["Items"] == []


def test_captured_changes_are_made_again(live: LiveDesk):
    table = live.table("NEW_IMAGE")
    changes = [
        change("INSERT", 1, state="new"), change("MODIFY", 2, state="paid"), change("REMOVE", 3)
    ]  # fmt: skip
    live.write("changes.json", {"Records": changes})

    assert live.at("put", table, "changes.json").out == f"{table}: 3 records\n"
    shown = [(r["eventName"], r["dynamodb"].get("NewImage")) for r in live.changes(table)]
    assert shown == [(c["eventName"], c["dynamodb"].get("NewImage")) for c in changes]


def test_changes_that_say_only_the_keys_cannot_be(live: LiveDesk):
    table = live.table()
    insert = change("INSERT", 1)
    insert["dynamodb"]["StreamViewType"] = "KEYS_ONLY"
    live.write("changes.json", {"Records": [insert]})
    ended = live.at("put", table, "changes.json")

    assert ended.code == 2
    assert ended.err.startswith("E494  record 1001 has no NewImage")
    assert live.dynamodb.scan(TableName=table)["Items"] == []


def test_what_a_table_refuses_is_told_with_what_came_before(live: LiveDesk):
    table = live.table()
    live.write("items.jsonl", '{"id": "a"}\n{"id": 2}\n{"id": "c"}\n')
    ended = live.at("put", table, "items.jsonl", "--lines")

    assert ended.code == 5
    assert ended.err.startswith(f"E542  {table} took no more after 1 record: ValidationException")
    assert [i["id"] for i in live.dynamodb.scan(TableName=table)["Items"]] == [{"S": "a"}]


def test_records_of_a_stream_are_no_items(live: LiveDesk):
    table = live.table()
    live.write("orders.json", event(1))
    ended = live.at("put", table, "orders.json")

    assert ended.code == 2
    assert ended.err.startswith("E493  the captures hold records of a Kinesis stream, and ")


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--data, or one FILE or more: neither is given"),
        (["a.json", "--data", "x"], "--data, or one FILE or more: not both"),
        (["--data", "x", "--lines"], "--lines is of a FILE"),
        (
            ["a.json", "--partition-key", "a"],
            "captured records have their own keys",
        ),
    ],
)
def test_what_there_is_to_put_is_said_once(live: LiveDesk, arguments: list[str], said: str):
    ended = live.at("put", "orders", *arguments)
    assert (ended.code, ended.err) == (2, f"E480  {said}\nfix    esm put --help\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["none.json"], "E420"),
        (["--data", "@none"], "E421"),
        (["bad.json"], "E422"),
        (["blank.txt", "--lines"], "E496"),
        (["--data", "x", "--partition-key", "k" * 257], "E410"),
        (["--data", "x", "--explicit-hash-key", "-1"], "E412"),
    ],
)
def test_what_cannot_be_put_is_said_before_anybody_is_asked(
    live: LiveDesk, arguments: list[str], code: str
):
    live.write("bad.json", "{")
    live.write("blank.txt", "\n \n")
    ended = live.esm("put", "orders", *arguments)
    assert ended.code == 2
    assert code in ended.err


def test_nothing_but_ctrl_c_ends_a_wait():
    assert putting._wait(0.001)
