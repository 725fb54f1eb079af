"""What is no pattern: the rule that it breaks, the place, and what was probably meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esm.core.filter_operators import EVENTBRIDGE_OPERATORS, RESERVED
from esm.core.filtering import Dialect, FaultKind, Pattern, PatternFault, compile_pattern

TWO = '"$or" must be a list of two objects or more'
FORM, LEAF, OPERATOR = FaultKind.FORM, FaultKind.LEAF, FaultKind.OPERATOR


def fault_in(pattern: Any, dialect: Dialect = Dialect.EVENTBRIDGE) -> PatternFault:
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    with pytest.raises(PatternFault) as caught:
        compile_pattern(text, dialect=dialect)
    return caught.value


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "not JSON"),
        ("single-string", "not JSON"),
        ("{'a': [1]}", "not JSON"),
        ('{"a": [1]} {}', "not JSON"),
        ('{"a": [NaN]}', "not JSON"),
        ('{"a": [-Infinity]}', "not JSON"),
        ('{"a":' * 2_000, "not JSON"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('"a"', "not a JSON object"),
        ("{}", "an object is empty"),
    ],
)
def test_what_is_no_object(pattern: str, message: str, dialect: Dialect):
    fault = fault_in(pattern, dialect)
    assert (fault.kind, fault.path, fault.meant) == (FORM, (), None)
    assert str(fault) == fault.message == message


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    ("pattern", "kind", "path", "message", "meant"),
    [
        ({"a": {}}, FORM, ("a",), '"a" is an empty object', None),
        ({"a": {"b": {}}}, FORM, ("a", "b"), '"b" is an empty object', None),
        ({"a": 1}, LEAF, ("a",), '"a" must be a list of values', {"a": [1]}),
        ({"a": "x"}, LEAF, ("a",), '"a" must be a list of values', {"a": ["x"]}),
        (
            {"a": {"b": None}}, LEAF, ("a", "b"), '"b" must be a list of values',
            {"a": {"b": [None]}},
        ),
        ({"a": []}, LEAF, ("a",), '"a" must be a list of values', {"a": ["…"]}),
        (
            {"a": [1, [2, 3], 4]}, LEAF, ("a", 1), '"a" must be a list of values, not of lists',
            {"a": [1, 2, 3, 4]},
        ),
        (
            {"a": [{}]}, OPERATOR, ("a", 0), "an operator is an object with one key",
            {"a": [{"exists": True}]},
        ),
        (
            {"b": [1], "a": [1, {"prefix": "a", "suffix": "b"}]}, OPERATOR, ("a", 1),
            "an operator is an object with one key", {"b": [1], "a": [1, {"exists": True}]},
        ),
        (
            {"a": [{"prefixx": "a"}]}, OPERATOR, ("a", 0), 'there is no operator "prefixx"',
            {"a": [{"prefix": "a"}]},
        ),
        (
            {"a": [{"NUMERIC": ["=", 5]}]}, OPERATOR, ("a", 0), 'there is no operator "NUMERIC"',
            {"a": [{"numeric": ["=", 5]}]},
        ),
        ({"$or": {"a": [1]}}, FORM, ("$or",), TWO, None),
        ({"$or": 1}, FORM, ("$or",), TWO, None),
        ({"$or": [{"a": [1]}]}, FORM, ("$or",), TWO, None),
        ({"b": {"$or": [{"a": [1]}, {}]}}, FORM, ("b", "$or"), TWO, None),
        ({"$or": [{"a": [1]}, 1]}, FORM, ("$or",), TWO, None),
        (
            {"$or": [{"a": [1]}, {"b": 2}]}, LEAF, ("$or", 1, "b"), '"b" must be a list of values',
            {"$or": [{"a": [1]}, {"b": [2]}]},
        ),
        (
            {"$or": [{"a": {"numeric": [1]}}, {"b": [2]}]}, FORM, ("$or", 0, "a", "numeric"),
            '"numeric" is no key inside "$or"', None,
        ),
    ],
)  # fmt: skip
def test_forms(
    pattern: Any, kind: FaultKind, path: Any, message: str, meant: Any, dialect: Dialect
):
    fault = fault_in(pattern, dialect)
    assert (fault.kind, fault.path, fault.message) == (kind, path, message)
    assert meant == (None if fault.meant is None else json.loads(fault.meant))


TEXT = '"prefix" must be a string'
SUFFIX = '"suffix" must be a string'
ANY_CASE = '"equals-ignore-case" must be a string'
EXISTS = '"exists" must be true or false'
TERMS = '"numeric" must be a list of a comparison and a number, or two of each'
ORDER = '"numeric" takes =, <, <=, > or >=, and a range from its lower bound up'
BOUNDS = '"numeric" must have its lower bound below the upper one'
SET = '"anything-but" must be strings or numbers, not both'
WILDCARD = '"wildcard" must be a string without ** and stray backslashes'
CIDR = '"cidr" must be an address, a slash and fewer bits than it has'


@pytest.mark.parametrize(
    ("name", "argument", "message", "meant"),
    [
        *(("prefix", wrong, TEXT, "x") for wrong in (1, None, ["a"], {}, {"prefix": "a"})),
        ("prefix", {"equals-ignore-case": 1}, TEXT, "x"),
        ("prefix", {"equals-ignore-case": "a", "b": "c"}, TEXT, "x"),
        *(("suffix", wrong, SUFFIX, "x") for wrong in (1, [".x"], {"prefix": "a"})),
        *(("equals-ignore-case", wrong, ANY_CASE, "x") for wrong in (1, ["a"], {"prefix": "a"})),
        *(("exists", wrong, EXISTS, True) for wrong in ("yes", 1, 0, None, [True])),
        *(("numeric", wrong, TERMS, [">", 0]) for wrong in (5, [], [">"], [">", "0"], [">", True])),
        ("numeric", [">", 0, "<"], TERMS, [">", 0]),
        ("numeric", [">", 0, "<", None], TERMS, [">", 0]),
        ("numeric", [">", 0, "<", 5, "<", 6], TERMS, [">", 0]),
        ("numeric", [">", 9007199254740993], TERMS, [">", 0]),
        *(
            ("numeric", wrong, ORDER, [">", 0])
            for wrong in (
                ["!=", 0], [0, 0], [">", 0, ">", 5], ["<", 5, ">", 0], ["=", 0, "<", 5],
                [">=", 0, "=", 5], ["<=", 5, "<", 6],
            )
        ),
        ("numeric", [">", 5, "<", 0], BOUNDS, [">", 0, "<", 5]),
        ("numeric", [">=", 5, "<=", 5], BOUNDS, [">", 0, "<", 5]),
        *(
            ("anything-but", wrong, SET, ["x"])
            for wrong in (None, True, [], ["a", 1], ["a", None], [1, True], [["a"]])
        ),
        ("anything-but", [9007199254740993], SET, ["x"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", Dialect)
def test_operators_of_both_dialects(
    name: str, argument: Any, message: str, meant: Any, dialect: Dialect
):
    fault = fault_in({"a": ["x", {name: argument}]}, dialect)
    assert (fault.kind, fault.path, fault.message) == (OPERATOR, ("a", 1), message)
    assert fault.meant is not None
    assert json.loads(fault.meant) == {"a": ["x", {name: meant}]}
    assert isinstance(compile_pattern(fault.meant, dialect=dialect), Pattern)


@pytest.mark.parametrize(
    ("name", "argument", "message", "meant"),
    [
        *(
            ("wildcard", wrong, WILDCARD, "x*")
            for wrong in (1, None, "a**b", "***", "a\\b", "a\\", "\\", "**\\")
        ),
        *(
            ("cidr", wrong, CIDR, "10.0.0.0/8")
            for wrong in (
                1, "", "10.0.0.0", "10.0.0.0/32", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0/8", "/8",
                "10.0.0.0/", "10.0.0.0/8/8", "::/128", "::1%eth0/8", "10.0.0.0/²",
            )
        ),
        ("anything-but", {}, '"anything-but" cannot have "" in it', {"prefix": "x"}),
        ("anything-but", {"x": "a"}, '"anything-but" cannot have "x" in it', {"prefix": "x"}),
        (
            "anything-but", {"prefix": "a", "suffix": "b"},
            '"anything-but" cannot have "prefix" in it', {"prefix": "x"},
        ),
        *(
            (
                "anything-but", {inside: wrong},
                f'"{inside}" in "anything-but" cannot have this value', {inside: "x"},
            )
            for inside in ("prefix", "suffix", "equals-ignore-case", "wildcard")
            for wrong in (1, [], ["a", 1], {"equals-ignore-case": "a"})
        ),
        *(
            (
                "anything-but", {inside: wrong},
                f'"{inside}" in "anything-but" cannot have this value', {inside: "x"},
            )
            for inside, wrong in (("prefix", ""), ("suffix", [""]), ("wildcard", "**"))
        ),
    ],
)  # fmt: skip
def test_operators_of_eventbridge(name: str, argument: Any, message: str, meant: Any):
    fault = fault_in({"a": [{name: argument}]})
    assert (fault.kind, fault.path, fault.message) == (OPERATOR, ("a", 0), message)
    assert fault.meant is not None
    assert json.loads(fault.meant) == {"a": [{name: meant}]}
    assert isinstance(compile_pattern(fault.meant, dialect=Dialect.EVENTBRIDGE), Pattern)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"wildcard": "a*"}, 'there is no operator "wildcard"'),
        ({"cidr": "10.0.0.0/8"}, 'there is no operator "cidr"'),
        ({"anything-but": {"prefix": "a"}}, '"anything-but" cannot have an operator in it here'),
    ],
)
def test_lambda_does_not_have_all_that_eventbridge_has(rule: Any, message: str):
    fault = fault_in({"a": [rule]}, Dialect.LAMBDA)
    assert (fault.kind, fault.message) == (OPERATOR, message)
    assert fault.meant is not None
    assert isinstance(compile_pattern(fault.meant), Pattern)
    assert isinstance(compile_pattern({"a": [rule]}, dialect=Dialect.EVENTBRIDGE), Pattern)


def test_lambda_takes_both_forms_that_ignore_case_inside():
    pattern = compile_pattern(
        {"a": [{"prefix": {"equals-ignore-case": "A"}}, {"suffix": {"equals-ignore-case": "B"}}]}
    )
    assert [pattern.matches({"a": text}) for text in ("ax", "xb", "x")] == [True, True, False]


@pytest.mark.parametrize("rule", [{"numeric": [">", 0]}, {"anything-but": ["x"]}, {"exists": True}])
def test_an_operator_without_its_list_is_a_mistake_in_a_mapping(rule: Any):
    fault = fault_in({"a": rule}, Dialect.LAMBDA)
    assert (fault.kind, fault.message) == (LEAF, '"a" must be a list of values')
    assert fault.meant is not None
    assert json.loads(fault.meant) == {"a": [rule]}


def test_for_eventbridge_it_is_a_key_like_any_other():
    assert compile_pattern({"a": {"numeric": [5]}}, dialect=Dialect.EVENTBRIDGE).matches(
        {"a": {"numeric": 5}}
    )
    assert compile_pattern({"a": {"prefix": ["Mr"]}}).matches({"a": {"prefix": "Mr"}})


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_of_operators_are_no_keys_inside_or(name: str):
    fault = fault_in({"$or": [{"a": [1]}, {name: ["x"]}]})
    assert (fault.kind, fault.path) == (FORM, ("$or", 1, name))
    assert compile_pattern({name: ["x"]}).matches({name: "x"})


def test_a_thousand_combinations_are_the_limit():
    def options(count: int) -> Any:
        return [{f"k{n}": [n]} for n in range(count)]

    most = {"a": {"$or": options(50)}, "b": {"$or": options(20)}}
    assert len(compile_pattern(most).branches) == 1_000
    fault = fault_in({"a": {"$or": options(50)}, "b": {"$or": options(21)}})
    assert fault.message == '"$or" makes more than 1,000 combinations'
    assert fault.path == ("b", "$or")


def test_combinations_are_counted_before_memory_is_full():
    options = [{"a": [1]}, {"b": [2]}]
    assert fault_in({f"k{n}": {"$or": options} for n in range(200)}).kind is FORM


@pytest.mark.parametrize(
    ("written", "nearest"),
    [("anything_but", "anything-but"), ("equals", "equals-ignore-case"), ("EXIST", "exists")],
)
def test_the_nearest_operator_is_suggested(written: str, nearest: str):
    fault = fault_in({"a": [{written: 5}]})
    assert fault.meant is not None
    assert json.loads(fault.meant) == {"a": [{nearest: 5}]}
    assert nearest in EVENTBRIDGE_OPERATORS


def test_numbers_survive_in_what_was_meant():
    fault = fault_in('{"a": 0.10000000000000000001, "b": [1]}')
    assert fault.meant == '{"a": [0.1], "b": [1]}'


def test_a_pattern_that_is_too_deep_is_refused():
    deep: Any = [1]
    for _ in range(5_000):
        deep = {"a": deep}
    with pytest.raises(PatternFault, match="too deep"):
        compile_pattern(deep)
