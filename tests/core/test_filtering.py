"""The filter language, rule by rule: what a pattern says of a document."""

from __future__ import annotations

import json
from typing import Any

import pytest

from esm.core.filter_values import Digits
from esm.core.filtering import Dialect, Pattern, compile_pattern, divide


def compiled(pattern: Any, dialect: Dialect = Dialect.EVENTBRIDGE) -> Pattern:
    return compile_pattern(json.dumps(pattern), dialect=dialect)


def matches(pattern: Any, document: Any, dialect: Dialect = Dialect.EVENTBRIDGE) -> bool:
    """The quick way and the thorough way must agree."""
    found = compiled(pattern, dialect)
    verdict = found.matches(document)
    assert verdict is any(branch._matches_thoroughly(document) for branch in found.branches)
    assert verdict is found.explain(document).matches
    return verdict


def rows(*cases: tuple[str, Any, Any, bool]) -> Any:
    return pytest.mark.parametrize(
        ("rules", "value", "passes"),
        [pytest.param(r, v, p, id=f"{name}: {json.dumps(v)}") for name, r, v, p in cases],
    )


@rows(
    ("equals", ["a"], "a", True),
    ("equals is case-sensitive", ["a"], "A", False),
    ("equals, one of several", ["a", "b"], "b", True),
    ("equals, none of several", ["a", "b"], "c", False),
    ("empty string", [""], "", True),
    ("empty string is not null", [""], None, False),
    ("null", [None], None, True),
    ("null is not the text", [None], "null", False),
    ("null is not an empty string", [None], "", False),
    ("null is not false", [None], False, False),
    ("true", [True], True, True),
    ("true is not one", [True], 1, False),
    ("one is not true", [1], True, False),
    ("false is not zero", [False], 0, False),
    ("zero is not false", [0], False, False),
    ("number", [300], 300, True),
    ("numbers by what they are worth", [300], 300.0, True),
    ("a fraction for a whole number", [300.0], 300, True),
    ("another number", [300], 301, False),
    ("number is not the text", [300], "300", False),
    ("text is not the number", ["300"], 300, False),
    ("beyond the whole doubles, equal", [9007199254740993], 9007199254740993, True),
    ("beyond the whole doubles, other", [9007199254740993], 9007199254740992, False),
    ("a great whole number", [10**20], 1e20, True),
    ("a whole number that no double has", [10**400], 10**400, True),
)
def test_equals(rules: Any, value: Any, passes: bool):
    assert matches({"x": rules}, {"x": value}) is passes


@rows(
    ("prefix", [{"prefix": "eu-"}], "eu-west-1", True),
    ("prefix, whole", [{"prefix": "eu-"}], "eu-", True),
    ("prefix, elsewhere", [{"prefix": "eu-"}], "xeu-", False),
    ("prefix, case", [{"prefix": "eu-"}], "EU-", False),
    ("prefix, empty", [{"prefix": ""}], "any", True),
    ("prefix, empty, of a number", [{"prefix": ""}], 5, False),
    ("prefix, number", [{"prefix": "1"}], 12, False),
    ("prefix in any case", [{"prefix": {"equals-ignore-case": "eU-"}}], "Eu-west", True),
    ("prefix in any case, other", [{"prefix": {"equals-ignore-case": "eu-"}}], "us-", False),
    ("prefix in any case, number", [{"prefix": {"equals-ignore-case": ""}}], 1, False),
    ("suffix", [{"suffix": ".png"}], "i.png", True),
    ("suffix, elsewhere", [{"suffix": ".png"}], "i.png ", False),
    ("suffix, case", [{"suffix": ".PNG"}], "i.png", False),
    ("suffix, number", [{"suffix": "2"}], 12, False),
    ("suffix in any case", [{"suffix": {"equals-ignore-case": ".png"}}], "i\n.PnG", True),
    ("suffix in any case, elsewhere", [{"suffix": {"equals-ignore-case": "a"}}], "ab", False),
    ("any case", [{"equals-ignore-case": "hello"}], "HeLLo", True),
    ("any case, longer", [{"equals-ignore-case": "hello"}], "hello!", False),
    ("any case, line end", [{"equals-ignore-case": "a"}], "a\n", False),
    ("any case, number", [{"equals-ignore-case": "1"}], 1, False),
    ("any case, one capital for two letters", [{"equals-ignore-case": "straße"}], "STRASSE", True),
    ("any case is not Unicode's folding", [{"equals-ignore-case": "k"}], "\u212a", False),
    ("any case, characters of expressions", [{"equals-ignore-case": "a.c"}], "abc", False),
    ("wildcard", [{"wildcard": "a*c"}], "abc", True),
    ("wildcard, nothing between", [{"wildcard": "a*c"}], "ac", True),
    ("wildcard does not overlap", [{"wildcard": "ab*ba"}], "aba", False),
    ("wildcard, pieces in order", [{"wildcard": "a*b*c"}], "axbxc", True),
    ("wildcard, pieces out of order", [{"wildcard": "*b*a*c"}], "abc", False),
    ("wildcard, a piece twice", [{"wildcard": "*a*a*"}], "a", False),
    ("wildcard, the end is not used twice", [{"wildcard": "*b*b"}], "ab", False),
    ("wildcard, other end", [{"wildcard": "a*c"}], "abcd", False),
    ("wildcard, other start", [{"wildcard": "a*c"}], "xac", False),
    ("wildcard, everything", [{"wildcard": "*"}], "", True),
    ("wildcard, none", [{"wildcard": ""}], "x", False),
    ("wildcard, escaped", [{"wildcard": "a\\*c"}], "a*c", True),
    ("wildcard, escaped is no wildcard", [{"wildcard": "a\\*c"}], "abc", False),
    ("wildcard, backslash", [{"wildcard": "a\\\\*"}], "a\\c", True),
    ("wildcard, star after an escaped one", [{"wildcard": "\\**"}], "*x", True),
    ("wildcard, number", [{"wildcard": "*"}], 5, False),
    ("cidr", [{"cidr": "10.1.0.0/24"}], "10.1.0.255", True),
    ("cidr, outside", [{"cidr": "10.1.0.0/24"}], "10.1.1.0", False),
    ("cidr, given by any address in it", [{"cidr": "10.1.0.77/24"}], "10.1.0.1", True),
    ("cidr, number", [{"cidr": "10.1.0.0/24"}], 5, False),
    ("cidr, no address", [{"cidr": "10.1.0.0/24"}], "10.1.0", False),
    ("cidr, address in a text", [{"cidr": "10.1.0.0/24"}], "10.1.0.1 ", False),
    ("cidr of IPv6", [{"cidr": "2001:db8::/32"}], "2001:DB8:0::7", True),
    ("cidr of the other family", [{"cidr": "10.1.0.0/24"}], "::1", False),
    ("cidr, IPv4 as IPv6", [{"cidr": "10.1.0.0/24"}], "::ffff:a01:1", True),
    ("cidr, zone", [{"cidr": "fe80::/16"}], "fe80::1%eth0", False),
    ("cidr, mixed spelling", [{"cidr": "10.1.0.0/24"}], "::ffff:10.1.0.1", False),
)
def test_texts(rules: Any, value: Any, passes: bool):
    assert matches({"x": rules}, {"x": value}) is passes


@rows(
    ("=", [{"numeric": ["=", 5]}], 5.0, True),
    ("=", [{"numeric": ["=", 5]}], 6, False),
    (">", [{"numeric": [">", 5]}], 5, False),
    (">", [{"numeric": [">", 5]}], 5.1, True),
    (">=", [{"numeric": [">=", 5]}], 5, True),
    (">=", [{"numeric": [">=", 5]}], 4, False),
    ("<", [{"numeric": ["<", 5]}], 5, False),
    ("<", [{"numeric": ["<", 5]}], -5, True),
    ("<=", [{"numeric": ["<=", 5]}], 5, True),
    ("<=", [{"numeric": ["<=", 5]}], 6, False),
    ("between, open", [{"numeric": [">", 0, "<", 5]}], 0, False),
    ("between, open", [{"numeric": [">", 0, "<", 5]}], 5, False),
    ("between, open", [{"numeric": [">", 0, "<", 5]}], 3, True),
    ("between, half-open", [{"numeric": [">", 0, "<=", 5]}], 5, True),
    ("between, half-open", [{"numeric": [">", 0, "<=", 5]}], 0, False),
    ("between, half-open below", [{"numeric": [">=", 0, "<", 5]}], 0, True),
    ("between, half-open below", [{"numeric": [">=", 0, "<", 5]}], 5, False),
    ("between, closed", [{"numeric": [">=", 0, "<=", 5]}], 0, True),
    ("between, closed", [{"numeric": [">=", 0, "<=", 5]}], 5, True),
    ("numeric, text", [{"numeric": [">", 100]}], "300", False),
    ("numeric, boolean", [{"numeric": [">=", 0]}], True, False),
    ("numeric, null", [{"numeric": [">=", 0]}], None, False),
    ("numeric, a whole number that no double has", [{"numeric": [">", 0]}], 2**53 + 1, False),
    ("numeric, a great whole number", [{"numeric": [">", 0]}], 2**53 + 2, True),
    ("numeric, beyond all doubles", [{"numeric": [">", 0]}], 10**400, False),
)
def test_numeric(rules: Any, value: Any, passes: bool):
    assert matches({"x": rules}, {"x": value}) is passes


@rows(
    ("anything-but, that", [{"anything-but": "a"}], "a", False),
    ("anything-but, another", [{"anything-but": "a"}], "b", True),
    ("anything-but, null", [{"anything-but": "a"}], None, True),
    ("anything-but, number", [{"anything-but": "1"}], 1, True),
    ("anything-but, boolean", [{"anything-but": "a"}], True, True),
    ("anything-but, list", [{"anything-but": ["a", "b"]}], "b", False),
    ("anything-but, numbers", [{"anything-but": [1, 2]}], 2.0, False),
    ("anything-but, numbers", [{"anything-but": [1, 2]}], 3, True),
    ("anything-but, number alone", [{"anything-but": 0}], 0, False),
    ("anything-but, text for a number", [{"anything-but": 1}], "1", True),
    ("anything-but, true for one", [{"anything-but": 1}], True, True),
    ("anything-but, array with another", [{"anything-but": "a"}], ["a", "b"], True),
    ("anything-but, array of that alone", [{"anything-but": "a"}], ["a", "a"], False),
    ("anything-but, empty array", [{"anything-but": "a"}], [], False),
    ("anything-but, object", [{"anything-but": "a"}], {"y": "b"}, False),
    ("anything-but prefix", [{"anything-but": {"prefix": "in"}}], "inner", False),
    ("anything-but prefix", [{"anything-but": {"prefix": "in"}}], "outer", True),
    ("anything-but prefix, number", [{"anything-but": {"prefix": "1"}}], 12, True),
    ("anything-but prefixes", [{"anything-but": {"prefix": ["a", "b"]}}], "bc", False),
    ("anything-but suffix", [{"anything-but": {"suffix": ".a"}}], "x.a", False),
    ("anything-but suffixes", [{"anything-but": {"suffix": [".a", ".b"]}}], "x.c", True),
    ("anything-but any case", [{"anything-but": {"equals-ignore-case": "A"}}], "a", False),
    ("anything-but any case", [{"anything-but": {"equals-ignore-case": ["A"]}}], "b", True),
    ("anything-but wildcard", [{"anything-but": {"wildcard": "*/t/*"}}], "q/t/z", False),
    ("anything-but wildcards", [{"anything-but": {"wildcard": ["a*", "*b"]}}], "cd", True),
)
def test_anything_but(rules: Any, value: Any, passes: bool):
    assert matches({"x": rules}, {"x": value}) is passes


@rows(
    ("exists", [{"exists": True}], "v", True),
    ("exists, null", [{"exists": True}], None, True),
    ("exists, object", [{"exists": True}], {"S": "v"}, False),
    ("exists, empty object", [{"exists": True}], {}, False),
    ("exists, array", [{"exists": True}], [1], True),
    ("exists, empty array", [{"exists": True}], [], False),
    ("exists, array of objects", [{"exists": True}], [{"y": 1}], False),
    ("exists not", [{"exists": False}], "v", False),
    ("exists not, null", [{"exists": False}], None, False),
    ("exists not, object", [{"exists": False}], {"S": "v"}, True),
    ("exists not, empty array", [{"exists": False}], [], True),
    ("exists not, array of objects", [{"exists": False}], [{"y": 1}], True),
    ("exists not, array", [{"exists": False}], [1], False),
    ("exists not, or a value", [{"exists": False}, "v"], "v", True),
    ("rules are alternatives", [{"exists": True}, {"prefix": "NO"}], "v", True),
    ("rules are alternatives", ["a", 1, None, {"prefix": "b"}], "bc", True),
    ("rules are alternatives", ["a", 1, None, {"prefix": "b"}], 1, True),
    ("rules are alternatives", ["a", 1, None, {"prefix": "b"}], False, False),
)
def test_exists_and_alternatives(rules: Any, value: Any, passes: bool):
    assert matches({"x": rules}, {"x": value}) is passes


@pytest.mark.parametrize(
    ("rules", "passes"),
    [([{"exists": False}], True), ([{"exists": True}], False), ([None], False), ([""], False)],
)
@pytest.mark.parametrize("document", [{}, {"a": {}}, {"a": "text"}, {"a": None}, {"a": {"y": 1}}])
def test_what_is_absent_at_any_depth(rules: Any, passes: bool, document: Any):
    assert matches({"a": {"x": rules}}, document) is passes


@pytest.mark.parametrize(
    ("pattern", "document", "passes"),
    [
        pytest.param({"a": {"b": [1]}}, {"a": {"b": 1}}, True, id="nested"),
        pytest.param({"a.b": [1]}, {"a": {"b": 1}}, True, id="dotted in the pattern"),
        pytest.param({"a": {"b": [1]}}, {"a.b": 1}, True, id="dotted in the document"),
        pytest.param({"a": {"b": {"c": [1]}}}, {"a": {"b.c": 1}}, True, id="dotted below"),
        pytest.param({"a": {"b": {"c": [1]}}}, {"a.b": {"c": 1}}, True, id="dotted above"),
        pytest.param({"a": {"b": {"c": [1]}}}, {"a.b.c": 1}, True, id="dotted twice"),
        pytest.param({"a": {"b": [1]}}, {"a": {"b": 2}, "a.b": 1}, True, id="either"),
        pytest.param({"a": {"b": [1]}}, {"a": [{"b": 1}]}, True, id="array of objects"),
        pytest.param({"a": [1]}, {"a": [[2], [[1]]]}, True, id="nested arrays"),
        pytest.param({"a": [1]}, {"a": [{"b": 1}]}, False, id="an object is no leaf"),
        pytest.param({"a": [1], "b": [2]}, {"a": 1, "b": 3}, False, id="all keys"),
        pytest.param({"a": {"b": [1]}, "a.b": [2]}, {"a": {"b": 2}}, True, id="the last one wins"),
        pytest.param({"a": {"b": [1]}}, "text", False, id="no object at all"),
        pytest.param({"a": [1]}, [{"a": 2}, {"a": 1}], True, id="an array at the root"),
    ],
)
def test_paths(pattern: Any, document: Any, passes: bool):
    assert matches(pattern, document) is passes


LIST = {"items": [{"a": 1, "b": 1}, {"a": 2, "b": 2, "d": [{"x": 1}, {"x": 2, "y": 2}]}], "c": 3}


@pytest.mark.parametrize(
    ("pattern", "passes"),
    [
        pytest.param({"items": {"a": [2], "b": [2]}}, True, id="one element"),
        pytest.param({"items": {"a": [1], "b": [2]}}, False, id="two elements"),
        pytest.param({"items": {"a": [1]}, "c": [3]}, True, id="element and a key outside"),
        pytest.param({"items": {"a": [2], "d": {"x": [2], "y": [2]}}}, True, id="in both arrays"),
        pytest.param({"items": {"d": {"x": [1], "y": [2]}}}, False, id="two inner elements"),
        pytest.param({"items": {"a": [1], "d": {"x": [1]}}}, False, id="inner of another element"),
        pytest.param({"items": {"a": [1], "d": [{"exists": False}]}}, True, id="absent there"),
        pytest.param(
            {"items": {"a": [1], "d": {"y": [{"exists": False}]}}}, True, id="absent in the chosen"
        ),
        pytest.param(
            {"items": {"a": [2], "d": {"y": [{"exists": False}]}}}, False, id="not in the chosen"
        ),
        pytest.param(
            {"items": {"d": {"x": [1], "y": [{"exists": False}]}}}, True, id="absent beside"
        ),
        pytest.param(
            {"items": {"d": {"x": [2], "y": [{"exists": False}]}}}, False, id="not absent beside"
        ),
        pytest.param(
            {"items": {"a": [{"exists": False}], "b": [1]}}, False, id="absence is asked by name"
        ),
    ],
)
def test_conditions_meet_in_one_element_of_an_array(pattern: Any, passes: bool):
    assert matches(pattern, LIST) is passes


def test_arrays_beside_each_other_are_independent():
    document = {f"k{n}": [{"a": i} for i in range(30)] for n in range(12)}
    asked: dict[str, Any] = {f"k{n}": {"a": [29]} for n in range(12)}
    assert matches(asked, document)
    asked["z"] = ["nowhere"]
    assert not matches(asked, document)


@pytest.mark.parametrize(
    ("pattern", "document", "passes"),
    [
        pytest.param({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, True, id="either"),
        pytest.param({"$or": [{"a": [1]}, {"b": [2]}]}, {"a": 2, "b": 1}, False, id="neither"),
        pytest.param({"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, False, id="and a key"),
        pytest.param({"x": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"x": {"b": 2}}, True, id="inside"),
        pytest.param(
            {"$or": [{"a": [1]}, {"b": [2]}], "x": {"$or": [{"c": [1]}, {"d": [2]}]}},
            {"a": 1, "x": {"d": 2}}, True, id="two of them",
        ),
        pytest.param(
            {"$or": [{"a": [1]}, {"$or": [{"b": [2]}, {"c": [3]}]}]}, {"c": 3}, True, id="nested"
        ),
        pytest.param(
            {"$or": [{"a": [1]}, {"b": [2]}], "a": [5]}, {"a": 5}, True, id="the last one wins"
        ),
        pytest.param(
            {"a": [5], "$or": [{"a": [1]}, {"b": [2]}]}, {"a": 5}, False, id="not the first"
        ),
        pytest.param({"$or": [{"a": {"prefix": 1}}], "x": [1]}, None, None, id="refused"),
    ],
)  # fmt: skip
def test_alternatives_of_fields(pattern: Any, document: Any, passes: bool | None):
    if passes is None:
        with pytest.raises(Exception, match="two objects"):
            compiled(pattern)
        return
    assert matches(pattern, document) is passes


def test_a_pattern_may_be_given_as_what_json_decodes_to():
    pattern = compile_pattern({"a": ["ä"]})
    assert pattern.matches({"a": "ä"})
    assert pattern.text == '{"a": ["ä"]}'
    assert repr(pattern) == 'Pattern(text=\'{"a": ["ä"]}\')'


def test_numbers_of_a_pattern_keep_their_text():
    exact = compile_pattern('{"a": [0.10000000000000000001, 1e400, 12]}')
    assert [rule.value for rule in exact.branches[0].conditions[0].rules] == [  # type: ignore[union-attr]
        Digits("0.10000000000000000001"),
        Digits("1e400"),
        12,
    ]
    assert not exact.matches({"a": 0.1})


def test_a_document_may_be_as_deep_as_json_can_be_read():
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    assert compile_pattern({"a": [1]}).matches({"a": deep})


@pytest.mark.parametrize("words", [20, 21, 600])
def test_a_pattern_may_be_as_deep_as_its_length_allows(words: int):
    """In a time that does not grow with all the ways to put dots into the keys of a document."""
    found = _nested(words, [1])
    dotted = {".".join("a" * words): 1}
    for pattern in (found, {".".join("a" * words): [1]}):
        assert matches(pattern, _nested(words, 1))
        assert matches(pattern, dotted)
        assert matches(pattern, {"a.a": _nested(words - 2, 1)})
        assert not matches(pattern, _nested(words + 1, 1))
        assert not matches(pattern, {"a": dotted})


def _nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = {"a": value}
    return value


def test_when_all_pass_the_records_are_the_same_object():
    records = [1, 2, 3]
    assert divide(records, [True] * 3)[0] is records
    assert divide(records, [True, False, True]) == ([1, 3], [2])
    assert divide(records, [False] * 3) == ([], records)
