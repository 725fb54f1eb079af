"""The operators of the filter language: which dialect has them, and what each may be given.

What is refused, and in which order, is what AWS's open-source compiler of patterns refuses.
https://github.com/aws/event-ruler
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network

from esm.core.filter_rules import (
    AnythingBut,
    AnythingButText,
    Cidr,
    EqualsIgnoreCase,
    Exists,
    Numeric,
    Prefix,
    Rule,
    Suffix,
    TextRule,
    Wildcard,
    address,
)
from esm.core.filter_values import Number, comparable


class Dialect(StrEnum):
    """Where a pattern is used: Lambda's mappings have fewer operators than EventBridge's rules."""

    LAMBDA = "lambda"
    EVENTBRIDGE = "eventbridge"


@dataclass(frozen=True, slots=True)
class Misuse:
    """Why an operator cannot have a value; `meant` is one that it can have."""

    message: str
    meant: object


LAMBDA_OPERATORS = frozenset(
    ("anything-but", "equals-ignore-case", "exists", "numeric", "prefix", "suffix")
)
EVENTBRIDGE_OPERATORS = LAMBDA_OPERATORS | {"cidr", "wildcard"}
COMPARISONS = frozenset(("=", "<", "<=", ">", ">="))

# Names that no key inside "$or" may have: operators, now and perhaps in future.
RESERVED = (
    EVENTBRIDGE_OPERATORS
    | COMPARISONS
    | {"exactly", "regex", "not-wildcard", "not-equals-ignore-case"}
    | {"date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"}
    | {"ip-address-in-range", "ip-address-not-in-range"}
)


def operators(dialect: Dialect) -> frozenset[str]:
    """The operators that a dialect has."""
    return LAMBDA_OPERATORS if dialect is Dialect.LAMBDA else EVENTBRIDGE_OPERATORS


def nearest(name: str, dialect: Dialect) -> str:
    """The operator that was probably meant."""
    known = sorted(operators(dialect))
    [close, *_] = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0) or ["prefix"]
    return close


def rule_of(name: str, argument: object, dialect: Dialect) -> Rule | Misuse:
    """The rule that an operator of the dialect makes of its value."""
    if name == "anything-but" and isinstance(argument, dict):
        if dialect is Dialect.LAMBDA:
            return Misuse('"anything-but" cannot have an operator in it here', ["x"])
        return _anything_but_text(argument)
    return _RULES[name](argument)


def _exists(argument: object) -> Rule | Misuse:
    if not isinstance(argument, bool):
        return Misuse('"exists" must be true or false', meant=True)
    return Exists(argument)


def _prefix(argument: object) -> Rule | Misuse:
    text = _text_or_any_case(argument)
    if text is None:
        return Misuse('"prefix" must be a string', "x")
    return Prefix(text, ignore_case=isinstance(argument, dict))


def _suffix(argument: object) -> Rule | Misuse:
    text = _text_or_any_case(argument)
    if text is None:
        return Misuse('"suffix" must be a string', "x")
    return Suffix(text, ignore_case=isinstance(argument, dict))


def _text_or_any_case(argument: object) -> str | None:
    """`"x"`, or `{"equals-ignore-case": "x"}`."""
    if isinstance(argument, dict) and argument.keys() == {"equals-ignore-case"}:
        argument = argument["equals-ignore-case"]
    return argument if isinstance(argument, str) else None


def _equals_ignore_case(argument: object) -> Rule | Misuse:
    if not isinstance(argument, str):
        return Misuse('"equals-ignore-case" must be a string', "x")
    return EqualsIgnoreCase(argument)


def _wildcard(argument: object) -> Rule | Misuse:
    pieces = _pieces(argument) if isinstance(argument, str) else None
    if pieces is None:
        return Misuse('"wildcard" must be a string without ** and stray backslashes', "x*")
    return Wildcard(pieces)


def _pieces(text: str) -> tuple[str, ...] | None:
    r"""What stands between the asterisks; `\*` and `\\` are characters like any other."""
    pieces, escaped, was_star = [""], False, False
    for character in text:
        if escaped:
            if character not in "*\\":
                return None
            pieces[-1] += character
        elif character == "*":
            if was_star:
                return None
            pieces.append("")
        elif character != "\\":
            pieces[-1] += character
        was_star = character == "*" and not escaped
        escaped = character == "\\" and not escaped
    return None if escaped else tuple(pieces)


def _cidr(argument: object) -> Rule | Misuse:
    network = _network(argument) if isinstance(argument, str) else None
    if network is None:
        return Misuse('"cidr" must be an address, a slash and fewer bits than it has', "10.0.0.0/8")
    return Cidr(network)


def _network(text: str) -> str | None:
    host, slash, bits = text.partition("/")
    found = address(host)
    if found is None or not slash or not (bits.isascii() and bits.isdigit()):
        return None
    if int(bits) >= found.max_prefixlen:
        return None
    return str(ip_network(f"{found}/{bits}", strict=False))


def _numeric(argument: object) -> Rule | Misuse:
    terms = argument if isinstance(argument, list) else []
    comparisons = [term if isinstance(term, str) else "" for term in terms[::2]]
    numbers = [n for n in map(comparable, terms[1::2]) if n is not None]
    if len(terms) not in (2, 4) or len(numbers) * 2 != len(terms):
        return Misuse('"numeric" must be a list of a comparison and a number, or two of each', _ANY)
    match comparisons:
        case ["="]:
            return Numeric(low=numbers[0], high=numbers[0])
        case [">" | ">=" as lower]:
            return Numeric(low=numbers[0], low_open=lower == ">")
        case ["<" | "<=" as upper]:
            return Numeric(high=numbers[0], high_open=upper == "<")
        case [">" | ">=" as lower, "<" | "<=" as upper]:
            return _between(numbers, lower, upper)
    return Misuse('"numeric" takes =, <, <=, > or >=, and a range from its lower bound up', _ANY)


def _between(numbers: Sequence[Number], lower: str, upper: str) -> Rule | Misuse:
    low, high = numbers
    if low >= high:
        return Misuse('"numeric" must have its lower bound below the upper one', [">", 0, "<", 5])
    return Numeric(low, lower == ">", high, upper == "<")


_ANY = [">", 0]


def _anything_but(argument: object) -> Rule | Misuse:
    values = argument if isinstance(argument, list) else [argument]
    texts = tuple(value for value in values if isinstance(value, str))
    numbers = tuple(number for number in map(comparable, values) if number is not None)
    if values and len(texts) == len(values):
        return AnythingBut(texts)
    if values and len(numbers) == len(values):
        return AnythingBut(numbers)
    return Misuse('"anything-but" must be strings or numbers, not both', ["x"])


def _anything_but_text(argument: dict[str, object]) -> Rule | Misuse:
    [name, *others] = argument or [""]
    make = _TEXT_RULES.get(name)
    if make is None or others:
        return Misuse(f'"anything-but" cannot have "{name}" in it', {"prefix": "x"})
    values = argument[name]
    rules = [make(value) for value in (values if isinstance(values, list) else [values])]
    texts = tuple(rule for rule in rules if rule is not None)
    if not texts or len(texts) != len(rules):
        return Misuse(f'"{name}" in "anything-but" cannot have this value', {name: "x"})
    return AnythingButText(texts)


def _some(value: object) -> str | None:
    """A string that is not empty: every string begins and ends with the empty one."""
    return value if isinstance(value, str) and value else None


def _prefix_inside(value: object) -> TextRule | None:
    text = _some(value)
    return None if text is None else Prefix(text)


def _suffix_inside(value: object) -> TextRule | None:
    text = _some(value)
    return None if text is None else Suffix(text)


def _equals_ignore_case_inside(value: object) -> TextRule | None:
    return EqualsIgnoreCase(value) if isinstance(value, str) else None


def _wildcard_inside(value: object) -> TextRule | None:
    pieces = _pieces(value) if isinstance(value, str) else None
    return None if pieces is None else Wildcard(pieces)


_RULES: Mapping[str, Callable[[object], Rule | Misuse]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "exists": _exists,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
_TEXT_RULES: Mapping[str, Callable[[object], TextRule | None]] = {
    "equals-ignore-case": _equals_ignore_case_inside,
    "prefix": _prefix_inside,
    "suffix": _suffix_inside,
    "wildcard": _wildcard_inside,
}
