"""Misspelt and misplaced names, which would count for nothing without a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from writing import loaded

from esm.template import load
from esm.template.checking import check

NOW_MS = 1_767_300_000_000

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: python3.11
Conditions:
  Always: !Equals [a, a]
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
  Handle:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Environment:
        Variables:
          STAGE: test
      Events:
        Taken:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: TRIM_HORIZON
"""


def found(folder: Path, old: str = "", new: str = "") -> list[tuple[str, int | None, str | None]]:
    """Code, line and fix of all mistakes, with one text of the template in another's place."""
    assert TEMPLATE.count(old) == 1 or not old
    (folder / "src").mkdir()
    (folder / "src" / "app.py").touch()
    text = TEMPLATE.replace(old, new) if old else TEMPLATE
    errors = check(loaded(folder, text), now_ms=NOW_MS)
    return [(e.esm_code, e.place.line if e.place else None, e.fix) for e in errors]


def test_a_template_with_everything_in_its_place(tmp_path: Path):
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Globals:", "Global:", ("E107", 2, "Globals")),
        ("Conditions:", "Condition:", ("E107", 5, "Conditions")),
        ("  Function:\n", "  Functions:\n", ("E107", 3, "Function")),
        ("    Runtime: python3.11", "    Timeuot: 9", ("E140", 4, "Timeout: 9")),
        ("    Runtime: python3.11", "    Code: src", ("E140", 4, "CodeUri: src")),
        (
            "AWS::Serverless::Function",
            "AWS::Serverless::Fuction",
            ("E107", 11, "Type: AWS::Serverless::Function"),
        ),
        ("      CodeUri: src", "      CodeURI: src", ("E140", 13, "CodeUri: src")),
        (
            "      CodeUri: src",
            "      CodeUri: src\n      Enviroment: {}",
            ("E140", 14, "Environment"),
        ),
        ("        Variables:\n", "", ("E140", 16, "Variables: {STAGE: …}")),
        ("      Events:", "        Events:", ("E140", 18, "Events")),
        ("      Events:", "    Events:", ("E107", 18, "Properties: {Events: …}")),
        ("          STAGE: test", "          S: test", ("E133", 17, "S_VALUE: …")),
        ("          STAGE: test", "          my-stage: test", ("E133", 17, "my_stage: …")),
    ],
)
def test_a_name_that_would_count_for_nothing(
    tmp_path: Path, old: str, new: str, expected: tuple[str, int, str]
):
    assert expected in found(tmp_path, old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Globals:", "Hooks: {}\nGlobals:"),
        ("Globals:", "x-common: {}\nGlobals:"),
        ("      CodeUri: src", "      CodeUri: src\n      TimeTravel: true"),
        ("      CodeUri: src", "      CodeUri: src\n      DeadLetterQueue: {}"),
        ("  Handle:", "  Handle:\n    IgnoreGlobals: '*'"),
    ],
)
def test_what_aws_has_or_may_have_one_day(tmp_path: Path, old: str, new: str):
    assert found(tmp_path, old, new) == []


def test_cloudformations_functions_have_no_events(tmp_path: Path):
    """Such a template is deployed with a function that nothing ever calls."""
    errors = found(tmp_path, "AWS::Serverless::Function", "AWS::Lambda::Function")
    assert ("E140", 18, "Type: AWS::Serverless::Function") in errors
    assert ("E140", 13, "Code: src") in errors


@pytest.mark.parametrize(
    ("handler", "fix"),
    [
        ("app", "Handler: app.handler"),
        ("app:handler", "Handler: app.handler"),
        ("src/app.handler", "Handler: app.handler"),
        ("src.app.handler", "Handler: app.handler"),
        ("./src/app.py.handler", "Handler: app.handler"),
        ("app.py.handler", "Handler: app.handler"),
        ("../lib/ap.main", "Handler: app.main"),
        ("models.handler", "Handler: app.handler"),
    ],
)
def test_a_handler_as_other_tools_write_it(tmp_path: Path, handler: str, fix: str):
    errors = found(tmp_path, "app.handler", handler)
    assert errors == [("E151", 14, fix)]


def test_a_handler_in_a_package(tmp_path: Path):
    (tmp_path / "src" / "api").mkdir(parents=True)
    (tmp_path / "src" / "api" / "orders.py").touch()
    (tmp_path / "src" / "app.py").touch()
    template = loaded(tmp_path, TEMPLATE.replace("app.handler", "api.order.handler"))
    [error] = check(template, now_ms=NOW_MS)
    assert error.fix == "Handler: api.orders.handler"


def test_a_queue_by_its_url(tmp_path: Path):
    """Ref gives the URL of a queue, and a destination is an ARN."""
    text = TEMPLATE.replace("  Orders:", "  Failures: {Type: AWS::SQS::Queue}\n  Orders:")
    text += "            DestinationConfig: {OnFailure: {Destination: !Ref Failures}}\n"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").touch()
    [error] = check(loaded(tmp_path, text), now_ms=NOW_MS)
    assert (error.esm_code, error.fix) == ("E207", "Destination: !GetAtt Failures.Arn")


def test_a_fix_for_a_template_in_json(tmp_path: Path):
    template = {
        "Global": {"Function": {"Timeout": 9}},
        "Resources": {"Handle": {"Type": "AWS::Serverless::Function", "Properties": {"Timout": 9}}},
    }
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    errors = check(load(path), now_ms=NOW_MS)
    assert [error.fix for error in errors] == ["Globals", '"Timeout": 9']


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("AWS::Kinesis::Streams", "Type: AWS::Kinesis::Stream"),
        ("AWS::Kinesis::stream", "Type: AWS::Kinesis::Stream"),
        ("AWS::SQS::Qeue", "Type: AWS::SQS::Queue"),
        ("AWS::Lambda::EventSourceMappings", "Type: AWS::Lambda::EventSourceMapping"),
    ],
)
def test_a_type_that_is_all_but_one_of_ours(tmp_path: Path, written: str, fix: str):
    told = found(tmp_path, "  Handle:\n", f"  Other:\n    Type: {written}\n  Handle:\n")
    assert told == [("E107", 11, fix)]


@pytest.mark.parametrize(
    "real",
    [
        *("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::ECS::Cluster"),
        *("AWS::EMR::Cluster", "AWS::SageMaker::ModelCard", "AWS::KinesisVideo::Stream"),
        *("AWS::IAM::RolePolicy", "AWS::DAX::Cluster", "Custom::Stream"),
    ],
)
def test_types_that_aws_has_are_left_alone(tmp_path: Path, real: str):
    assert found(tmp_path, "  Handle:\n", f"  Other:\n    Type: {real}\n  Handle:\n") == []


def test_code_in_a_file_in_place_of_its_folder(tmp_path: Path):
    assert found(tmp_path, "CodeUri: src", "CodeUri: src/app.py") == [("E153", 13, "CodeUri: src/")]


def test_an_archive_is_deployed_as_it_is(tmp_path: Path):
    (tmp_path / "code.zip").touch()
    assert found(tmp_path, "CodeUri: src", "CodeUri: code.zip") == []
