"""AWS's framework constraints on single members: how they are checked and how AWS words them.

AWS checks them before it looks at the request as a whole and names every violation at once:
"2 validation errors detected: Value '0' at 'batchSize' failed to satisfy constraint: Member must
have value greater than or equal to 1; …" (the enum form and "not be null" are recorded on AWS).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import ErrorDetails, PydanticCustomError

from esm.instants import to_ms

_NOT_NULL = "Member must not be null"

_YEAR_1 = -62_135_596_800  # epoch seconds of the first instant that has a date

# By pydantic's name for the error.
_WORDS = {
    "missing": _NOT_NULL,
    "greater_than_equal": "Member must have value greater than or equal to {ge}",
    "less_than_equal": "Member must have value less than or equal to {le}",
    "string_too_short": "Member must have length greater than or equal to {min_length}",
    "string_too_long": "Member must have length less than or equal to {max_length}",
    "too_short": "Member must have length greater than or equal to {min_length}",
    "too_long": "Member must have length less than or equal to {max_length}",
    "pattern": "Member must satisfy regular expression pattern: {pattern}",
    "enum": "Member must satisfy enum value set: [{values}]",
    "map": "{constraint}",
}
_NOUNS = {
    "bool_type": "true or false",
    "dict_type": "a map of text to text",
    "int_type": "an integer",
    "model_type": "an object",
    "string_type": "text",
    "string_unicode": "text in UTF-8",
    "timestamp_type": "epoch seconds or a datetime with a time zone",
    "tuple_type": "a list",
}


Path = tuple[str | int, ...]
"""The way to a member: AWS's name of the property, then of its parts, numbers in lists from 0."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A member whose value AWS's framework refuses; `kind` is pydantic's name for the error."""

    path: Path
    kind: str
    text: str

    @property
    def property_name(self) -> str:
        """The property that the member is a part of."""
        return str(self.path[0])


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value of the wrong type (`expected` says which) or, when None, a member nobody knows."""

    path: Path
    value: object
    expected: str | None

    @property
    def property_name(self) -> str:
        """The property that the member is a part of."""
        return str(self.path[0])


def sort_errors(
    errors: Sequence[ErrorDetails], given: Mapping[str, object]
) -> tuple[list[Misfit], list[Violation]]:
    """What pydantic found, as what cannot be read at all and what violates a constraint."""
    misfits = [_misfit(error) for error in errors if error["type"] not in _WORDS]
    violations = [_violation(error, given) for error in errors if error["type"] in _WORDS]
    unique: dict[str, Violation] = {}
    for violation in violations:
        unique.setdefault(violation.text, violation)
    return misfits, list(unique.values())


def detected(violations: Sequence[Violation]) -> str:
    """AWS's sentence for all of them."""
    noun = "error" if len(violations) == 1 else "errors"
    texts = "; ".join(violation.text for violation in violations)
    return f"{len(violations)} validation {noun} detected: {texts}"


def member_name(name: str) -> str:
    """`BatchSize` -> `batchSize`, as AWS's error texts have it; the keys of maps stay."""
    return name if "_" in name else name[:1].lower() + name[1:]


def matches(pattern: str) -> AfterValidator:
    """The whole text must match."""
    whole = re.compile(pattern)

    def check(text: str) -> str:
        if whole.fullmatch(text) is None:
            raise PydanticCustomError("pattern", "pattern", {"pattern": pattern})
        return text

    return AfterValidator(check)


def one_of(enum: type[StrEnum]) -> BeforeValidator:
    """The text of one of the members, in the order that AWS prints them."""

    def check(value: object) -> StrEnum:
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "text")
        try:
            return enum(value)
        except ValueError:
            raise PydanticCustomError("enum", "enum", {"values": ", ".join(enum)}) from None

    return BeforeValidator(check)


def bare_name_length(limit: int) -> AfterValidator:
    """A function's name on its own may be shorter than an ARN."""

    def check(name: str) -> str:
        if ":" not in name and len(name) > limit:
            raise PydanticCustomError("string_too_long", "length", {"max_length": limit})
        return name

    return AfterValidator(check)


def map_lengths(key: tuple[int, int], value: int) -> AfterValidator:
    """Shortest and longest key, longest value."""
    longest = "Member must have length less than or equal to {}"
    shortest = "Member must have length greater than or equal to {}"

    def check(entries: dict[str, str]) -> dict[str, str]:
        if any(not key[0] <= len(name) <= key[1] for name in entries):
            rule = f"Map keys must satisfy constraint: [{longest}, {shortest}]"
            _refuse_map(rule.format(key[1], key[0]))
        if any(len(text) > value for text in entries.values()):
            _refuse_map(f"Map value must satisfy constraint: [{longest}]".format(value))
        return entries

    return AfterValidator(check)


def _refuse_map(constraint: str) -> None:
    raise PydanticCustomError("map", "map", {"constraint": constraint})


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _as_epoch_seconds(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return to_ms(value) / 1000
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("timestamp_type", "timestamp")
    if _YEAR_1 <= value < math.inf:
        return value
    raise PydanticCustomError("timestamp_type", "timestamp")


FROM_LIST = BeforeValidator(_as_tuple)
"""JSON's list, kept as a tuple."""

EPOCH_SECONDS = BeforeValidator(_as_epoch_seconds)
"""Epoch seconds, or an aware datetime as boto3 takes it."""


def _misfit(error: ErrorDetails) -> Misfit:
    expected = None if error["type"] == "extra_forbidden" else _NOUNS[error["type"]]
    return Misfit(error["loc"], error["input"], expected)


def shown_path(path: Path) -> str:
    """`FilterCriteria.Filters[0].Pattern`."""
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return parts.removeprefix(".")


def _violation(error: ErrorDetails, given: Mapping[str, object]) -> Violation:
    constraint = _WORDS[error["type"]].format(**error.get("ctx", {}))
    value: object = None if error["type"] == "missing" else error["input"]
    path = list(error["loc"])
    if isinstance(path[-1], int):
        # One bad value in a list: the list is refused (the form is recorded for other members).
        path.pop()
        value = _at(path, given)
        constraint = f"Member must satisfy constraint: [{constraint}, {_NOT_NULL}]"
    member = ".".join(
        f"{part + 1}.member" if isinstance(part, int) else member_name(part) for part in path
    )
    text = f"Value {_shown(value)} at '{member}' failed to satisfy constraint: {constraint}"
    return Violation(error["loc"], error["type"], text)


def _at(path: Sequence[int | str], given: object) -> object:
    for part in path:
        given = given[part]  # type: ignore[index]  # pydantic has walked it
    return given


def _shown(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, list | tuple):
        return f"'[{', '.join(map(str, value))}]'"
    if isinstance(value, Mapping):
        return f"'{{{', '.join(f'{k}={v}' for k, v in value.items())}}}'"
    return f"'{value}'"
