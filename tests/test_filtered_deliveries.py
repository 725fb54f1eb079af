"""FilterCriteria as AWS documents or recorded them, each rule told once from put to handler."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kpl_oracle import aggregate_of

from esm import Harness, Settings
from esm.errors import MappingError


@pytest.fixture
def h() -> Harness:
    return Harness()


def criteria(*patterns: Any) -> dict[str, Any]:
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}


def mapped(h: Harness, source: Any, *patterns: Any, **properties: Any) -> Any:
    return h.map(
        source, lambda event, context: None, filter_criteria=criteria(*patterns), **properties
    )


def ordinals(records: list[Any]) -> list[int]:
    return [record.ordinal for record in records]


BUY = {"data": {"kind": ["buy"]}}


# --- Kinesis -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "delivered"),
    [
        pytest.param(BUY, [1], id="about the data: JSON is filtered, anything else is dropped"),
        pytest.param({"partitionKey": ["k"]}, [1, 2, 3, 4, 5], id="not about the data: all count"),
        pytest.param({"partitionKey": ["other"]}, [], id="metadata decides"),
        pytest.param({"kinesis": {"partitionKey": ["k"]}}, [1, 2, 3, 4, 5], id="by its place too"),
        pytest.param({"eventSource": ["aws:kinesis"]}, [1, 2, 3, 4, 5], id="of the event record"),
        pytest.param(BUY | {"partitionKey": ["k"]}, [1], id="data and metadata"),
        pytest.param({"kinesis": {"data": {"kind": ["buy"]}}}, [], id="data is at the top"),
    ],
)
def test_what_a_kinesis_pattern_lets_through(h, pattern, delivered):
    stream = h.kinesis()
    m = mapped(h, stream, pattern)
    stream.put({"kind": "buy"}, key="k")
    stream.put({"kind": "sell"}, key="k")
    stream.put("buy", key="k")
    stream.put("17", key="k")
    stream.put(b"\xff\xfe{}", key="k")
    h.drain()
    assert ordinals(m.delivered) == delivered
    assert sorted(ordinals(m.delivered) + ordinals(m.filtered)) == [1, 2, 3, 4, 5]


def test_a_pattern_for_data_that_is_no_json_is_refused(h):
    with pytest.raises(MappingError) as refused:
        mapped(h, h.kinesis(), {"data": ["buy"]})
    assert refused.value.code == "InvalidParameterValueException"
    assert refused.value.message == "Invalid filter pattern definition."


def test_it_is_taken_where_our_setting_says_so():
    h = Harness(settings=Settings(reject_plain_data_patterns=False))
    stream = h.kinesis()
    m = mapped(h, stream, {"data": ["buy"]})
    stream.put_many(["buy", "sell"])
    h.drain()
    assert ordinals(m.delivered) == [1]


def test_how_many_filters_there_may_be_is_a_setting():
    h = Harness(settings=Settings(maximum_filters=6))
    stream = h.kinesis()
    six = [{"partitionKey": [f"{number}"]} for number in range(6)]
    assert mapped(h, stream, *six).lag() == 0
    with pytest.raises(MappingError, match="FilterCriteria has 7 filters"):
        mapped(h, h.kinesis("another"), *six, BUY)


def test_several_filters_are_alternatives(h):
    stream = h.kinesis()
    m = mapped(h, stream, BUY, {"data": {"total": [{"numeric": [">", 100]}]}})
    stream.put_many([{"kind": "buy"}, {"kind": "sell", "total": 101}, {"kind": "sell"}])
    h.drain()
    assert ordinals(m.delivered) == [1, 2]


def test_the_function_gets_the_bytes_that_were_put(h):
    stream = h.kinesis()
    m = mapped(h, stream, BUY)
    raw = b'{ "kind" : "buy",\n "n": 1.0 }'
    stream.put(raw)
    h.drain()
    assert m.delivered[0].data == raw


def test_what_is_filtered_out_moves_the_checkpoint_and_invokes_nobody(h):
    stream, failures = h.kinesis(), h.queue("failures")
    m = mapped(h, stream, BUY, on_failure=failures)
    stream.put_many([{"kind": "sell"}] * 3)
    h.drain()
    assert m.invocations == []
    assert m.checkpoint() == stream.records[-1].sequence_number
    assert failures.messages == []
    assert (m.metrics["PolledEventCount"], m.metrics["FilteredOutEventCount"]) == (3, 3)
    assert m.metrics["InvokedEventCount"] == 0


def test_batch_size_counts_what_matches(h):
    stream = h.kinesis()
    m = mapped(h, stream, BUY, batch_size=2)
    stream.put_many({"kind": kind} for kind in ["buy", "sell", "sell", "buy", "buy"])
    h.drain()
    assert m.batches == [[1, 4], [5]]


def test_an_aggregate_is_filtered_as_a_whole_or_by_its_parts_under_fan_out(h):
    stream = h.kinesis()
    shared = mapped(h, stream, {"partitionKey": ["aggregate"]}, name="shared")
    parts = mapped(h, stream.consumer("fast"), {"partitionKey": ["b"]}, name="parts")
    stream.put(aggregate_of("a", "b", "c"), key="aggregate")
    h.drain()
    assert [record.key for record in shared.delivered] == ["aggregate"]
    assert [record.key for record in parts.delivered] == ["b"]


@pytest.mark.parametrize("off", [{}, {"Filters": []}])
def test_no_filters_let_everything_through(h, off):
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: None, filter_criteria=off)
    stream.put("anything")
    h.drain()
    assert ordinals(m.delivered) == [1]


def test_an_update_takes_filters_away(h):
    stream = h.kinesis()
    m = mapped(h, stream, BUY)
    stream.put({"kind": "sell"})
    h.drain()
    m.update(filter_criteria={})
    stream.put({"kind": "sell"})
    h.drain()
    assert ordinals(m.filtered) == [1]
    assert ordinals(m.delivered) == [2]


# --- DynamoDB ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "delivered"),
    [
        pytest.param({"eventName": ["MODIFY"]}, [2], id="name of the event"),
        pytest.param({"dynamodb": {"NewImage": {"n": {"N": ["42"]}}}}, [2], id="with its type"),
        pytest.param({"dynamodb": {"NewImage": {"n": ["42"]}}}, [], id="without its type: never"),
        pytest.param(
            {"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 0]}]}}}}, [],
            id="numbers are texts: numeric never matches",
        ),
        pytest.param({"dynamodb": {"NewImage": {"n": {"N": [42]}}}}, [], id="nor does a number"),
        pytest.param(
            {"dynamodb": {"NewImage": {"n": [{"exists": False}]}}}, [1, 2, 3],
            id="an attribute is no leaf: exists false matches with it and without",
        ),
        pytest.param(
            {"dynamodb": {"NewImage": {"n": {"N": [{"exists": True}]}}}}, [2], id="its type is one"
        ),
        pytest.param({"dynamodb": {"SizeBytes": [{"numeric": [">", 6]}]}}, [2, 3], id="a number"),
        pytest.param(
            {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}},
            [3], id="deletes by time to live",
        ),
    ],
)  # fmt: skip
def test_what_a_dynamodb_pattern_lets_through(h, pattern, delivered):
    table = h.dynamodb()
    m = mapped(h, table, pattern)
    table.put_item({"pk": "a"})
    table.update_item({"pk": "a"}, n=42)
    table.ttl_delete({"pk": "a"})
    h.drain()
    assert ordinals(m.delivered) == delivered
