"""`esm invoke`: one event through one function of a template, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from replay_desk import Desk, Ended, event

from esm.cli.main import main

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage:
    Type: String
    Default: test
  Token:
    Type: String
    NoEcho: true
    Default: t0ps3cret
Globals:
  Function:
    Runtime: python3.11
    CodeUri: src
    Timeout: 7
    MemorySize: 256
    Environment:
      Variables:
        STAGE: !Ref Stage
        COPIES: !Ref Copies
        TOKEN: !Ref Token
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
  Copies:
    Type: AWS::Kinesis::Stream
    Properties: {Name: copies, ShardCount: 2}
%s"""
FUNCTION = """\
  %s:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.%s
      Events:
        Taken:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: LATEST
"""
APP = """\
import json
import os
import sys
import time

import naming


def numbers(event, context):
    print("handler says", len(event["Records"]))
    return {"records": len(event["Records"]), "name": naming.NAME}


def nothing(event, context):
    pass


def surroundings(event, context):
    return {
        "stage": os.environ["STAGE"],
        "key": os.environ["AWS_ACCESS_KEY_ID"],
        "region": os.environ["AWS_REGION"],
        "memory": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(),
    }


def fails(event, context):
    try:
        total(event)
    except ZeroDivisionError as error:
        raise ValueError(os.environ["TOKEN"] + " on " + os.environ["STAGE"]) from error


def total(event):
    return 1 / 0


def sleeps(event, context):
    time.sleep(8)


def returns_a_set(event, context):
    return {1}


def half_a_character(event, context):
    return b'"\\\\ud800"'


def publishes(event, context):
    import boto3

    boto3.client("kinesis").put_record(
        StreamName=os.environ[event["to"]], Data=b"x", PartitionKey="1"
    )
    return "published"


def echo(event, context):
    return event
"""
HANDLERS = (
    "numbers", "nothing", "surroundings", "fails", "sleeps", "returns_a_set", "half_a_character",
    "publishes", "echo",
)  # fmt: skip
S3_EVENT = {"Records": [{"eventSource": "aws:s3", "s3": {}}]}


@pytest.fixture
def project(desk: Desk) -> Desk:
    """A template with a function for each handler; `numbers` is `Numbers` there."""
    functions = [FUNCTION % (name.title().replace("_", ""), name) for name in HANDLERS]
    desk.write("template.yaml", TEMPLATE % "".join(functions))
    (desk.folder / "src").mkdir()
    desk.write("src/app.py", APP)
    desk.write("src/naming.py", "NAME = 'orders'\n")
    desk.write("orders.json", event(1, 2, 3))
    return desk


def invoke(desk: Desk, function: str, file: str = "orders.json", *more: str) -> Ended:
    code = main(["invoke", function, "-e", file, *more])
    out, err = desk.capsys.readouterr()
    return Ended(code, out, err)


def test_the_response_is_all_that_stands_on_stdout(project: Desk):
    out = '{"records": 3, "name": "orders"}\n'
    assert invoke(project, "Numbers") == Ended(0, out, "handler says 3\n")


@pytest.mark.parametrize(
    ("function", "out"), [("Nothing", "null\n"), ("HalfACharacter", '"\\ud800"\n')]
)
def test_a_response_is_always_json(project: Desk, function: str, out: str):
    assert invoke(project, function) == Ended(0, out, "")


def test_the_event_from_standard_input(project: Desk, monkeypatch: pytest.MonkeyPatch):
    given = io.TextIOWrapper(io.BytesIO('"Grüße"'.encode()))
    monkeypatch.setattr(sys, "stdin", given)
    assert invoke(project, "Echo", "-") == Ended(0, '"Grüße"\n', "")


def test_what_the_handler_finds_around_it(project: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    before = dict(os.environ)
    seen = invoke(project, "Surroundings", "orders.json", "--region", "eu-west-1").json
    assert 6000 < seen.pop("left") <= 7000
    assert seen == {"stage": "test", "key": "esm", "region": "eu-west-1", "memory": "256"}
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", ["Surroundings", "Parameters"])
def test_variables_from_a_file_as_for_sam(project: Desk, name: str):
    project.write("env.json", {name: {"STAGE": "live"}})
    ended = invoke(project, "Surroundings", "orders.json", "-n", "env.json")
    assert ended.json["stage"] == "live"


def test_a_file_of_variables_for_other_functions(project: Desk):
    project.write("env.json", {"Handle": {"STAGE": "live"}})
    ended = invoke(project, "Numbers", "orders.json", "-n", "env.json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith('\nfix    {"Numbers": {"NAME": "value"}}\n')


def test_a_parameter_from_outside(project: Desk):
    ended = invoke(project, "Surroundings", "orders.json", "--parameter-overrides", "Stage=live")
    assert ended.json["stage"] == "live"


def test_a_failure_is_the_users_own_traceback_without_secrets(project: Desk):
    project.write("env.json", {"Fails": {"STAGE": "hidden"}})
    ended = invoke(project, "Fails", "orders.json", "-n", "env.json")
    assert (ended.code, ended.out) == (1, "")
    frames = [line.strip() for line in ended.err.splitlines() if line.startswith("  File ")]
    assert [frame.rpartition(", in ")[2] for frame in frames] == ["fails", "total", "fails"]
    assert all("app.py" in frame for frame in frames)
    assert ended.err.startswith("Traceback (most recent call last):\n")
    assert ended.err.endswith("\nValueError: **** on ****\n")


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("Sleeps", "TaskTimedOut: Task timed out after 7.00 seconds\n"),
        ("ReturnsASet", "NotSerialisable: Unable to marshal response: "),
    ],
)
def test_what_the_runtime_says_itself_has_no_frames_of_ours(
    project: Desk, function: str, said: str
):
    ended = invoke(project, function)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines(keepends=True)[-1].startswith(said)
    assert "esm/" not in ended.err


def test_a_stream_of_the_template_is_there(project: Desk):
    project.write("event.json", {"to": "COPIES"})
    assert invoke(project, "Publishes", "event.json") == Ended(0, '"published"\n', "")


def test_a_stream_that_the_template_does_not_have(project: Desk):
    project.write("event.json", {"to": "STAGE"})
    ended = invoke(project, "Publishes", "event.json")
    assert (ended.code, ended.out) == (5, "")
    place, said = ended.err.splitlines()[0].split("  ", 1)
    assert said.startswith('E501  kinesis PutRecord on "test" would have gone to ')
    assert re.fullmatch(r"src/\w+\.py:\d+", place)
    assert "put_record" in ended.err.splitlines()[1]
    assert "\nwhy    nothing here reaches AWS by accident; of kinesis there is: " in ended.err


def test_a_call_of_a_service_of_which_there_is_nothing(project: Desk):
    project.write(
        "src/app.py",
        "import boto3\n\ndef calls(event, context):\n    boto3.client('lambda').list_functions()\n",
    )
    project.write(
        "template.yaml",
        """
Transform: AWS::Serverless-2016-10-31
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: src, Handler: app.calls, Runtime: python3.11}
""",
    )
    project.write("event.json", {})
    assert invoke(project, "Fn", "event.json").err == (
        "src/app.py:4  E501  lambda ListFunctions would have gone to "
        "https://lambda.us-east-1.amazonaws.com\n"
        "      4 | boto3.client('lambda').list_functions()\n"
        "why    nothing here reaches AWS by accident; of lambda there is: nothing\n"
    )


def test_a_function_that_is_not_there(project: Desk):
    ended = invoke(project, "Number")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("E154  template.yaml has no function 'Number'\n")
    assert ended.err.endswith("\nfix    esm invoke Numbers\n")


def test_a_construct_of_the_cdk_in_place_of_its_function(project: Desk):
    project.write(
        "template.yaml",
        """
Resources:
  OtherFn12345678: {Type: AWS::Lambda::Function, Properties: {Code: src}}
  Fn9270CBC0: {Type: AWS::Lambda::Function, Properties: {Code: src}}
""",
    )
    assert invoke(project, "Fn").err.endswith("\nfix    esm invoke Fn9270CBC0\n")


def test_a_mapping_in_place_of_its_function(project: Desk):
    assert invoke(project, "EchoTaken").err.endswith("\nfix    esm invoke Echo\n")


def test_an_event_for_another_source_is_sent_with_a_warning(project: Desk):
    project.write("event.json", S3_EVENT)
    ended = invoke(project, "Echo", "event.json")
    assert (ended.code, ended.json) == (0, S3_EVENT)
    assert ended.err.startswith("event.json  W402  the event is from aws:s3, and mappings send ")
    assert ended.err.endswith(
        "\nfix    esm generate kinesis --count 3 | esm invoke Echo --event -\n"
    )


def test_a_function_without_mappings_takes_any_event(project: Desk):
    lonely = FUNCTION % ("Lonely", "echo")
    project.write("template.yaml", TEMPLATE % lonely.partition("      Events")[0])
    project.write("event.json", S3_EVENT)
    assert invoke(project, "Lonely", "event.json").err == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,}', "event.json:1:9  E489  not JSON: "),
        ("", "event.json  E489  there is no event"),
        ("{}\n{}", "event.json:2:1  E489  not JSON: extra data"),
        ("[" * 100_000, "event.json  E488  the event cannot be read: it is nested too deeply"),
    ],
)
def test_an_event_that_is_none(project: Desk, text: str, said: str):
    project.write("event.json", text)
    ended = invoke(project, "Echo", "event.json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(said)


def test_an_event_that_is_no_text(project: Desk):
    (project.folder / "event.json").write_bytes("{}".encode("utf-16"))
    ended = invoke(project, "Echo", "event.json")
    assert ended.err == "event.json  E488  the event cannot be read: it is not UTF-8\n"


def test_an_event_that_is_not_there(project: Desk):
    ended = invoke(project, "Echo", "nowhere.json")
    assert ended.err == (
        "nowhere.json  E488  the event cannot be read: No such file or directory\n"
        "fix    esm generate kinesis --count 3 | esm invoke Echo --event -\n"
    )


def test_a_handler_that_cannot_be_imported(project: Desk):
    project.write("src/naming.py", "import requets_not_there\n")
    ended = invoke(project, "Numbers")
    assert (ended.code, ended.out) == (4, "")
    assert "needs the module 'requets_not_there', which is not installed here" in ended.err


def test_it_imports_nothing_that_the_function_does_not_need(project: Desk):
    script = (
        "import sys; from esm.cli.main import main;"
        " main(['invoke', 'Numbers', '-e', 'orders.json']); print('|', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, cwd=project.folder, check=True,
    )  # fmt: skip
    modules = set(done.stdout.rpartition("|")[2].split())
    heavy = {"asyncio", "boto3", "botocore", "freezegun", "moto", "pydantic", "rich"}
    assert "esm.cli.one_event" in modules
    assert modules & heavy == set()
    assert json.loads(done.stdout.partition("|")[0])["records"] == 3
    assert not list(Path(project.folder).glob(".esm"))


def test_a_stream_is_in_the_region_that_was_asked_for(project: Desk):
    by_arn = (project.folder / "src/app.py").read_text().replace("StreamName=", "StreamARN=")
    project.write("src/app.py", by_arn)
    text = (project.folder / "template.yaml").read_text()
    project.write(
        "template.yaml", text.replace("COPIES: !Ref Copies", "COPIES: !GetAtt Copies.Arn")
    )
    project.write("event.json", {"to": "COPIES"})
    ended = invoke(project, "Publishes", "event.json", "--region", "eu-west-1")
    assert ended == Ended(0, '"published"\n', "")


def test_a_handler_that_ends_its_runtime_is_told_about(project: Desk):
    project.write("src/app.py", "import os\ndef echo(event, context):\n    os._exit(3)\n")
    ended = invoke(project, "Echo")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith("RuntimeExited: Runtime exited with error: exit status 3\n")


def test_a_handler_that_computes_for_ever_times_out(project: Desk):
    text = (project.folder / "template.yaml").read_text()
    project.write("template.yaml", text.replace("Timeout: 7", "Timeout: 1"))
    project.write("src/app.py", "def echo(event, context):\n    while True:\n        pass\n")
    ended = invoke(project, "Echo")
    assert ended == Ended(1, "", "TaskTimedOut: Task timed out after 1.00 seconds\n")
