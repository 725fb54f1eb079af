"""JSON as the filter language reads it: a number that no double has keeps its own text.

EventBridge compares numbers as IEEE doubles; one that would lose digits is no number to it.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final, NoReturn

Number = int | float

_EXACT = 2**53  # every integer up to here is a double
_SAFE_LENGTH = 16  # of a decimal fraction: at most 15 digits, which every double keeps


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""Stands where a document has no such key."""


@dataclass(frozen=True, slots=True)
class Digits:
    """A number that no double has, as it is written: it equals its own text only."""

    text: str


def read_json(text: str) -> object:
    """Parse JSON, the last of equal keys; raises ValueError when it is none, or too deep."""
    try:
        return json.loads(text, parse_float=read_float, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("too deep") from None


def read_float(text: str) -> float | Digits:
    """A JSON number with a fraction or an exponent."""
    value = float(text)
    if len(text) <= _SAFE_LENGTH and "e" not in text and "E" not in text:
        return value
    return value if _is_exactly(value, text) else Digits(text)


def comparable(value: object) -> Number | None:
    """A leaf as a number that may be compared, or None."""
    kind = type(value)
    if kind is float:
        assert isinstance(value, float)
        return value
    if kind is not int:
        return None
    assert isinstance(value, int)
    return value if -_EXACT <= value <= _EXACT else _widened(value)


def _widened(value: int) -> float | None:
    try:
        double = float(value)
    except OverflowError:
        return None
    return double if Decimal(repr(double)) == value else None


def _is_exactly(value: float, text: str) -> bool:
    """Whether the shortest text of a double is the number that was written."""
    try:
        return Decimal(repr(value)) == Decimal(text)
    except ArithmeticError:  # an exponent beyond all bounds
        return False


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
