"""Numbers as the filter language compares them, and JSON as it is read."""

from __future__ import annotations

import pytest

from esm.core.filter_values import Digits, comparable, read_float, read_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("-0.0", 0.0),
        ("1e3", 1000.0),
        ("3.00E2", 300.0),
        ("123456789012.345", 123456789012.345),
        ("0.30000000000000004", 0.30000000000000004),
        ("1.0000000000000000000", 1.0),
        ("1e20", 1e20),
        ("0.10000000000000000001", Digits("0.10000000000000000001")),
        ("9007199254740993.0", Digits("9007199254740993.0")),
        ("1e400", Digits("1e400")),
        ("-1E400", Digits("-1E400")),
        ("1e-400", Digits("1e-400")),
        ("1e-99999999999999999999", Digits("1e-99999999999999999999")),
    ],
)
def test_a_fraction_that_would_lose_digits_keeps_its_text(text: str, value: object):
    assert read_float(text) == value
    assert read_json(f'{{"a": [{text}]}}') == {"a": [value]}


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (-5.5, -5.5),
        (2**53, 2**53),
        (-(2**53), -(2**53)),
        (2**53 + 1, None),
        (2**53 + 2, 2.0**53 + 2),
        (-(2**53) - 1, None),
        (10**22, 1e22),
        (10**23, 1e23),
        (2**60, None),
        (10**400, None),
        (True, None),
        (False, None),
        (None, None),
        ("5", None),
        (Digits("5.00000000000000000001"), None),
    ],
)
def test_what_may_be_compared(value: object, number: object):
    assert comparable(value) == number
    assert type(comparable(value)) is type(number)


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "[Infinity]", "[-Infinity]", "[" * 100_000, '{"a": 1} x', "\ufeff{}"]
)
def test_what_is_no_json(text: str):
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


def test_the_last_of_equal_keys_wins():
    assert read_json('{"a": 1, "a": 2}') == {"a": 2}
