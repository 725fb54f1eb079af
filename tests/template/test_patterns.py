"""Filter patterns: what Lambda takes, and what is wrong with the others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm.template import SourceKind
from esm.template.patterns import fault_of

KINESIS = SourceKind.KINESIS


def data(rule: object) -> str:
    return json.dumps({"data": {"x": rule}})


@pytest.mark.parametrize(
    "rule",
    [
        ["a"],
        [300, True, None, ""],
        {"y": {"z": [1]}},
        {"prefix": ["Mr"]},
        [{"exists": False}],
        [{"prefix": "a"}, {"suffix": {"equals-ignore-case": "b"}}],
        [{"anything-but": "a"}],
        [{"anything-but": [1, 2.5]}],
        [{"numeric": [">", 0, "<=", 5]}],
        [{"equals-ignore-case": "a"}],
    ],
)
def test_a_pattern_that_lambda_takes_has_no_fault(rule: object):
    assert fault_of(data(rule), KINESIS) is None


@pytest.mark.parametrize(
    ("rule", "code", "meant"),
    [
        (1, "E251", [1]),
        ({"numeric": [">", 0]}, "E251", [{"numeric": [">", 0]}]),
        ({"exists": True}, "E251", [{"exists": True}]),
        ([], "E251", ["…"]),
        ([["a", "b"]], "E251", ["a", "b"]),
        ([{"prefixx": "a"}], "E253", [{"prefix": "a"}]),
        ([{"wildcard": "a*"}], "E253", None),
        ([{"cidr": "10.0.0.0/8"}], "E253", None),
        ([{"anything-but": {"prefix": "a"}}], "E253", [{"anything-but": ["x"]}]),
        ([{"anything-but": ["a", 1]}], "E253", [{"anything-but": ["x"]}]),
        ([{"exists": "yes"}], "E253", [{"exists": True}]),
        ([{"numeric": [">", "0"]}], "E253", [{"numeric": [">", 0]}]),
        ([{"numeric": ["!=", 0]}], "E253", [{"numeric": [">", 0]}]),
        ([{}], "E253", [{"exists": True}]),
        ({}, "E250", None),
    ],
)
def test_a_fault_has_its_code_and_what_was_meant(rule: object, code: str, meant: object):
    fault = fault_of(data(rule), KINESIS)
    assert fault is not None
    assert fault.refusal.esm_code == code
    if meant is not None:
        assert json.loads(fault.meant) == {"data": {"x": meant}}
    assert fault_of(fault.meant, KINESIS) is None


@pytest.mark.parametrize("pattern", ["", "{", "[]", "1", "{}", '{"data": ["text"]}', "[" * 9_999])
def test_what_is_no_pattern_at_all(pattern: str):
    fault = fault_of(pattern, KINESIS)
    assert fault is not None
    assert fault.refusal.esm_code == "E250"


@pytest.mark.parametrize(
    ("kind", "key", "own"),
    [
        (SourceKind.KINESIS, "body", "data"),
        (SourceKind.KINESIS, "value", "data"),
        (SourceKind.DYNAMODB, "data", "dynamodb"),
        (SourceKind.MSK, "data", "value"),
        (SourceKind.SELF_MANAGED_KAFKA, "body", "value"),
    ],
)
def test_the_data_key_of_another_source_lets_nothing_through(kind, key: str, own: str):
    fault = fault_of(json.dumps({key: {"a": [1]}, "eventID": ["1"]}), kind)
    assert fault is not None
    assert fault.refusal.esm_code == "E254"
    assert json.loads(fault.meant) == {own: {"a": [1]}, "eventID": ["1"]}


@pytest.mark.parametrize(
    ("options", "is_sound"),
    [
        ([{"a": [1]}, {"b": [2]}], True),
        ([{"a": [1]}], False),
        ([{"a": [1]}, {}], False),
        ([{"a": [1]}, 1], False),
        ([{"a": [1]}, {"b": 2}], False),
    ],
)
def test_alternatives_are_two_objects_or_more(options: object, is_sound: bool):
    assert (fault_of(json.dumps({"data": {"$or": options}}), KINESIS) is None) is is_sound


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$or", "numeric", "exists", "prefix", "anything-but", "a"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.text() | JSON.map(json.dumps), st.sampled_from(SourceKind))
def test_any_text_is_judged(pattern: str, kind: SourceKind):
    fault = fault_of(pattern, kind)
    assert fault is None or fault.message
