"""Why a document does not match: the condition that decided, and what was there."""

from __future__ import annotations

from typing import Any

import pytest

from esm.core.filtering import Dialect, Explanation, compile_pattern


def explained(pattern: Any, document: Any) -> Explanation:
    return compile_pattern(pattern, dialect=Dialect.EVENTBRIDGE).explain(document)


@pytest.mark.parametrize(
    ("pattern", "document", "path", "rule", "found", "reason"),
    [
        pytest.param(
            {"data": {"type": ["buy"], "total": [{"numeric": [">", 10]}]}},
            {"data": {"type": "buy", "total": 5}},
            "data.total", '[{"numeric": [">", 10]}]', (5,),
            'data.total is 5, not [{"numeric": [">", 10]}]', id="a value",
        ),
        pytest.param(
            {"b": ["x"], "a": ["y"]}, {"a": "n", "b": "n"}, "b", '["x"]', ("n",),
            'b is "n", not ["x"]', id="the first as written",
        ),
        pytest.param(
            {"a": ["x"]}, {"b": 1}, "a", '["x"]', (), 'a is absent, not ["x"]', id="absent"
        ),
        pytest.param(
            {"a": ["x"]}, {"a": {"S": "x"}}, "a", '["x"]', (), 'a is absent, not ["x"]',
            id="an object is no leaf",
        ),
        pytest.param(
            {"a": ["x"]}, {"a": ["y", None, 1.5]}, "a", '["x"]', ("y", None, 1.5),
            'a is "y", null, 1.5, not ["x"]', id="several",
        ),
        pytest.param(
            {"a": [{"exists": False}]}, {"a": True}, "a", '[{"exists": false}]', (True,),
            'a is true, not [{"exists": false}]', id="present",
        ),
        pytest.param(
            {"i": {"a": [1], "b": [2]}}, {"i": [{"a": 1, "b": 1}, {"a": 2, "b": 2}]},
            "i.b", "[2]", (1, 2),
            "i.b is [2] in no array element that satisfies the other conditions too",
            id="no one element",
        ),
        pytest.param(
            {"i": {"a": [2], "y": [{"exists": False}]}}, {"i": [{"a": 2, "y": 1}, {"a": 1}]},
            "i.y", '[{"exists": false}]', (1,),
            'i.y is [{"exists": false}] in no array element that satisfies the other conditions'
            " too",
            id="not absent in that element",
        ),
        pytest.param(
            {"$or": [{"a": [1], "b": [1], "c": [1]}, {"d": [1]}]}, {"a": 1, "b": 1, "c": 2},
            "c", "[1]", (2,), "c is 2, not [1]", id="the alternative that came furthest",
        ),
    ],
)  # fmt: skip
def test_what_decided(pattern: Any, document: Any, path: str, rule: str, found: Any, reason: str):
    assert explained(pattern, document) == Explanation(
        matches=False, path=path, rule=rule, found=found, reason=reason
    )
    assert str(explained(pattern, document)) == reason


def test_a_match_says_so():
    assert explained({"$or": [{"a": [1]}, {"b": [1]}]}, {"b": 1}) == Explanation(matches=True)
    assert str(explained({"a": [1]}, {"a": 1})) == "every condition holds"
    assert explained({"i": {"a": [1]}}, {"i": [{"a": 2}, {"a": 1}]}).matches


def test_long_values_are_cut():
    told = explained({"a": ["y" * 80]}, {"a": "x" * 80})
    assert told.reason == f'a is "{"x" * 59}…, not ["{"y" * 58}…'
    assert explained({"a": ["y" * 56]}, {"a": "x" * 58}).reason.count("…") == 0


def test_a_number_that_no_double_has_is_shown_as_written():
    from esm.core.filter_values import read_json

    document = read_json('{"a": 0.10000000000000000001}')
    assert explained({"a": [1]}, document).reason == "a is 0.10000000000000000001, not [1]"
