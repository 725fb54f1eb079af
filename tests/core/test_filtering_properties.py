"""Any pattern and any document: a verdict or a fault, and the reference's verdict."""

from __future__ import annotations

import json
from typing import Any

from filter_reference import reference_matches
from hypothesis import given
from hypothesis import strategies as st

from esm.core.filtering import Dialect, Pattern, PatternFault, compile_pattern

KEYS = st.sampled_from(["a", "b", "c", "a.b", "b.c"])
VALUES = st.sampled_from(["x", "xy", 1, 2, True, False, None])
RULES = (
    VALUES
    | st.sampled_from([{"exists": True}, {"exists": False}, {"prefix": "x"}, {"numeric": [">", 1]}])
    | st.lists(st.sampled_from(["x", "xy", "z"]), min_size=1, max_size=2).map(
        lambda texts: {"anything-but": texts}
    )
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def either(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, min_size=2, max_size=2).map(lambda options: {"$or": options})


PATTERNS = st.recursive(
    st.dictionaries(KEYS, st.lists(RULES, min_size=1, max_size=2), min_size=1, max_size=3),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=2) | either(inner),
    max_leaves=3,
)


@given(PATTERNS, st.dictionaries(KEYS, DOCUMENTS, max_size=3))
def test_the_matcher_says_what_the_reference_says(pattern: Any, document: Any):
    found = compile_pattern(pattern)
    verdict = found.matches(document)
    assert verdict is reference_matches(pattern, document)
    assert found.explain(document).matches is verdict


@given(PATTERNS)
def test_arrays_of_one_object_change_nothing(pattern: Any):
    found = compile_pattern(pattern)
    plain = {"a": {"b": "x", "c": 2}, "b": "xy", "c": {"b": {"c": 1}}}
    wrapped = {"a": [{"b": ["x"], "c": [2]}], "b": ["xy"], "c": [[{"b": [{"c": [1]}]}]]}
    assert found.matches(plain) is found.matches(wrapped)


NAMES = ["$or", "a", "a.b", "anything-but", "cidr", "equals-ignore-case", "exists", "numeric"]
SCALARS = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4)
    | st.sampled_from([">", "<", "=", "10.0.0.0/8", "::/3", "a*", "\\", "\\*", "**"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*NAMES, "prefix", "suffix", "wildcard"]), inner)
    ),
    max_leaves=15,
)


def judged(pattern: Any, dialect: Dialect) -> Pattern | PatternFault:
    try:
        return compile_pattern(pattern, dialect=dialect)
    except PatternFault as fault:
        return fault


@given(st.text(max_size=20) | JSON.map(json.dumps), st.sampled_from(Dialect), JSON)
def test_any_text_is_a_pattern_or_a_fault(text: str, dialect: Dialect, document: Any):
    found = judged(text, dialect)
    if isinstance(found, PatternFault):
        assert found.message
    else:
        assert found.matches(document) is found.explain(document).matches


@given(JSON, JSON)
def test_any_rule_is_a_rule_or_a_fault(rule: Any, value: Any):
    found = judged({"a": [rule]}, Dialect.EVENTBRIDGE)
    if isinstance(found, PatternFault):
        assert found.path[:1] == ("a",)
    else:
        assert found.matches({"a": value}) is found.explain({"a": value}).matches
