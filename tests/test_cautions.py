"""What no error is and yet hardly meant, said after a run."""

from __future__ import annotations

from typing import Any

import pytest

from esm import Harness
from esm.cautions import cautions_of

RBIF = ["ReportBatchItemFailures"]
ABOUT_DATA = {"Filters": [{"Pattern": '{"data": {"id": [1]}}'}]}


@pytest.fixture
def h() -> Harness:
    return Harness()


def codes(h: Harness, mapping: Any) -> list[str]:
    return [each.code for each in cautions_of(mapping, h.trace)]


def nothing(event: dict[str, Any], context: Any) -> None:
    """A handler that is content."""


def names_nobody(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"batchItemFailures": []}


def names_the_first(event: dict[str, Any], context: Any) -> dict[str, Any]:
    number = event["Records"][0]["kinesis"]["sequenceNumber"]
    return {"batchItemFailures": [{"itemIdentifier": number}]}


@pytest.mark.parametrize(
    ("handler", "properties", "expected"),
    [
        pytest.param(names_the_first, {}, ["W201"], id="failures that nobody heeds"),
        pytest.param(names_nobody, {}, [], id="no failures, and nobody would heed them"),
        pytest.param(nothing, {"function_response_types": RBIF}, ["W207"], id="heeded, not sent"),
        pytest.param(names_nobody, {"function_response_types": RBIF}, [], id="heeded and sent"),
        pytest.param(nothing, {}, [], id="neither"),
    ],
)
def test_a_response_and_its_setting_belong_together(h, handler, properties, expected):
    stream = h.kinesis()
    m = h.map(stream, handler, **properties)
    stream.put("a")
    h.advance("1s")
    assert codes(h, m) == expected


@pytest.mark.parametrize(
    ("payloads", "criteria", "expected"),
    [
        pytest.param(["a,b", "c,d"], ABOUT_DATA, ["W251"], id="no JSON at all"),
        pytest.param(["a,b", {"id": 2}], ABOUT_DATA, [], id="JSON among it"),
        pytest.param(["a,b", {"id": 1}], ABOUT_DATA, [], id="one passes"),
        pytest.param(
            ["a,b"],
            {"Filters": [{"Pattern": '{"partitionKey": ["x"]}'}]},
            [],
            id="a filter over metadata",
        ),
        pytest.param([], ABOUT_DATA, [], id="nothing came"),
    ],
)
def test_a_filter_over_data_that_is_no_json(h, payloads, criteria, expected):
    stream = h.kinesis()
    m = h.map(stream, nothing, filter_criteria=criteria)
    stream.put_many(payloads)
    h.drain()
    assert codes(h, m) == expected


def test_the_state_of_a_window_that_nobody_took(h):
    def refuses_to_close(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if event["isFinalInvokeForWindow"]:
            raise ValueError("not now")
        return {"state": {"seen": True}}

    stream = h.kinesis()
    m = h.map(stream, refuses_to_close, tumbling_window_in_seconds=60, maximum_retry_attempts=1)
    stream.put("a")
    h.drain()
    [caution] = cautions_of(m, h.trace)
    assert caution.code == "W702"
    assert "state is lost" in caution.message
    assert "gave up the state of window 00:00:00-00:01:00" in m.timeline(problems_only=True)
