"""Every Kinesis case that was recorded on AWS, told to a mapping in virtual time.

Each case gives one test per thing that it says. What only the control plane answers (responses to
create and get, lists, duplicates, states, LastProcessingResult) is a strict xfail: the day there is
one, these tests say so.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from recorded_cases import (
    Case,
    cases_of,
    check_conflict,
    check_error,
    check_shape,
    handler_of,
    properties_of,
    rows,
)

from esm import Function, Harness

CASES = cases_of("kinesis")

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


def is_of_the_control_plane(case: Case, said: str) -> bool:
    is_unknown_source = said == "error" and case["id"] in CONTROL_PLANE_ERRORS
    return said in ANSWERED_BY_THE_CONTROL_PLANE or is_unknown_source


def test_every_statement_of_every_case_is_classified() -> None:
    assert len(CASES) == 23
    said = {key for case in CASES for key in case["expected"]}
    assert said <= ANSWERED_BY_THE_MAPPING | ANSWERED_BY_THE_CONTROL_PLANE | DETAILS


@pytest.mark.parametrize(("case", "said"), rows(CASES, DETAILS, is_of_the_control_plane))
def test_recorded_on_aws(case: Case, said: str) -> None:
    expected = case["expected"][said]
    if said == "error" and case["id"] not in CONTROL_PLANE_ERRORS:
        if "create_twice" in case["esm_config"]:
            run = Run(case)
            check_conflict(run.harness, run.mapping, expected)
        else:
            check_error(case, expected, "arn:aws:kinesis:us-east-1:123456789012:stream/s")
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
            other = run.harness.map(run.stream, handler_of(None))
            run.stream.put("for both")
            run.harness.drain()
            assert [len(m.delivered) for m in (run.mapping, other)] == [1, 1]
        case _:
            run.mapping.describe()


class Run:
    """One case from beginning to end."""

    def __init__(self, case: Case) -> None:
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
            handler_of(case["handler_behaviour"]),
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
        check_shape(actual, shape, self.known())

    def known(self) -> dict[str, Any]:
        """What placeholders stand for in this run."""
        record = self.stream.records[0]
        return {
            "<seq-of-record-0>": record.sequence_number,
            "<seq>": record.sequence_number,
            "shardId-000000000000:<seq>": f"shardId-000000000000:{record.sequence_number}",
            "<stream-arn>": self.stream.arn,
            "<function-arn>": self.mapping.function_arn,
            "<base64 of the raw bytes>": base64.b64encode(record.data).decode(),
            "<float epoch seconds, ms precision>": record.arrived_at.timestamp(),
        }
