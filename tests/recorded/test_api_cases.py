"""Recorded answers of the API that belong to no stream: names, refusals, self-managed Kafka.

What only the control plane answers is a strict xfail: the day there is one, these tests say so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from esm import Harness
from esm.errors import MappingError
from esm.mapping import create
from esm.mapping.duplicates import conflict, reading_of

OURS = ("api-", "kafka-sm-")  # the filters recorded with SQS are told with the other filters
CASES = {
    case["id"]: case
    for case in json.loads(Path(__file__).with_name("aws-recorded-cases.json").read_text())["cases"]
    if case["id"].startswith(OURS)
}
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"

control_plane = pytest.mark.xfail(
    strict=True, raises=AttributeError, reason="only the control plane answers this"
)


def request_of(case: dict[str, Any]) -> dict[str, Any]:
    """What a case sends, with ARNs in place of its placeholders."""
    sent = {name: value for name, value in case["esm_config"].items() if name != "create_twice"}
    text = json.dumps({"FunctionName": FUNCTION} | sent)
    return json.loads(text.replace("REGION", "us-east-1").replace("ACCOUNT", "123456789012"))


REFUSED = {"api-create-no-event-source", "kafka-sm-missing-auth"}
BY_CONTROL_PLANE = {
    "api-create-unknown-function": "create",
    "api-unknown-uuid": "get",
    "api-list-unknown": "list",
    "kafka-sm-defaults": "create",
}
NAMES, DUPLICATE = "api-function-name-forms", "kafka-sm-duplicate"


def test_every_case_is_told() -> None:
    assert CASES.keys() == {*REFUSED, *BY_CONTROL_PLANE, NAMES, DUPLICATE}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_a_request_is_refused_in_awss_words(case: str) -> None:
    with pytest.raises(MappingError) as refused:
        create(request_of(CASES[case]), now_ms=0)
    expected = CASES[case]["expected"]["error"]
    assert (refused.value.code, refused.value.message) == (expected["code"], expected["message"])


@pytest.mark.parametrize("case", [NAMES])
def test_a_function_keeps_the_qualifier_that_it_is_named_with(case: str) -> None:
    harness = Harness()
    forms = [
        form.replace("<full arn>", FUNCTION) for form in CASES[case]["esm_config"]["FunctionName"]
    ]
    for number, form in enumerate(forms):
        stream = harness.kinesis(f"stream-{number}")
        harness.map(stream, lambda event, context: None, name=f"m{number}", function_name=form)
    expected = [
        arn.replace("arn:...:function:f", FUNCTION)
        for arn in CASES[case]["expected"]["FunctionArn"]
    ]
    assert [mapping.function_arn for mapping in harness.mappings.values()] == expected


@pytest.mark.parametrize("case", [DUPLICATE])
def test_a_second_mapping_of_a_topic_conflicts_in_awss_words(case: str) -> None:
    reading = reading_of(request_of(CASES[case]))
    error = conflict(reading, reading, uuid="the-first")
    assert error is not None
    expected = CASES[case]["expected"]["error"]
    assert error.code == expected["code"]
    assert error.message == expected["message"].format(function_arn=FUNCTION, uuid="the-first")


@control_plane
@pytest.mark.parametrize("case", BY_CONTROL_PLANE)
def test_only_a_control_plane_can_tell(case: str) -> None:
    operation = getattr(Harness(), f"{BY_CONTROL_PLANE[case]}_event_source_mapping")
    assert operation(request_of(CASES[case])) == CASES[case]["expected"]
