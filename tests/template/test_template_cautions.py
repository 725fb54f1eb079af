"""Warnings of `validate`: what AWS accepts, and hardly anybody means."""

from __future__ import annotations

from pathlib import Path

import pytest
from writing import loaded

from esm.template.cautions import cautions

BOUNDED = "MaximumRetryAttempts: 2"


def told(folder: Path, properties: str, timeout: int = 3) -> list[tuple[str, str]]:
    """Code and message of each warning about one mapping."""
    text = f"""
    Resources:
      Orders:
        Type: AWS::Kinesis::Stream
        Properties: {{ShardCount: 1, RetentionPeriodHours: 48}}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          Timeout: {timeout}
          Events:
            In:
              Type: Kinesis
              Properties: {{Stream: !GetAtt Orders.Arn, {properties}}}
    """
    return [(error.esm_code, error.message) for error in cautions(loaded(folder, text))]


def test_a_mapping_that_is_bounded_is_not_warned_of(tmp_path: Path):
    assert told(tmp_path, f"StartingPosition: TRIM_HORIZON, {BOUNDED}") == []
    age = "MaximumRecordAgeInSeconds: 60"
    assert told(tmp_path, f"StartingPosition: TRIM_HORIZON, {age}") == []


def test_endless_retries_say_how_long_they_block(tmp_path: Path):
    start = "FnIn: a record that always fails blocks its shard for 48 hours, and "
    assert told(tmp_path, "StartingPosition: TRIM_HORIZON") == [("W202", f"{start}then it is lost")]
    destination = (
        'DestinationConfig: {OnFailure: {Destination: "arn:aws:sqs:us-east-1:123456789012:q"}}'
    )
    assert told(tmp_path, f"StartingPosition: TRIM_HORIZON, {destination}") == [
        ("W202", f"{start}its destination gets nothing")
    ]


def test_latest_loses_what_is_written_meanwhile(tmp_path: Path):
    assert told(tmp_path, f"StartingPosition: LATEST, {BOUNDED}") == [
        ("W203", "FnIn: what is written while the mapping starts is lost with LATEST")
    ]


@pytest.mark.parametrize(
    ("retries", "age", "timeout", "is_told"),
    [(2, 90, 30, False), (2, 89, 30, True), (0, 60, 60, False), (-1, 60, 900, False)],
)
def test_tries_that_take_longer_than_a_record_may_be_old(
    tmp_path: Path, retries: int, age: int, timeout: int, is_told: bool
):
    limits = f"MaximumRetryAttempts: {retries}, MaximumRecordAgeInSeconds: {age}"
    found = told(tmp_path, f"StartingPosition: TRIM_HORIZON, {limits}", timeout)
    message = "FnIn: 3 tries of up to 30 s can take 90 s, and records are given up after 89 s"
    assert found == ([("W204", message)] if is_told else [])


def test_what_has_no_effect_is_named_once(tmp_path: Path):
    text = """
    Resources:
      A:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {Tags: [], KmsKeyArn: "", MaximumRetryAttempts: 1}
      B:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {Tags: [], MetricsConfig: {}, MaximumRetryAttempts: 1}
    """
    [error] = cautions(loaded(tmp_path, text))
    assert error.esm_code == "W205"
    assert error.message == "without effect on deliveries: Tags, KmsKeyArn, MetricsConfig"
    assert error.place is not None
    assert error.place.line == 4


def test_queue_mode_is_a_preview(tmp_path: Path):
    text = """
    Resources:
      A:
        Type: AWS::Lambda::EventSourceMapping
        Properties: {SelfManagedKafkaEventSourceConfig: {ConsumptionMode: Queue}}
    """
    [error] = cautions(loaded(tmp_path, text))
    assert (error.esm_code, error.fix) == ("W206", "ConsumptionMode: Stream")


@pytest.mark.parametrize("value", ["many", "true", "!Ref Nothing"])
def test_what_is_a_mistake_is_left_to_the_mistakes(tmp_path: Path, value: str):
    assert told(tmp_path, f"StartingPosition: TRIM_HORIZON, MaximumRetryAttempts: {value}") == []


def reserved(folder: Path, number: object, factor: int = 1) -> list[str]:
    """The messages of W208 for a stream of two shards."""
    text = f"""
    Resources:
      Orders: {{Type: AWS::Kinesis::Stream, Properties: {{ShardCount: 2}}}}
      Fn:
        Type: AWS::Serverless::Function
        Properties:
          ReservedConcurrentExecutions: {number}
          Events:
            In:
              Type: Kinesis
              Properties: {{Stream: !GetAtt Orders.Arn, ParallelizationFactor: {factor}}}
    """
    found = [error for error in cautions(loaded(folder, text)) if error.esm_code == "W208"]
    assert all(error.place and error.place.line == 6 for error in found)
    return [f"{error.message}; {error.fix}" for error in found]


@pytest.mark.parametrize(
    ("number", "factor", "wanted"), [(0, 1, 2), (1, 1, 2), ('"5"', 3, 6), (1, 10, 20)]
)
def test_a_reserve_that_is_too_small_is_not_applied_here(
    tmp_path: Path, number: object, factor: int, wanted: int
):
    plain = str(number).strip('"')
    assert reserved(tmp_path, number, factor) == [
        f"FnIn: {wanted} batches at a time, and ReservedConcurrentExecutions allows {plain};"
        f" ReservedConcurrentExecutions: {wanted}"
    ]


@pytest.mark.parametrize(("number", "factor"), [(2, 1), (100, 10), ("!Ref AWS::NoValue", 1)])
def test_a_reserve_that_is_large_enough_is_not_warned_of(
    tmp_path: Path, number: object, factor: int
):
    assert reserved(tmp_path, number, factor) == []
