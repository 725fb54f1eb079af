"""Values that AWS refuses, and code that cannot be there, in functions and streams."""

from __future__ import annotations

from pathlib import Path

import pytest
from writing import loaded

from esm.template.checking import check

NOW_MS = 1_767_300_000_000


def found(folder: Path, resource: str) -> list[tuple[str, int | None, str | None]]:
    """Code, line and fix of everything that is wrong with a template of one resource."""
    errors = check(loaded(folder, f"Resources:\n  Only:\n{resource}"), now_ms=NOW_MS)
    return [(e.esm_code, e.place.line if e.place else None, e.fix) for e in errors]


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("ShardCount: 0", "ShardCount: 4"),
        ("ShardCount: 99999999999", "ShardCount: 4"),
        ("RetentionPeriodHours: 23", "RetentionPeriodHours: 24"),
    ],
)
def test_a_stream_out_of_range(tmp_path: Path, written: str, fix: str):
    resource = f"    Type: AWS::Kinesis::Stream\n    Properties:\n      {written}\n"
    assert found(tmp_path, resource) == [("E130", 5, fix)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Handler: app.f\n      Timeout: 901", ("E130", 7, "Timeout: 3")),
        ("Handler: app.f\n      MemorySize: 5", ("E130", 7, "MemorySize: 128")),
        ("Timeout: 900", ("E131", 2, "Handler: app.handler")),
        ("Handler: !Ref AWS::NoValue", ("E131", 2, "Handler: app.handler")),
        (f"Handler: {'a' * 300}.f", ("E151", 6, "Handler: app.f")),
    ],
)
def test_a_function_that_cannot_be(tmp_path: Path, written: str, expected: tuple[str, int, str]):
    (tmp_path / "app.py").touch()
    resource = (
        f"    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: .\n      {written}\n"
    )
    assert found(tmp_path, resource) == [expected]


def test_a_folder_whose_name_no_folder_can_have(tmp_path: Path):
    resource = (
        "    Type: AWS::Serverless::Function\n    Properties:\n"
        f"      CodeUri: {'a' * 5000}\n      Handler: app.f\n"
    )
    assert found(tmp_path, resource) == [("E153", 5, None)]


@pytest.mark.parametrize("timestamp", ["9999999999", "2024-01-01"])
def test_a_bad_timestamp_is_not_also_missed(tmp_path: Path, timestamp: str):
    resource = f"""\
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/s
      FunctionName: f
      StartingPosition: AT_TIMESTAMP
      StartingPositionTimestamp: {timestamp}
"""
    [(_, line, _)] = found(tmp_path, resource)
    assert line == 8


def test_the_source_under_its_other_name(tmp_path: Path):
    resource = """\
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      Stream: arn:aws:kinesis:us-east-1:123456789012:stream/s
      FunctionName: f
      StartingPosition: LATEST
"""
    fix = "EventSourceArn: arn:aws:kinesis:us-east-1:123456789012:stream/s"
    assert ("E140", 5, fix) in found(tmp_path, resource)


def test_a_condition_that_is_nowhere_is_told_once(tmp_path: Path):
    resource = """\
    Type: AWS::Kinesis::Stream
    Condition: Nowhere
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: !GetAtt Only.Arn, FunctionName: f, StartingPosition: LATEST}
"""
    assert [(code, line) for code, line, _ in found(tmp_path, resource)] == [("E120", 4)]
