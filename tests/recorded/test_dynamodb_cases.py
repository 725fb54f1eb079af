"""Every DynamoDB case that was recorded on AWS, told to a mapping in virtual time.

Each case gives one test per thing that it says, as the Kinesis cases do; what only the control
plane answers is a strict xfail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from esm import Function, Harness
from esm.errors import MappingError

CASES = [
    case
    for case in json.loads(Path(__file__).with_name("aws-recorded-cases.json").read_text())["cases"]
    if case["source_type"] == "dynamodb"
]

# What a case may say, and whether a mapping in a Harness can answer it.
ANSWERED_BY_THE_MAPPING = {
    "invocations",
    "delivered",
    "on_failure",
    "record_shape_in_order",
    "error",
}
ANSWERED_BY_THE_CONTROL_PLANE = {
    "create_response_contains",
    "update_response_contains",
    "ListEventSourceMappings(EventSourceArn)",
}
# Said by what goes with them.
DETAILS = {
    "http_status", "update_http_status", "absent_keys", "B_values",
    "ApproximateCreationDateTime_type",
}  # fmt: skip
# Errors about sources that only a control plane knows.
CONTROL_PLANE_ERRORS = {"ddb-unknown-stream"}

SNAKE = re.compile(r"(?<!^)(?=[A-Z])")
PLACEHOLDERS = {
    "<uuid>": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "<iso8601-utc-milliseconds-Z>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "<iso8601-utc-seconds-Z>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "<32 hex chars>": r"[0-9a-f]{32}",
    "<digits>": r"\d{21,40}",
    "<region>": r"us-east-1",
    "<ddb-shard-id>": r"shardId-\d{20}-[0-9a-f]{8}",
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
    assert len(CASES) == 25
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
        case "delivered":
            assert [record.ordinal - 1 for record in run.mapping.delivered] == expected
        case "on_failure":
            assert len(run.messages()) == len(expected)
            for message, shape in zip(run.messages(), expected, strict=True):
                run.check_shape(message, shape)
        case "record_shape_in_order":
            run.check_shape(run.mapping.invocations[0].event["Records"][0], expected)
        case _:
            run.mapping.describe()


def check_error(case: dict[str, Any], expected: dict[str, Any]) -> None:
    from esm.mapping import create

    properties = properties_of(case["esm_config"])
    properties["event_source_arn"] = Harness().dynamodb("recorded").arn
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
            run.table, handler_of({"type": "return", "value": None}), function_name=function_arn
        )
    assert raised.value.code == expected["code"]
    assert raised.value.message == expected["message"].format(
        event_source_arn=run.table.arn,
        function_name=function_arn.rpartition(":")[2],
        uuid=run.mapping.pipeline.uuid,
    )


class Run:
    """One case from beginning to end."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.harness = Harness()
        records = case["input_records"]
        view = records[0]["view"] if records else "NEW_AND_OLD_IMAGES"
        self.table = self.harness.dynamodb("recorded", view=view)
        self.place: Any = None
        properties = properties_of(case["esm_config"])
        self.mapping = self.harness.map(
            self.table,
            handler_of(case["handler_behaviour"] or {"type": "return", "value": None}),
            on_failure=self.destination(properties.pop("destination_config", None)),
            function=Function(timeout=30),
            **properties,
        )
        for record in records:
            self.table.put_record(
                record["eventName"],
                record["keys"],
                new_image=record.get("new_image"),
                old_image=record.get("old_image"),
            )
        self.harness.drain()

    def destination(self, config: dict[str, Any] | None) -> Any:
        if config is None:
            return None
        assert config["OnFailure"]["Destination"].split(":")[2] == "sqs"
        self.place = self.harness.queue("failures")
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
        record = self.table.records[0]
        known = {
            "<seq-of-record-0>": record.sequence_number,
            "<ddb-stream-arn>": self.table.arn,
            "<function-arn>": self.mapping.function_arn,
            # Keys pk + "alpha beta", then the image: those again, and bin + six bytes.
            "<len of all attribute names + values in Keys and images>": 12 + 12 + 9,
        }
        if shape in known:
            assert actual == known[shape]
        elif shape == "<float epoch seconds>":
            assert isinstance(actual, float)
            assert actual == record.arrived_at.timestamp()
        else:
            assert re.fullmatch(PLACEHOLDERS[shape], actual)


def properties_of(config: dict[str, Any]) -> dict[str, Any]:
    return {
        SNAKE.sub("_", name).lower(): value
        for name, value in config.items()
        if name not in {"create_twice", "update", "when", "then", "EventSourceArn"}
    }


def handler_of(behaviour: dict[str, Any]) -> Callable[..., Any]:
    def handler(event: dict[str, Any], context: object) -> Any:
        if behaviour["type"] == "raise":
            raise RuntimeError("recorded failure")
        assert behaviour["type"] == "return"
        return behaviour["value"]

    return handler
