"""Every DynamoDB case that was recorded on AWS, told to a mapping in virtual time.

Each case gives one test per thing that it says, as the Kinesis cases do; what only the control
plane answers is a strict xfail.
"""

from __future__ import annotations

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

CASES = cases_of("dynamodb")

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


def is_of_the_control_plane(case: Case, said: str) -> bool:
    is_unknown_source = said == "error" and case["id"] in CONTROL_PLANE_ERRORS
    return said in ANSWERED_BY_THE_CONTROL_PLANE or is_unknown_source


def test_every_statement_of_every_case_is_classified() -> None:
    assert len(CASES) == 25
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
            check_error(case, expected, Harness().dynamodb("recorded").arn)
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


class Run:
    """One case from beginning to end."""

    def __init__(self, case: Case) -> None:
        self.harness = Harness()
        records = case["input_records"]
        view = records[0]["view"] if records else "NEW_AND_OLD_IMAGES"
        self.table = self.harness.dynamodb("recorded", view=view)
        self.place: Any = None
        properties = properties_of(case["esm_config"])
        self.mapping = self.harness.map(
            self.table,
            handler_of(case["handler_behaviour"]),
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
        check_shape(actual, shape, self.known())

    def known(self) -> dict[str, Any]:
        """What placeholders stand for in this run."""
        record = self.table.records[0]
        return {
            "<seq-of-record-0>": record.sequence_number,
            "<ddb-stream-arn>": self.table.arn,
            "<function-arn>": self.mapping.function_arn,
            # Keys pk + "alpha beta", then the image: those again, and bin + six bytes.
            "<len of all attribute names + values in Keys and images>": 12 + 12 + 9,
            "<float epoch seconds>": record.arrived_at.timestamp(),
        }
