"""`esm generate kinesis`: what it writes is what Lambda would show, and `esm replay` reads it."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from replay_desk import Desk, Ended, record

from esm.cli.main import main
from esm.sources.hash_keys import hash_key_of, uniform_ranges

HANDLER = """
def handler(event, context):
    assert len(event["Records"]) <= 7
"""


def generate(desk: Desk, *arguments: str) -> Ended:
    code = main(["generate", "kinesis", *arguments])
    out, err = desk.capsys.readouterr()
    return Ended(code, out, err)


def lines(ended: Ended) -> list[Any]:
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def payload(item: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(item["kinesis"]["data"]))


def records(desk: Desk, *arguments: str) -> list[Any]:
    return lines(generate(desk, "--records", *arguments))


def test_replay_reads_what_was_generated(desk: Desk):
    desk.write("app.py", HANDLER)
    out = ("--shards", "3", "--keys", "20", "--count", "250", "--out", "orders.jsonl.gz")
    assert generate(desk, *out) == Ended(0, "", "")
    ended = desk.replay("orders.jsonl.gz", "--handler", "app:handler", "--batch-size", "7")
    assert (ended.code, ended.out.splitlines()[0]) == (
        0,
        "records      250 captured: 250 delivered",
    )


def test_replay_reads_records_on_lines(desk: Desk):
    desk.write("app.py", HANDLER)
    generate(desk, "--records", "--count", "5", "--out", "orders.jsonl")
    ended = desk.replay("orders.jsonl", "--handler", "app:handler", "--at-once")
    assert ended.out.startswith("records      5 captured: 5 delivered\ninvocations  1 for")


def test_a_record_has_the_shape_that_lambda_gives_it(desk: Desk):
    [made] = records(desk, "--count", "1")
    like = record(1)
    assert list(made) == list(like)
    assert list(made["kinesis"]) == list(like["kinesis"])
    number = made["kinesis"]["sequenceNumber"]
    assert made["eventID"] == f"shardId-000000000000:{number}"
    assert (len(number), number[:2]) == (56, "49")
    assert made["eventSourceARN"] == "arn:aws:kinesis:us-east-1:123456789012:stream/stream"


def test_an_arn_says_region_and_account(desk: Desk):
    arn = "arn:aws-cn:kinesis:cn-north-1:000000000001:stream/orders"
    [made] = records(desk, "--count", "1", "--stream", arn)
    assert (made["eventSourceARN"], made["awsRegion"]) == (arn, "cn-north-1")
    assert ":000000000001:" in made["invokeIdentityArn"]


def test_a_key_lies_in_the_shard_that_its_md5_belongs_to(desk: Desk):
    made = records(desk, "--count", "200", "--shards", "4", "--keys", "30")
    ranges = uniform_ranges(4)
    for item in made:
        low, high = ranges[int(item["eventID"].split(":")[0].removeprefix("shardId-"))]
        assert low <= hash_key_of(item["kinesis"]["partitionKey"]) <= high
    assert len({item["eventID"].split(":")[0] for item in made}) == 4
    assert {item["kinesis"]["partitionKey"] for item in made} <= {f"key-{n}" for n in range(1, 31)}


def test_an_event_has_records_of_one_shard_in_order(desk: Desk):
    events = lines(generate(desk, "--count", "100", "--shards", "2", "--batch-size", "8"))
    for event in events:
        assert 1 <= len(event["Records"]) <= 8
        assert len({item["eventID"].split(":")[0] for item in event["Records"]}) == 1
        numbers = [int(item["kinesis"]["sequenceNumber"]) for item in event["Records"]]
        assert numbers == sorted(set(numbers))
    ids = [payload(item)["id"] for event in events for item in event["Records"]]
    assert sorted(ids) == list(range(1, 101))
    assert sum(len(event["Records"]) < 8 for event in events) <= 2


def test_records_arrive_at_their_rate(desk: Desk):
    made = records(desk, "--count", "3", "--start", "2026-03-02T09:15:00Z", "--rate", "0.5")
    arrivals = [item["kinesis"]["approximateArrivalTimestamp"] for item in made]
    assert arrivals == [1772442900.0, 1772442902.0, 1772442904.0]


def test_the_seed_decides(desk: Desk):
    data = ("--count", "20", "--data", '{"id": "{{uuid}}", "total": {{int 1 1000}}}')
    first = generate(desk, *data, "--seed", "7")
    assert first == generate(desk, *data, "--seed", "7")
    assert first != generate(desk, *data, "--seed", "8")
    assert len({payload(r)["id"] for e in lines(first) for r in e["Records"]}) == 20


def test_a_packed_file_is_the_same_every_time(desk: Desk):
    for name in ("one.jsonl.gz", "two.jsonl.gz"):
        generate(desk, "--out", name)
    one, two = (Path(name).read_bytes() for name in ("one.jsonl.gz", "two.jsonl.gz"))
    assert one == two
    assert gzip.decompress(one).decode() == generate(desk).out


def test_placeholders_in_the_data(desk: Desk):
    data = (
        '{"n": {{n}}, "key": {{key}}, "text": "no. {{n}} of {{key}}", "at": "{{now}}",'
        ' "price": {{float 0 1}}, "count": {{int -3 3}}, "state": "{{choice new paid}}"}'
    )
    made = records(desk, "--count", "2", "--keys", 'a"b', "--data", data)
    first, second = map(payload, made)
    assert (first["n"], second["n"]) == (1, 2)
    assert first["key"] == 'a"b'
    assert second["text"] == 'no. 2 of a"b'
    assert second["at"] == "2026-01-01T00:00:00.010Z"
    for item in (first, second):
        assert 0 <= item["price"] <= 1
        assert item["count"] in range(-3, 4)
        assert item["state"] in ("new", "paid")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--data", '{"id": {{uiid}}}'],
            "--data:1:8  E451  there is no placeholder {{uiid}}\n"
            '      1 | {"id": {{uiid}}}\n'
            "        |        ^\n"
            "why    known are n, key, now, uuid, int, float, choice\n"
            "fix    {{uuid}}\n",
        ),
        (
            ["--data", '{"id": {{n}}, {{key}}: 1}'],
            "--data:1:15  E452  the data is not JSON: expecting property name enclosed in "
            'double quotes\n      1 | {"id": {{n}}, {{key}}: 1}\n        |               ^\n'
            """fix    --data '{"id": {{n}}, "key": "{{key}}"}'\n""",
        ),
        (
            ["--data", '{"id": {{int 1}}}'],
            "--data:1:8  E453  {{int 1}}: it takes two whole numbers\n"
            '      1 | {"id": {{int 1}}}\n        |        ^\nfix    {{int 1 100}}\n',
        ),
        (
            ["--out", "nowhere/orders.jsonl"],
            "nowhere/orders.jsonl  E454  it cannot be written: No such file or directory\n",
        ),
        (
            ["--start", "9999-12-31T23:59:59Z", "--rate", "1"],
            "E455  the records would not arrive between 1970 and 9999\n"
            "fix    --start 2026-01-01T00:00:00Z --rate 10\n",
        ),
    ],
)
def test_a_mistake_is_told_and_nothing_written(desk: Desk, arguments: list[str], message: str):
    assert generate(desk, *arguments) == Ended(2, "", message)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", '{"id": {{int 5 1}}}'], "E453  {{int 5 1}}: the first number is the smaller"),
        (["--data", '{"id": {{n 1}}}'], "E453  {{n 1}}: it takes nothing more"),
        (["--data", '{"id": {{choice}}}'], "E453  {{choice}}: it takes words to choose from"),
        (["--data", '{"id": {{float a b}}}'], "E453  {{float a b}}: it takes two numbers"),
        (["--data", "{{}}"], "E451  there is no placeholder {{}}"),
        (["--data", "[" * 100_000], "E452  the data is not JSON"),
        (["--data", '{"id": -{{n}}}'], "E452  the data is not JSON"),
        (["--data", '{"id": NaN}'], "E452  the data is not JSON: it has no NaN"),
        (["--data", '"' + "x" * (1 << 20) + '"'], "E411  the record has 1048578 bytes"),
        (["--data", '"\udcff"'], "E442  this data cannot be put"),
        (["--stream", "a b"], "E418  'a b' is not a stream name"),
        (["--shards", "0"], "E417  a stream has 1 to 10000 shards"),
        (["--keys", "a,,b"], "E410  a partition key has 1 to 256 characters"),
        (["--keys", "0"], "E480  Invalid value for '--keys': 0 is not 1 to 1,000,000 keys"),
        (["--keys", "9" * 5_000], "is not 1 to 1,000,000 keys"),
        (["--count", "0"], "E480"),
        (["--rate", "0"], "E480  Invalid value for '--rate': it must be a number above 0, not '0'"),
        (["--start", "soon"], "E480  Invalid value for '--start': 'soon' is not an instant"),
        (["--start", "1969-12-31T00:00:00Z"], "E455"),
        (["--records", "--batch-size", "5"], "E480  --records makes no events"),
    ],
)
def test_what_cannot_be(desk: Desk, arguments: list[str], says: str):
    ended = generate(desk, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_a_mistake_leaves_the_file_as_it_was(desk: Desk):
    desk.write("kept.jsonl", "mine")
    assert generate(desk, "--keys", "k" * 257, "--out", "kept.jsonl").code == 2
    assert generate(desk, "--data", '"' + "x" * (1 << 20) + '"', "--out", "kept.jsonl").code == 2
    assert Path("kept.jsonl").read_text() == "mine"


def test_options_of_other_commands_may_stand_in_pyproject(desk: Desk):
    desk.write(
        "pyproject.toml", '[tool.esm]\nhandler = "app:handler"\ncount = 3\nkeys = ["a", "b"]'
    )
    made = records(desk)
    assert len(made) == 3
    assert {item["kinesis"]["partitionKey"] for item in made} <= {"a", "b"}


def test_what_is_no_option_of_any_command_is_refused(desk: Desk):
    desk.write("pyproject.toml", "[tool.esm]\ncuont = 3")
    ended = generate(desk)
    assert ended.code == 3
    assert ended.err.startswith("pyproject.toml  E262  [tool.esm] has 'cuont'")
    assert ended.err.endswith("fix    count = …\n")


def test_generate_alone_says_what_is_missing(desk: Desk):
    assert main(["generate"]) == 2
    assert desk.capsys.readouterr() == ("", "E480  Missing command.\nfix    esm generate --help\n")
