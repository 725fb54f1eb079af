"""What users get wrong with `esm replay`: the whole message, the exit code, nothing half done."""

from __future__ import annotations

import gzip
import io
import json
import sys

import pytest
from replay_desk import Desk, all_at_once, event


def test_a_handler_by_the_wrong_name(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fime"))
    assert (ended.code, ended.out) == (4, "")
    assert (
        ended.err == "E303  orders_app has no function 'fime'\nfix    --handler orders_app:fine\n"
    )


def test_a_module_by_the_wrong_name(three_orders: Desk):
    ended = three_orders.replay("orders.json", "--handler", "order_app:fine")
    assert ended.code == 4
    folder = three_orders.folder.name
    assert ended.err == (
        f"E301  there is no module 'order_app' in {folder}/ nor installed\n"
        "fix    --handler orders_app:fine\n"
    )


@pytest.mark.parametrize(
    ("handler", "fix"),
    [
        ("orders_app.fine", "--handler orders_app:fine"),
        ("src/orders_app.fine", "--code-uri src --handler orders_app:fine"),
        ("orders_app.py:fine", "--handler orders_app:fine"),
        ("src/orders_app.py:fine", "--code-uri src --handler orders_app:fine"),
        ("src/orders_app:fine", "--code-uri src --handler orders_app:fine"),
        ("json:handler", "the name of a function of that module"),
        (
            "elsewhere:fine",
            "--handler MODULE:FUNCTION, and --code-uri with the folder of MODULE.py",
        ),
        ("fine", "--handler MODULE:FUNCTION, and --code-uri with the folder of MODULE.py"),
        (":fine", "--handler MODULE:FUNCTION, and --code-uri with the folder of MODULE.py"),
    ],
)
def test_a_handler_spelt_in_another_way(three_orders: Desk, handler: str, fix: str):
    ended = three_orders.replay("orders.json", "--handler", handler)
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.splitlines()[-1] == f"fix    {fix}"


def test_a_module_that_exits_while_it_is_loaded(three_orders: Desk):
    three_orders.write("exits.py", "raise SystemExit('set TABLE first')")
    ended = three_orders.replay("orders.json", "--handler", "exits:handler")
    assert ended.code == 4
    assert ended.err.startswith("E302  exits cannot be imported: SystemExit: set TABLE first")


def test_a_capture_that_is_no_json(three_orders: Desk):
    three_orders.write("broken.json", '{\n  "Records": [}\n')
    ended = three_orders.replay("orders.json", "broken.json", "--handler", "orders_app:keeps_event")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "broken.json:2:15  E422  not JSON: invalid character\n"
        '      2 |   "Records": [}\n'
        "        |               ^\n"
        "why    a capture is JSON, or one JSON document on each line\n"
    )
    assert not (three_orders.folder / "seen.jsonl").exists()


def test_a_batch_size_that_aws_refuses(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("keeps_event", "--batch-size", "20000"))
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        "E204  1 validation error detected: Value '20000' at 'batchSize' failed to satisfy "
        "constraint: Member must have value less than or equal to 10000\n"
        "why    AWS refuses it: out of range\n"
        "fix    --batch-size 100\n"
    )
    assert not (three_orders.folder / "seen.jsonl").exists()


def test_the_same_mistake_as_json(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fine", "--batch-size", "20000", "-o", "json"))
    assert (ended.code, ended.out) == (3, "")
    report = json.loads(ended.err)
    assert (report["code"], report["fix"]) == ("E204", "--batch-size 100")


def test_a_setting_that_is_none(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fine"), "--set", "backoff_first=0s")
    assert ended.code == 3
    assert ended.err.endswith("\nfix    --set backoff_first=500ms\n")


def test_a_limit_that_is_no_round_number(three_orders: Desk):
    ended = three_orders.replay("orders.json", "--handler", "orders_app:fine", "--max-bytes", "10")
    assert ended.err.startswith("orders.json  E425  more than 10 bytes of JSON\n")


def test_a_gzip_that_unpacks_to_too_much(three_orders: Desk):
    with gzip.open(three_orders.folder / "bomb.json.gz", "wb", compresslevel=1) as file:
        for _ in range(257):
            file.write(bytes(1024 * 1024))
    ended = three_orders.replay("bomb.json.gz", "--handler", "orders_app:fine")
    assert ended.code == 2
    assert ended.err == (
        "bomb.json.gz  E425  more than 256 MiB of JSON\n"
        "why    all captures of a replay are held in memory\n"
        "fix    replay a part of them, or --max-bytes 536870912\n"
    )


def test_more_on_standard_input_than_may_be(three_orders: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(event(1)).encode())))
    ended = three_orders.replay("-", "--handler", "orders_app:fine", "--max-bytes", "100")
    assert ended.code == 2
    assert ended.err.startswith("-  E425  more than ")
    assert ended.err.endswith(" --max-bytes 200\n")


def test_a_truncated_gzip(three_orders: Desk):
    packed = gzip.compress(json.dumps(event(1)).encode())
    (three_orders.folder / "cut.json.gz").write_bytes(packed[:-20])
    ended = three_orders.replay("cut.json.gz", "--handler", "orders_app:fine")
    assert ended.code == 2
    assert ended.err.startswith("cut.json.gz  E421  broken gzip: ")


def test_a_file_that_is_not_there(three_orders: Desk):
    ended = three_orders.replay("nothing.json", "--handler", "orders_app:fine")
    assert (ended.code, ended.err) == (2, "E420  no such file: nothing.json\n")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--limit", "soon"], "E480  Invalid value for '--limit': 'soon' is not a duration"),
        (["--latency", "2s..1s"], "E480  Invalid value for '--latency': 2s is more than 1s\n"),
        (["--stream", "a:b"], "E480  Invalid value for '--stream': 'a:b' is not NAME or NAME:S"),
        (["--fail-on", "rain"], "E480  Invalid value for '--fail-on': 'rain' is none of discarde"),
        (["--destination-config", "x"], 'E482  --destination-config x: expected "="\n'),
        (["--batchsize", "3"], "E480  No such option '--batchsize'"),
        (
            ["--timeout", "0"],
            "E480  Invalid value for '--timeout': 0 is not in the range 1<=x<=900",
        ),
        (["--memory-size", "1"], "E480  Invalid value for '--memory-size': 1 is not in the range"),
        (["--function-name", "a/b"], "E480  'a/b' is not a function name\nwhy    AWS takes "),
        (["--stream=a", "--stream=a:2"], "E480  Invalid value for '--stream': 'a' is given twice"),
        (["--filter-criteria", "{"], "E482  --filter-criteria {: not JSON"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_wrong_command_line(three_orders: Desk, flags: list[str], message: str):
    ended = three_orders.replay(*all_at_once("fine"), *flags)
    assert ended.code == 2
    assert ended.err.startswith(message)


def test_an_option_without_its_value_points_to_the_help_of_the_command(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fine"), "--batch-size")
    assert (ended.code, ended.err) == (
        2,
        "E480  Option '--batch-size' requires an argument.\nfix    esm replay --help\n",
    )


def test_a_capture_of_another_source(three_orders: Desk):
    three_orders.write("topic.json", {"eventSource": "aws:kafka", "records": {}})
    ended = three_orders.replay("topic.json", "--handler", "orders_app:fine")
    assert ended.code == 3
    assert ended.err == (
        "topic.json:1:1  E290  this is a capture of Kafka: "
        "only Kinesis and DynamoDB can be replayed yet\n"
        '      1 | {"eventSource": "aws:kafka", "records": {}}\n'
        "        | ^\n"
        "why    not emulated: on AWS a mapping reads it\n"
    )


def test_a_sequence_number_without_quotes_in_a_file_of_one_line(three_orders: Desk):
    document = event(*range(1, 9))
    document["Records"][5]["kinesis"]["sequenceNumber"] = 49_600_006
    three_orders.write("numbers.json", document)
    ended = three_orders.replay("numbers.json", "--handler", "orders_app:fine")
    head, excerpt, caret, why = ended.err.splitlines()
    assert head.endswith("  E424  sequenceNumber must be text, not a number")
    assert excerpt[caret.index("^") :].startswith("49600006")
    assert why.startswith("why    expected a Lambda event")


def test_ctrl_c_in_a_handler(three_orders: Desk):
    three_orders.write("stops.py", "def handler(event, context): raise KeyboardInterrupt")
    ended = three_orders.replay("orders.json", "--handler", "stops:handler")
    assert (ended.code, ended.out) == (130, "")
    assert ended.err.strip() == "interrupted"
