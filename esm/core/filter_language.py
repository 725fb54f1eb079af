"""The filter language: from a pattern's text to its alternatives, or to what is wrong with it.

A pattern is a JSON object whose leaves are non-empty lists of values and operators. Keys are joined
by dots: `{"a": {"b": [1]}}` and `{"a.b": [1]}` ask for the same.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from esm.core.filter_operators import (
    RESERVED,
    Dialect,
    Misuse,
    nearest,
    operators,
    rule_of,
)
from esm.core.filter_rules import Equals, Rule
from esm.core.filter_values import Digits, read_json

# Of the alternatives that all "$or" of a pattern make together.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
MAXIMUM_COMBINATIONS = 1_000

Path = tuple[str | int, ...]
"""Keys and list indexes from the root of a pattern to a place in it."""


class FaultKind(StrEnum):
    """Which rule a pattern breaks."""

    FORM = "form"
    LEAF = "leaf"
    OPERATOR = "operator"


class PatternFault(Exception):
    """The first thing wrong with a pattern: the rule, where, and the whole pattern as meant.

    `meant` is None where nobody can guess.
    """

    def __init__(
        self, kind: FaultKind, message: str, path: Path = (), meant: str | None = None
    ) -> None:
        super().__init__(kind, message, path, meant)
        self.kind = kind
        self.message = message
        self.path = path
        self.meant = meant

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Condition:
    """What is asked of one path: any of its rules; `written` is their JSON."""

    name: str
    rules: tuple[Rule, ...]
    written: str


Alternative = Mapping[str, Condition]
"""Conditions by their path's name; all of them must hold."""


def parse(pattern: str | Mapping[str, object], dialect: Dialect) -> list[Alternative]:
    """The alternatives of a pattern, of which one must hold; raises PatternFault."""
    root = _read(pattern) if isinstance(pattern, str) else pattern
    if not isinstance(root, dict | Mapping):
        raise PatternFault(FaultKind.FORM, "not a JSON object")
    if not root:
        raise PatternFault(FaultKind.FORM, "an object is empty")
    try:
        return _Parser(root, dialect).entries([{}], root, (), "", in_or=False)
    except RecursionError:
        raise PatternFault(FaultKind.FORM, "too deep") from None


def _read(text: str) -> object:
    try:
        return read_json(text)
    except ValueError:
        raise PatternFault(FaultKind.FORM, "not JSON") from None


@dataclass(frozen=True, slots=True)
class _Parser:
    """Reads one pattern top-down; faults show the pattern with one place mended."""

    root: Mapping[str, object]
    dialect: Dialect

    def entries(
        self,
        found: list[Alternative],
        entries: Mapping[str, object],
        path: Path,
        prefix: str,
        *,
        in_or: bool,
    ) -> list[Alternative]:
        """The alternatives so far, each with the conditions of an object added."""
        for key, value in entries.items():
            here, name = (*path, key), f"{prefix}{key}"
            if key == "$or":
                found = self._any_of(found, value, here, prefix)
            elif in_or and key in RESERVED:
                raise PatternFault(FaultKind.FORM, f'"{key}" is no key inside "$or"', here)
            elif isinstance(value, dict) and not self._is_operator(value):
                if not value:
                    raise PatternFault(FaultKind.FORM, f'"{key}" is an empty object', here)
                found = self.entries(found, value, here, f"{name}.", in_or=in_or)
            elif isinstance(value, list) and value:
                condition = self._condition(name, value, here)
                found = [{**alternative, name: condition} for alternative in found]
            else:
                raise self._no_list(key, value, here)
        return found

    def _any_of(
        self, found: list[Alternative], options: object, path: Path, prefix: str
    ) -> list[Alternative]:
        if (
            not isinstance(options, list)
            or len(options) < 2
            or not all(isinstance(option, dict) and option for option in options)
        ):
            raise PatternFault(FaultKind.FORM, '"$or" must be a list of two objects or more', path)
        results: list[Alternative] = []
        for number, option in enumerate(options):
            results += self.entries(found, option, (*path, number), prefix, in_or=True)
            if len(results) > MAXIMUM_COMBINATIONS:
                message = f'"$or" makes more than {MAXIMUM_COMBINATIONS:,} combinations'
                raise PatternFault(FaultKind.FORM, message, path)
        return results

    def _condition(self, name: str, values: list[object], path: Path) -> Condition:
        rules = tuple(
            self._rule(values, number, value, path) for number, value in enumerate(values)
        )
        return Condition(name, rules, _text(values))

    def _rule(self, values: list[object], number: int, value: object, path: Path) -> Rule:
        here = (*path, number)
        if isinstance(value, list):
            fixed = self._mended(path, [*values[:number], *value, *values[number + 1 :]])
            message = f'"{path[-1]}" must be a list of values, not of lists'
            raise PatternFault(FaultKind.LEAF, message, here, fixed)
        if isinstance(value, dict):
            return self._operator(value, here)
        assert isinstance(value, str | int | float | Digits | None)
        return Equals(value)

    def _operator(self, written: dict[str, object], path: Path) -> Rule:
        if len(written) != 1:
            fixed = self._mended(path, {"exists": True})
            message = "an operator is an object with one key"
            raise PatternFault(FaultKind.OPERATOR, message, path, fixed)
        [(name, argument)] = written.items()
        if name not in operators(self.dialect):
            rule: Rule | Misuse = Misuse(f'there is no operator "{name}"', argument)
            name = nearest(name, self.dialect)
        else:
            rule = rule_of(name, argument, self.dialect)
        if isinstance(rule, Misuse):
            fixed = self._mended(path, {name: rule.meant})
            raise PatternFault(FaultKind.OPERATOR, rule.message, path, fixed)
        return rule

    def _is_operator(self, entries: Mapping[str, object]) -> bool:
        """Whether an object means an operator, where a list with it belongs.

        EventBridge takes `{"numeric": [">", 0]}` for a key "numeric" with two values; no record
        of a mapping would match, so that here it is the mistake that it looks like.
        """
        if self.dialect is not Dialect.LAMBDA or len(entries) != 1:
            return False
        [(name, argument)] = entries.items()
        is_known = name in operators(self.dialect)
        return is_known and not isinstance(rule_of(name, argument, self.dialect), Misuse)

    def _no_list(self, key: str, value: object, path: Path) -> PatternFault:
        meant = value if isinstance(value, list) else [value]
        fixed = self._mended(path, meant or ["…"])
        return PatternFault(FaultKind.LEAF, f'"{key}" must be a list of values', path, fixed)

    def _mended(self, path: Path, value: object) -> str:
        """The pattern with another value at a path, as JSON."""
        return _text(_with(self.root, path, value))


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_digits)


def _digits(value: object) -> float:
    assert isinstance(value, Digits)
    return float(value.text)


def _with(node: object, path: Path, value: object) -> object:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node, Mapping):
        return {k: _with(v, rest, value) if k == step else v for k, v in node.items()}
    assert isinstance(node, list)
    return [_with(v, rest, value) if i == step else v for i, v in enumerate(node)]
