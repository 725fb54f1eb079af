"""What has NoEcho, or stands in a file of variables, is in no message of ours."""

from __future__ import annotations

import pytest
from replay_desk import Desk, Ended, event

from esm.cli.main import main

SECRET = "t0ps3cret"
TEMPLATE = f"""\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Token:
    Type: String
    NoEcho: true
    Default: {SECRET}
Resources:
  Orders: {{Type: AWS::Kinesis::Stream}}
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      CodeUri: src
      Handler: app.handler
      Environment: {{Variables: {{TOKEN: !Ref Token}}}}
      Events:
        Taken:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: TRIM_HORIZON
"""
COMMANDS = [["invoke", "Handle", "-e", "orders.json"], ["replay", "orders.json"]]


@pytest.fixture
def project(desk: Desk) -> Desk:
    """A function with a secret in its environment."""
    desk.write("template.yaml", TEMPLATE)
    (desk.folder / "src").mkdir()
    desk.write("src/app.py", "def handler(event, context): ...\n")
    desk.write("orders.json", event(1))
    return desk


def run(desk: Desk, *arguments: str) -> Ended:
    code = main(list(arguments))
    return Ended(code, *desk.capsys.readouterr())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("python3.11", "!Ref Token", "E152  **** is not emulated yet\n"),
        ("CodeUri: src", "CodeUri: !Ref Token", "E305  there is no folder ****\n"),
    ],
    ids=["runtime", "folder"],
)
def test_a_mistake_with_a_secret(project: Desk, command: list[str], old: str, new: str, said: str):
    project.write("template.yaml", TEMPLATE.replace(old, new))
    ended = run(project, *command)
    assert (ended.code, ended.out) != (0, "")
    assert SECRET not in ended.err
    assert said in ended.err


@pytest.mark.parametrize(
    ("position", "size", "code"),
    [("!Ref Token", "3", "E205"), ("LATEST", "!Ref Token", "E201")],
    ids=["text", "number"],
)
def test_a_property_with_a_secret(project: Desk, position: str, size: str, code: str):
    properties = f"{position}\n            BatchSize: {size}"
    project.write("template.yaml", TEMPLATE.replace("TRIM_HORIZON", properties))
    told = run(project, "validate", "-o", "json")
    assert code in [each["code"] for each in told.json]
    for ended in (told, run(project, *COMMANDS[1])):
        assert SECRET not in ended.out + ended.err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_an_import_that_tells_a_secret(project: Desk, command: list[str]):
    project.write("env.json", {"Handle": {"PASSWORD": "hunter22"}})
    project.write(
        "src/app.py",
        "import os\nraise ValueError(os.environ['TOKEN'] + ' and ' + os.environ['PASSWORD'])\n",
    )
    ended = run(project, *command, "-n", "env.json")
    assert ended.code == 4
    assert ended.err.startswith("E302  app cannot be imported: ValueError: **** and **** (app.py:2")
    assert SECRET not in ended.err


def test_a_quoted_line_with_a_secret_keeps_its_caret(project: Desk):
    """What breaks a rule of its parameter is in no quoted line at all."""
    forbidden = TEMPLATE.replace("NoEcho: true", "NoEcho: true\n    AllowedValues: [a]")
    for text in (forbidden, TEMPLATE.replace("TRIM_HORIZON", SECRET)):
        project.write("template.yaml", text)
        for command in (["validate"], *COMMANDS):
            ended = run(project, *command)
            assert SECRET not in ended.out + ended.err
    shown = run(project, "validate").out
    line = "     21 |             StartingPosition: *********\n"
    assert f"{line}        |                               ^\n" in shown


def test_a_call_that_tells_a_secret(project: Desk):
    project.write(
        "src/app.py",
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    name = os.environ['TOKEN']\n"
        "    boto3.client('kinesis').put_record(StreamName=name, Data=b'x', PartitionKey='1')\n",
    )
    for command in COMMANDS:
        ended = run(project, *command)
        assert (ended.code, SECRET in ended.err) == (5, False)
        said = 'src/app.py:4  E501  kinesis PutRecord on "****" would have gone to '
        assert ended.err.startswith(said)
