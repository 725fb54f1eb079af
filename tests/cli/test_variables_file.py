"""`--env-vars`: whose variables are taken from a file, and which of two values is stronger."""

from __future__ import annotations

import json

import pytest
from replay_desk import Desk, Ended, event

from esm.cli.main import main

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
Resources:
  Orders: {Type: AWS::Kinesis::Stream}
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: orders
      Runtime: python3.11
      CodeUri: src
      Handler: app.handler
      Environment:
        Variables:
          STAGE: !Ref Stage
          TABLE: !ImportValue Table
          SIZE: 3
      Events:
        Taken:
          Type: Kinesis
          Properties: {Stream: !GetAtt Orders.Arn, StartingPosition: LATEST}
"""
APP = """\
import json, os


def handler(event, context):
    found = {name: os.environ.get(name) for name in ("STAGE", "TABLE", "SIZE", "MORE")}
    with open("seen.json", "w") as file:
        json.dump(found, file)
"""
ALL = {"STAGE": "live", "TABLE": "orders"}


@pytest.fixture
def project(desk: Desk) -> Desk:
    """A function of whose variables the template alone knows one."""
    desk.write("template.yaml", TEMPLATE)
    (desk.folder / "src").mkdir()
    desk.write("src/app.py", APP)
    desk.write("orders.json", event(1))
    return desk


def run(desk: Desk, *arguments: str) -> Ended:
    code = main(list(arguments))
    return Ended(code, *desk.capsys.readouterr())


def seen(desk: Desk) -> dict[str, str | None]:
    return json.loads((desk.folder / "seen.json").read_text())


COMMANDS = [["invoke", "Handle", "-e", "orders.json"], ["replay", "orders.json"]]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_what_the_file_has_the_template_need_not_know(project: Desk, command: list[str]):
    project.write("env.json", {"Handle": {**ALL, "MORE": "more"}})
    assert run(project, *command, "-n", "env.json").code == 0
    assert seen(project) == {**ALL, "SIZE": "3", "MORE": "more"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_what_neither_has_is_told_with_its_place(project: Desk, command: list[str]):
    project.write("env.json", {"Handle": {"TABLE": "orders"}})
    ended = run(project, *command, "-n", "env.json")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("template.yaml:15:18  E112  the parameter Stage has no value\n")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
def test_the_functions_own_are_stronger_than_those_of_all(project: Desk, command: list[str]):
    project.write(
        "env.json",
        {"Parameters": {**ALL, "SIZE": 1}, "orders": {"SIZE": 2, "MORE": 2}, "Handle": {"MORE": 5}},
    )
    assert run(project, *command, "-n", "env.json").code == 0
    assert seen(project) == {**ALL, "SIZE": "2", "MORE": "5"}


def test_a_file_that_stays_in_a_configuration_may_be_for_other_functions(project: Desk):
    project.write("env.json", {"Handle": ALL})
    project.write("samconfig.toml", '[default.global.parameters]\nenv_vars = "env.json"\n')
    ended = run(project, "replay", "orders.json", "--handler", "src.app:handler")
    assert (ended.code, ended.err) == (0, "")
    assert seen(project) == {"STAGE": None, "TABLE": None, "SIZE": None, "MORE": None}
    assert run(project, "invoke", "Handle", "-e", "orders.json").code == 0
    assert seen(project)["STAGE"] == "live"


def test_a_variable_with_a_nul_is_told_with_its_place(project: Desk):
    project.write("template.yaml", TEMPLATE.replace("SIZE: 3", 'SIZE: "a\\0b"'))
    project.write("env.json", {"Handle": ALL})
    ended = run(project, "invoke", "Handle", "-e", "orders.json", "-n", "env.json")
    assert ended.code == 3
    assert ended.err.startswith("template.yaml:17:17  E130  SIZE has a NUL character")
    assert "SIZE has a NUL character" in run(project, "validate").out


def test_an_image_does_not_run_as_if_it_were_a_folder(project: Desk):
    image = TEMPLATE.replace("      FunctionName", "      PackageType: Image\n      FunctionName")
    project.write("template.yaml", image)
    project.write("env.json", {"Handle": ALL})
    ended = run(project, "invoke", "Handle", "-e", "orders.json", "-n", "env.json")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("template.yaml:9:20  E152  a function in a container image is not")
    assert ended.err.endswith("\nfix    PackageType: Zip\n")
