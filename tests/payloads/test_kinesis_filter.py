"""Filters over Kinesis records: what a pattern sees, what is dropped, what stays untouched."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm.core.filter_values import read_json
from esm.core.filtering import compile_pattern
from esm.payloads.kinesis import KinesisEvents, KinesisRecord, make_record
from esm.payloads.kinesis_filter import KinesisFilter

SHARD = "shardId-000000000000"
ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
EVENTS = KinesisEvents(ARN, "us-east-1", "arn:aws:iam::123456789012:role/r")


def record(data: Any, *, key: str = "1", ordinal: int = 1) -> KinesisRecord:
    raw = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    return make_record(
        position=10**55 + ordinal,
        key=key,
        arrived_ms=1_767_300_000_123,
        base64=base64.b64encode(raw).decode(),
        shard_id=SHARD,
        ordinal=ordinal,
    )


def filter_of(*patterns: Any) -> KinesisFilter:
    return KinesisFilter([compile_pattern(pattern) for pattern in patterns], EVENTS)


def passes(data: Any, *patterns: Any) -> bool:
    """Through the quick way and, with a condition that always holds, the thorough way."""
    [verdict] = {
        bool(filter_of(*variant).split(SHARD, [record(data)])[0])
        for variant in (
            patterns,
            [{**json.loads(json.dumps(p)), "eventVersion": ["1.0"]} for p in patterns],
        )
    }
    return verdict


JSON_PATTERN = {"data": {"type": ["buy"]}}
METADATA_PATTERN = {"eventSource": ["aws:kinesis"]}


@pytest.mark.parametrize(
    ("data", "pattern", "is_let_through"),
    [
        pytest.param({"type": "buy"}, JSON_PATTERN, True, id="JSON, pattern matches"),
        pytest.param({"type": "sell"}, JSON_PATTERN, False, id="JSON, pattern does not match"),
        pytest.param([{"type": "buy"}], JSON_PATTERN, True, id="JSON array"),
        pytest.param({"type": "buy"}, METADATA_PATTERN, True, id="JSON, metadata only"),
        pytest.param(b"plain", JSON_PATTERN, False, id="not JSON is dropped"),
        pytest.param(b"", JSON_PATTERN, False, id="empty is dropped"),
        pytest.param(b"\xff\xfe", JSON_PATTERN, False, id="not UTF-8 is dropped"),
        pytest.param(b'{"type": "buy", "x": "\xff"}', JSON_PATTERN, False, id="UTF-8 all over"),
        pytest.param('{"type": "buy"}'.encode("utf-16"), JSON_PATTERN, False, id="UTF-16"),
        pytest.param(b"42", JSON_PATTERN, False, id="a bare number is dropped"),
        pytest.param(b'"buy"', JSON_PATTERN, False, id="a bare string is dropped"),
        pytest.param(b'{"type": "buy"', JSON_PATTERN, False, id="broken JSON is dropped"),
        pytest.param(b'{"type": "buy", "x": NaN}', JSON_PATTERN, False, id="NaN is not JSON"),
        pytest.param(b"plain", METADATA_PATTERN, True, id="not JSON, metadata only"),
        pytest.param(b"\xff", METADATA_PATTERN, True, id="not UTF-8, metadata only"),
        pytest.param(
            b"plain", {"data": {"type": [{"exists": False}]}}, False,
            id="absent in what is no JSON is dropped, too",
        ),
    ],
)  # fmt: skip
def test_the_table_of_aws(data: Any, pattern: Any, is_let_through: bool):
    assert passes(data, pattern) is is_let_through


@pytest.mark.parametrize(
    "pattern",
    [
        {"eventID": [f"{SHARD}:{10**55 + 1}"]},
        {"eventName": ["aws:kinesis:record"]},
        {"eventSourceARN": [ARN]},
        {"awsRegion": [{"prefix": "us-"}]},
        {"invokeIdentityArn": [{"suffix": "role/r"}]},
        {"partitionKey": ["customer-1"]},
        {"kinesis": {"partitionKey": ["customer-1"]}},
        {"sequenceNumber": [str(10**55 + 1)]},
        {"approximateArrivalTimestamp": [{"numeric": ["=", 1767300000.123]}]},
        {"kinesisSchemaVersion": ["1.0"]},
        {"kinesis": {"data": ["eyJhIjogMX0="]}},
        {"kinesis": {"data": {"a": [{"exists": False}]}}},
    ],
    ids=json.dumps,
)
def test_metadata_can_be_matched(pattern: Any):
    given_record = record({"a": 1}, key="customer-1")
    matching, filtered = filter_of(pattern).split(SHARD, [given_record])
    assert (list(matching), list(filtered)) == ([given_record], [])
    assert not filter_of({**pattern, "eventVersion": ["9"]}).split(SHARD, [given_record])[0]


def test_a_record_passes_when_any_filter_matches():
    patterns = ({"data": {"type": ["buy"]}}, {"data": {"total": [{"numeric": [">", 100]}]}})
    assert passes({"type": "buy", "total": 1}, *patterns)
    assert passes({"type": "sell", "total": 101}, *patterns)
    assert not passes({"type": "sell", "total": 1}, *patterns)


def test_what_is_no_json_may_pass_by_another_filter_or_alternative():
    assert passes(b"plain", JSON_PATTERN, METADATA_PATTERN)
    assert passes(b"plain", {"$or": [JSON_PATTERN, METADATA_PATTERN]})
    assert not passes(b"plain", {"$or": [JSON_PATTERN, {"eventSource": ["other"]}]})


@pytest.mark.parametrize(
    ("data", "pattern", "is_let_through"),
    [
        ({"o": {"id": 5}}, {"data": {"o": {"id": [5]}}}, True),
        ({"o": [{"id": 4}, {"id": 5}]}, {"data": {"o": {"id": [5]}}}, True),
        ({"o": [{"id": 4, "n": 1}, {"id": 5}]}, {"data": {"o": {"id": [5], "n": [1]}}}, False),
        ({"o.id": 5}, {"data": {"o": {"id": [5]}}}, True),
        ({"o": {"id": 4}, "o.id": 5}, {"data": {"o": {"id": [5]}}}, True),
        ({"o": "text"}, {"data": {"o": {"id": [{"exists": False}]}}}, True),
        ({"o": {"id": {}}}, {"data": {"o": {"id": [{"exists": False}]}}}, True),
        ({}, {"data": {"o": {"id": [{"exists": False}]}}}, True),
        ({"tags": ["a", "b"]}, {"data": {"tags": ["b"]}}, True),
        ({"tags": ["a", ["b"]]}, {"data": {"tags": ["b"]}}, True),
        ({"tags": []}, {"data": {"tags": [{"exists": True}]}}, False),
        ({"näme": "ö"}, {"data": {"näme": ["ö"]}}, True),
        (b'{"t": 1, "t": 2}', {"data": {"t": [2]}}, True),
        (b'{"t": 1, "t": 2}', {"data": {"t": [1]}}, False),
        (b'{"t": 1e400}', {"data": {"t": [{"exists": True}]}}, True),
        (b'{"t": 3.0e2}', {"data": {"t": [300]}}, True),
        (b'{"t": 12.345678901234567890}', {"data": {"t": [{"numeric": [">", 10]}]}}, False),
        (b'{"t": 12345678901234567890}', {"data": {"t": [12345678901234567890]}}, True),
        (b'{"t": "\\ud800"}', {"data": {"t": [{"exists": True}]}}, True),
        (b'{"t": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", {"data": {"t": [1]}}, False),
    ],
)
def test_data(data: Any, pattern: Any, is_let_through: bool):
    assert passes(data, pattern) is is_let_through


def test_plain_text_is_matched_where_the_mapping_allows_such_a_pattern():
    assert passes(b"hello", {"data": [{"prefix": "he"}]})
    assert passes(b"42", {"data": ["42"]})
    assert not passes({"a": 1}, {"data": ["hello"]})
    assert not passes(b"\xff", {"data": [{"exists": False}]})
    assert not passes(b"hello", {"data": ["hello"], "data.x": [{"exists": False}]})
    assert filter_of({"data": ["x"]}).explain(SHARD, record(b"x"))[0].matches


def test_order_is_kept_and_records_are_untouched():
    records = [record({"n": n % 3}, ordinal=n) for n in range(1, 10)]
    matching, filtered = filter_of({"data": {"n": [0, 1]}}).split(SHARD, records)
    assert [r.ordinal for r in matching] == [1, 3, 4, 6, 7, 9]
    assert [r.ordinal for r in filtered] == [2, 5, 8]
    assert all(any(r is kept for kept in records) for r in (*matching, *filtered))


@pytest.mark.parametrize("pattern", [{"data": {"n": [1]}}, {"partitionKey": ["1"]}])
def test_when_all_pass_nothing_is_copied(pattern: Any):
    records = [record({"n": 1}), record({"n": 1})]
    matching, filtered = filter_of(pattern).split(SHARD, records)
    assert matching is records
    assert list(filtered) == []
    assert filter_of(pattern).split(SHARD, [])[0] == []


@pytest.mark.parametrize(
    ("data", "pattern", "reason"),
    [
        ({"type": "sell"}, JSON_PATTERN, 'data.type is "sell", not ["buy"]'),
        (b"x", JSON_PATTERN, "data is not a JSON object or array, and the pattern is about data"),
        ({"type": "buy"}, JSON_PATTERN, "every condition holds"),
        (b"x", {"partitionKey": ["2"]}, 'partitionKey is "1", not ["2"]'),
        (b"x", {"$or": [JSON_PATTERN, METADATA_PATTERN]}, "every condition holds"),
    ],
)
def test_each_filter_says_what_decided(data: Any, pattern: Any, reason: str):
    asked = filter_of(pattern)
    [told] = asked.explain(SHARD, record(data))
    assert told.reason == reason
    assert told.matches is bool(asked.split(SHARD, [record(data)])[0])


VALUES = st.sampled_from([0, 1, 1.5, "x", "ü", None, True]) | st.lists(
    st.sampled_from([0, "x", {"b": 1}, [1]]), max_size=2
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "a.b", "c"]), VALUES, max_size=3)
PAYLOADS = (
    (OBJECTS | st.dictionaries(st.sampled_from("ab"), OBJECTS, max_size=2))
    .map(lambda data: json.dumps(data, ensure_ascii=False).encode())
    .flatmap(lambda raw: st.sampled_from([raw, b"[" + raw + b"]", raw[:-1], raw + b" \xff"]))
)
RULES = st.lists(
    st.sampled_from([1, "x", None, {"exists": False}, {"numeric": [">", 0]}]),
    min_size=1,
    max_size=2,
)
PATTERNS = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    RULES | st.dictionaries(st.sampled_from("ab"), RULES, min_size=1, max_size=2),
    min_size=1,
    max_size=2,
)


@given(PAYLOADS, PATTERNS)
def test_the_quick_way_decides_as_if_everything_were_decoded(payload: bytes, asked: Any):
    try:
        document = read_json(payload.decode())
    except ValueError:
        expected = False
    else:
        expected = compile_pattern({"data": asked}).matches({"data": document})
    assert passes(payload, {"data": asked}) is expected


@given(st.binary(max_size=30))
def test_no_payload_breaks_a_filter(payload: bytes):
    assert passes(payload, {"data": {"a": [1]}}) in (True, False)
