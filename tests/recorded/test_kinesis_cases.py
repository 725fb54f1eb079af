"""Every Kinesis case that was recorded on AWS, told to a mapping in virtual time.

Each case gives one test per thing that it says. What only the control plane answers (responses to
create and get, lists, duplicates, states, LastProcessingResult) is a strict xfail: the day there is
one, these tests say so.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from esm import Function, Harness
from esm.errors import MappingError

CASES = [
    case
    for case in json.loads(Path(__file__).with_name("aws-recorded-cases.json").read_text())["cases"]
    if case["source_type"] == "kinesis"
]

# What a case may say, and whether a mapping in a Harness can answer it.
ANSWERED_BY_THE_MAPPING = {
    "invocations",
    "on_failure",
    "record_shape_in_order",
    "second_invocation_starts_after_first_ends",
    "error",
    "second_function_on_same_stream",
}
ANSWERED_BY_THE_CONTROL_PLANE = {
    "create_response_contains",
    "get_response_contains",
    "states",
}
# Said by what goes with them: details of the rows above, or of a service that is not ours.
DETAILS = {
    "http_status", "create_response_other_keys", "absent_keys", "EventSourceMappingArn",
    "later_state", "absent_record_keys", "top_level_keys", "update", "message_body",
    "delivered_as", "no_subject", "treated_as", "absent_body_keys",
}  # fmt: skip
# Errors about sources that only a control plane knows.
CONTROL_PLANE_ERRORS = {"kinesis-unknown-stream"}

SNAKE = re.compile(r"(?<!^)(?=[A-Z])")
PLACEHOLDERS = {
    "<uuid>": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "<iso8601-utc-milliseconds-Z>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "<execution-role-arn>": r"arn:aws:iam::\d{12}:role/.+",
    "<region>": r"us-east-1",
}


def rows() -> list[Any]:
    control_plane = pytest.mark.xfail(
        strict=True, raises=AttributeError, reason="only the control plane answers this"
    )
    found = []
    for case in CASES:
        for said in case["expected"]:
            by_control_plane = said in ANSWERED_BY_THE_CONTROL_PLANE or (
                said == "error" and case["id"] in CONTROL_PLANE_ERRORS
            )
            marks = [control_plane] if by_control_plane else []
            if said not in DETAILS:
                found.append(pytest.param(case, said, marks=marks, id=f"{case['id']}: {said}"))
    return found


def test_every_statement_of_every_case_is_classified() -> None:
    assert len(CASES) == 23
    said = {key for case in CASES for key in case["expected"]}
    assert said <= ANSWERED_BY_THE_MAPPING | ANSWERED_BY_THE_CONTROL_PLANE | DETAILS


@pytest.mark.parametrize(("case", "said"), rows())
def test_recorded_on_aws(case: dict[str, Any], said: str) -> None:
    expected = case["expected"][said]
    if said == "error" and case["id"] not in CONTROL_PLANE_ERRORS:
        check = check_conflict if "create_twice" in case["esm_config"] else check_error
        check(case, expected)
        return
    run = Run(case)
    match said:
        case "invocations":
            assert run.batches() == expected
        case "on_failure":
            assert len(run.messages()) == len(expected)
            for message, shape in zip(run.messages(), expected, strict=True):
                run.check_shape(message, shape)
                for key in case["expected"].get("absent_body_keys", []):
                    assert key not in message
        case "record_shape_in_order":
            event = run.mapping.invocations[0].event
            assert list(event) == case["expected"]["top_level_keys"]
            run.check_shape(event["Records"][0], expected)
            assert "encryptionType" not in event["Records"][0]["kinesis"]
        case "second_invocation_starts_after_first_ends":
            first, second = run.mapping.invocations
            assert second.started_at >= first.ended_at
        case "second_function_on_same_stream":
            other = run.harness.map(run.stream, handler_of({"type": "return", "value": None}))
            run.stream.put("for both")
            run.harness.drain()
            assert [len(m.delivered) for m in (run.mapping, other)] == [1, 1]
        case _:
            run.mapping.describe()


def check_error(case: dict[str, Any], expected: dict[str, Any]) -> None:
    from esm.mapping import create

    properties = properties_of(case["esm_config"])
    properties["event_source_arn"] = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
    properties["function_name"] = "f"
    with pytest.raises(MappingError) as raised:
        create(properties, now_ms=0)
    assert raised.value.code == expected["code"]
    assert raised.value.message == expected["message"]


def check_conflict(case: dict[str, Any], expected: dict[str, Any]) -> None:
    run = Run(case)
    function_arn = run.mapping.function_arn
    with pytest.raises(MappingError) as raised:
        run.harness.map(
            run.stream, handler_of({"type": "return", "value": None}), function_name=function_arn
        )
    assert raised.value.code == expected["code"]
    assert raised.value.message == expected["message"].format(
        event_source_arn=run.stream.arn,
        function_name=function_arn.rpartition(":")[2],
        uuid=run.mapping.pipeline.uuid,
    )


class Run:
    """One case from beginning to end."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.harness = Harness()
        self.stream = self.harness.kinesis("recorded")
        self.puts: dict[str, list[dict[str, Any]]] = {}
        for record in case["input_records"]:
            when = "late" if "age_seconds_at_create" in record else record.get("written", "")
            self.puts.setdefault(when, []).append(record)
        self.place: Any = None
        properties = properties_of(case["esm_config"])
        self.write("before_mapping")
        for record in self.write("late"):
            # A recorded age is a lower bound.
            self.harness.advance(record["age_seconds_at_create"] + 1)
        self.mapping = self.harness.map(
            self.stream,
            handler_of(case["handler_behaviour"] or {"type": "return", "value": None}),
            on_failure=self.destination(properties.pop("destination_config", None)),
            function=Function(timeout=30),
            **properties,
        )
        for when in ("", "while_enabled"):
            self.write(when)
        self.harness.drain()
        if case["expected"].get("update") == {"Enabled": False}:
            self.mapping.disable()
            self.harness.advance("60s")
        for when in ("after_mapping", "60s_after_state_Disabled"):
            self.write(when)
            self.harness.drain()
        assert set(self.puts) <= {
            "", "late", "before_mapping", "while_enabled", "after_mapping",
            "60s_after_state_Disabled",
        }  # fmt: skip

    def write(self, when: str) -> list[dict[str, Any]]:
        for record in self.puts.get(when, []):
            self.stream.put(record["data"], key=record["partition_key"])
        return self.puts.get(when, [])

    def destination(self, config: dict[str, Any] | None) -> Any:
        if config is None:
            return None
        service = config["OnFailure"]["Destination"].split(":")[2]
        make = self.harness.queue if service == "sqs" else self.harness.topic
        self.place = make("failures")
        return self.place

    def batches(self) -> list[list[int]]:
        """Invocations as lists of record indexes, as the recordings have them."""
        return [[ordinal - 1 for ordinal in batch] for batch in self.mapping.batches]

    def messages(self) -> list[dict[str, Any]]:
        return list(self.place.messages)

    def check_shape(self, actual: Any, shape: Any) -> None:
        """The same keys in the same order, and values equal but for placeholders."""
        if isinstance(shape, dict):
            assert list(actual) == list(shape)
            for key, value in shape.items():
                self.check_shape(actual[key], value)
        elif isinstance(shape, str) and "<" in shape:
            self.check_placeholder(actual, shape)
        else:
            assert actual == shape

    def check_placeholder(self, actual: Any, shape: str) -> None:
        record = self.stream.records[0]
        known = {
            "<seq-of-record-0>": record.sequence_number,
            "<seq>": record.sequence_number,
            "shardId-000000000000:<seq>": f"shardId-000000000000:{record.sequence_number}",
            "<stream-arn>": self.stream.arn,
            "<function-arn>": self.mapping.function_arn,
            "<base64 of the raw bytes>": base64.b64encode(record.data).decode(),
        }
        if shape in known:
            assert actual == known[shape]
        elif shape == "<float epoch seconds, ms precision>":
            assert isinstance(actual, float)
            assert actual == record.arrived_at.timestamp()
        else:
            assert re.fullmatch(PLACEHOLDERS[shape], actual)


def properties_of(config: dict[str, Any]) -> dict[str, Any]:
    return {
        SNAKE.sub("_", name).lower(): value
        for name, value in config.items()
        if name not in {"create_twice", "EventSourceArn"}
    }


def handler_of(behaviour: dict[str, Any]) -> Callable[..., Any]:
    def handler(event: dict[str, Any], context: object) -> Any:
        match behaviour["type"]:
            case "return":
                return behaviour["value"]
            case "raise":
                raise RuntimeError("recorded failure")
            case "sleep":
                time.sleep(behaviour["seconds"])
                return None
            case "empty_body":  # a runtime that answers with zero bytes gives no payload
                return None
            case other:
                raise AssertionError(other)

    return handler
