"""What sources ask of a pattern's alternatives: parts of them, and a quick way below one key."""

from __future__ import annotations

from typing import Any

import pytest

from esm.core.filter_values import ABSENT
from esm.core.filtering import Branch, Part, compile_pattern, is_within


def branch(pattern: Any) -> Branch:
    [only] = compile_pattern(pattern).branches
    return only


@pytest.mark.parametrize(
    ("name", "is_there"),
    [("data", True), ("data.x", True), ("database", False), ("x.data", False), ("dat", False)],
)
def test_a_name_is_at_a_key_or_below_it(name: str, is_there: bool):
    assert is_within(name, "data") is is_there
    assert branch({name: [1]}).names("data") is is_there


def test_conditions_can_be_left_out():
    asked = branch({"value": {"x": [1]}, "topic": ["t"], "value.y": [2]})
    rest = asked.only(lambda name: not is_within(name, "value"))
    assert [condition.name for condition in rest.conditions] == ["topic"]
    assert rest.matches({"topic": "t", "value": {"x": 5}})
    assert not rest.matches({"topic": "u"})
    assert rest.only(lambda _: False).matches({})


@pytest.mark.parametrize("pattern", [{"a": [1], "data": {"x": [1]}}, {"data": [1]}])
def test_there_is_no_quick_way_unless_all_is_below_the_key(pattern: Any):
    assert branch(pattern).parts("data") is None


def parts(pattern: Any) -> list[Part]:
    found = branch({"data": pattern}).parts("data")
    assert found is not None
    return found


def test_parts_are_in_the_order_of_the_pattern_and_name_keys_that_could_stand_for_them():
    found = parts({"z": ["x"], "a": {"b": {"c": [1]}}})
    assert [(part.key, part.others) for part in found] == [("z", ()), ("a", ("a.b", "a.b.c"))]
    assert [part.accepts is None for part in found] == [False, True]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("x", True),
        ("y", False),
        (ABSENT, False),
        ({"k": "x"}, False),
        ([], False),
        (["y", "x"], True),
        (["y", None], False),
        (["x", ["x"]], None),
        (["x", {"k": "x"}], None),
    ],
)
def test_a_part_that_is_a_leaf(value: Any, verdict: bool | None):
    [part] = parts({"k": ["x"]})
    assert part.ask(value) is verdict


@pytest.mark.parametrize(
    ("value", "verdict"), [(ABSENT, True), ({"k": 1}, True), ([], True), ([1], False), (1, False)]
)
def test_a_part_that_must_not_be_there(value: Any, verdict: bool):
    [part] = parts({"k": [{"exists": False}]})
    assert part.ask(value) is verdict


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ({"b": {"c": 1}}, True),
        ({"b": {"c": 2}}, False),
        ({"b": {}}, False),
        ({}, False),
        ("text", False),
        (ABSENT, False),
        ([{"b": {"c": 1}}], None),
        ({"b": [{"c": 1}]}, None),
        ({"b": {"c": 2}, "b.c": 1}, None),
    ],
)
def test_a_part_with_keys_below(value: Any, verdict: bool | None):
    [part] = parts({"a": {"b": {"c": [1]}}})
    assert part.ask(value) is verdict
