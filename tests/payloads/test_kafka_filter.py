"""Filters over Kafka records: a condition on `value` that does not fit the value is ignored."""

from __future__ import annotations

from typing import Any

import pytest

from esm.core.filtering import compile_pattern
from esm.payloads.kafka_filter import KafkaFilter

METADATA = {"topic": "orders", "partition": 0, "offset": 15}
PLAIN, JSON = {"value": ["x"]}, {"value": {"type": ["buy"]}}
TOPIC, OTHER_TOPIC = {"topic": ["orders"]}, {"topic": ["others"]}


@pytest.mark.parametrize(
    ("value", "pattern", "passes"),
    [
        pytest.param(b"x", PLAIN, True, id="text, plain: filter"),
        pytest.param(b"y", PLAIN, False, id="text, plain: filter out"),
        pytest.param(b"xyz", {"value": [{"prefix": "xy"}]}, True, id="text, string operator"),
        pytest.param(b"y", JSON, True, id="text, JSON: ignored"),
        pytest.param(b"y", {**JSON, **TOPIC}, True, id="text, JSON: metadata decide"),
        pytest.param(b"y", {**JSON, **OTHER_TOPIC}, False, id="text, JSON: metadata filter out"),
        pytest.param(b'{"type": "buy"}', PLAIN, True, id="JSON, plain: ignored"),
        pytest.param(b'{"type": "buy"}', {**PLAIN, **OTHER_TOPIC}, False, id="JSON, plain, topic"),
        pytest.param(b'{"type": "buy"}', JSON, True, id="JSON, JSON: filter"),
        pytest.param(b'{"type": "sell"}', JSON, False, id="JSON, JSON: filter out"),
        pytest.param(b'[{"type": "buy"}]', JSON, True, id="JSON array"),
        pytest.param(b"42", JSON, True, id="a bare number is text"),
        pytest.param(b"42", {"value": ["42"]}, True, id="a bare number as text"),
        pytest.param(b"{}", TOPIC, True, id="no value key"),
        pytest.param(b"{}", OTHER_TOPIC, False, id="no value key, filter out"),
        pytest.param(b"\xff", PLAIN, True, id="not UTF-8, plain: ignored"),
        pytest.param(b"\xff", JSON, True, id="not UTF-8, JSON: ignored"),
        pytest.param(b"\xff", {**JSON, **OTHER_TOPIC}, False, id="not UTF-8: metadata decide"),
        pytest.param(None, PLAIN, True, id="tombstone: ignored"),
        pytest.param(None, {**JSON, **OTHER_TOPIC}, False, id="tombstone: metadata decide"),
        pytest.param(b"x", {"partition": [0], "offset": [{"numeric": [">", 5]}]}, True, id="place"),
    ],
)
def test_the_table_of_aws(value: bytes | None, pattern: Any, passes: bool):
    assert KafkaFilter([compile_pattern(pattern)]).passes(METADATA, value) is passes


def test_any_filter_is_enough():
    either = KafkaFilter([compile_pattern(OTHER_TOPIC), compile_pattern(PLAIN)])
    assert either.passes(METADATA, b"x")
    assert not either.passes(METADATA, b"y")
