"""The rules that a pattern has at its leaves, and the test that each of them is.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import inf, nextafter
from typing import assert_never

from esm.core.filter_values import Digits, Number, comparable

Test = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Equals:
    """The same value; numbers by what they are worth, never a number and a string."""

    value: str | Number | Digits | bool | None


@dataclass(frozen=True, slots=True)
class Prefix:
    """A string that begins so."""

    text: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Suffix:
    """A string that ends so."""

    text: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class EqualsIgnoreCase:
    """The same string in any case."""

    text: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A string of these pieces, with anything between them."""

    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cidr:
    """An IP address, as a string, in this network."""

    network: str


@dataclass(frozen=True, slots=True)
class Numeric:
    """A number in a range; None is no bound."""

    low: Number | None = None
    low_open: bool = False
    high: Number | None = None
    high_open: bool = False


TextRule = Prefix | Suffix | EqualsIgnoreCase | Wildcard


@dataclass(frozen=True, slots=True)
class AnythingBut:
    """Any leaf that is none of these, of whatever type."""

    values: tuple[str, ...] | tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class AnythingButText:
    """Any leaf that none of these rules takes, of whatever type."""

    rules: tuple[TextRule, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    """Any leaf at all, or none."""

    present: bool


Rule = (
    Equals | Prefix | Suffix | EqualsIgnoreCase | Wildcard | Cidr | Numeric
    | AnythingBut | AnythingButText | Exists
)  # fmt: skip


def any_of(rules: Sequence[Rule]) -> Test:
    """Whether a leaf satisfies one of the rules."""
    texts = frozenset(
        rule.value for rule in rules if isinstance(rule, Equals) and isinstance(rule.value, str)
    )
    tests = [_test_of(rule) for rule in rules if not _is_text(rule)]
    if texts:
        tests.insert(0, texts.__contains__)
    if len(tests) == 1:
        return tests[0]
    return lambda leaf: any(test(leaf) for test in tests)


def address(text: str) -> IPv4Address | IPv6Address | None:
    """An IP address, or None; one of IPv4 written as IPv6 is the same address."""
    if "%" in text or ("." in text and ":" in text):
        return None
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _is_text(rule: Rule) -> bool:
    return isinstance(rule, Equals) and isinstance(rule.value, str)


def _test_of(rule: Rule) -> Test:
    match rule:
        case Equals():
            return _equals(rule)
        case Numeric():
            return _in_range(rule)
        case AnythingBut(values):
            return _anything_but(values)
        case AnythingButText(rules):
            tests = [_text_test(text) for text in rules]
            return lambda leaf: not (type(leaf) is str and any(test(leaf) for test in tests))
        case Exists(present):
            return lambda _: present
        case Cidr(network):
            return _in_network(network)
        case Prefix(prefix, ignore_case=False):
            return lambda leaf: type(leaf) is str and leaf.startswith(prefix)
        case Prefix() | Suffix() | EqualsIgnoreCase() | Wildcard():
            test = _text_test(rule)
            return lambda leaf: type(leaf) is str and test(leaf)
        case _ as never:
            assert_never(never)


def _equals(rule: Equals) -> Test:
    value = rule.value
    number = comparable(value)
    if number is not None:
        return lambda leaf: comparable(leaf) == number
    # Left are true, false and null, and numbers that only their text equals.
    kind = type(value)
    return lambda leaf: type(leaf) is kind and leaf == value


def _in_range(rule: Numeric) -> Test:
    # What may be compared is a double, so that an open bound is the next double, closed.
    low = -inf if rule.low is None else rule.low
    high = inf if rule.high is None else rule.high
    lowest = nextafter(low, inf) if rule.low_open else low
    highest = nextafter(high, -inf) if rule.high_open else high

    def test(leaf: object) -> bool:
        number = leaf if type(leaf) is float else comparable(leaf)
        return number is not None and lowest <= number <= highest

    return test


def _anything_but(values: tuple[str, ...] | tuple[Number, ...]) -> Test:
    excluded = frozenset[object](values)
    if isinstance(values[0], str):
        return lambda leaf: leaf not in excluded
    return lambda leaf: comparable(leaf) not in excluded


def _in_network(text: str) -> Test:
    network = ip_network(text, strict=False)
    return lambda leaf: type(leaf) is str and (a := address(leaf)) is not None and a in network


def _text_test(rule: TextRule) -> Callable[[str], bool]:
    match rule:
        case Prefix(text, ignore_case=False):
            return lambda leaf: leaf.startswith(text)
        case Suffix(text, ignore_case=False):
            return lambda leaf: leaf.endswith(text)
        case Prefix(text):
            return _matcher(_any_case(text))
        case Suffix(text):
            return _matcher("(?s:.*)" + _any_case(text) + r"\Z")
        case EqualsIgnoreCase(text):
            return _matcher(_any_case(text) + r"\Z")
        case Wildcard(pieces):
            return lambda leaf: _is_pieced(leaf, pieces)
        case _ as never:
            assert_never(never)


def _matcher(expression: str) -> Callable[[str], bool]:
    match = re.compile(expression).match
    return lambda leaf: match(leaf) is not None


def _any_case(text: str) -> str:
    """Each character in lower or upper case, as event-ruler has it: "ß" is "ß" or "SS"."""
    return "".join(f"(?:{re.escape(c.lower())}|{re.escape(c.upper())})" for c in text)


def _is_pieced(leaf: str, pieces: tuple[str, ...]) -> bool:
    """Whether the pieces stand in this order, the first at the start, the last at the end."""
    if len(pieces) == 1:
        return leaf == pieces[0]
    first, *middle, last = pieces
    end = len(leaf) - len(last)
    at = len(first)
    if at > end or not leaf.startswith(first) or not leaf.endswith(last):
        return False
    for piece in middle:
        found = leaf.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
