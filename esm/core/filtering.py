"""FilterCriteria's patterns: compiled once, asked for every record, and able to say what decided.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from esm.core.filter_language import (
    Condition,
    FaultKind,
    Path,
    PatternFault,
    parse,
)
from esm.core.filter_matching import Demand, Leaf, Leaves, Step, first_failing, tree_of
from esm.core.filter_operators import Dialect
from esm.core.filter_probe import STEPS_MAX, Probe, other_keys, probe
from esm.core.filter_rules import Exists, Test, any_of
from esm.core.filter_values import Digits

__all__ = [
    "Branch",
    "Dialect",
    "Explanation",
    "FaultKind",
    "Part",
    "Path",
    "Pattern",
    "PatternFault",
    "compile_pattern",
    "divide",
    "is_within",
]

R = TypeVar("R")

_SHOWN = 60  # characters of a value that an explanation repeats


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a pattern matches; if not, the condition that failed and what was found there.

    `reason` is for people; `found` are the leaves at the path.
    """

    matches: bool
    path: str = ""
    rule: str = ""
    found: tuple[object, ...] = ()
    reason: str = "every condition holds"

    def __str__(self) -> str:
        return self.reason


class Part(NamedTuple):
    """A condition about one key of an object; `others` are keys that could stand for it, too.

    `accepts` is a shorter way to ask it of a plain value; None where the value must be an object.
    """

    key: str
    ask: Probe
    accepts: Test | None
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """One alternative of a pattern: conditions that must hold together; with none it matches.

    Everything is in the order of the pattern, `by_name` alone in that of the conditions' names.
    """

    conditions: tuple[Condition, ...]
    demands: tuple[Demand, ...] = field(repr=False, compare=False)
    by_name: tuple[Demand, ...] = field(repr=False, compare=False)
    probes: tuple[Probe, ...] = field(repr=False, compare=False)
    tree: Step = field(repr=False, compare=False)

    def only(self, wanted: Callable[[str], bool]) -> Branch:
        """This alternative without the conditions whose path's name is not wanted."""
        return _branch([condition for condition in self.conditions if wanted(condition.name)])

    def names(self, key: str) -> bool:
        """Whether any condition is about a key of the document or something below it."""
        return any(is_within(condition.name, key) for condition in self.conditions)

    def parts(self, root: str) -> list[Part] | None:
        """The conditions, each asked of one key of the object under `root`; None if not all can be.

        Right as long as no probe answers None and the object has none of the other keys.
        """
        found = []
        for demand in self.demands:
            first, *words = self.conditions[demand.slot].name.split(".")
            if first != root or not words or len(words) > STEPS_MAX:
                return None
            accepts = demand.accepts if len(words) == 1 else None
            ask = probe(demand, words[1:])
            found.append(Part(words[0], ask, accepts, other_keys(words)))
        return found

    def matches(self, document: object) -> bool:
        """Whether a document, as JSON decodes, satisfies all conditions."""
        for ask in self.probes:
            holds = ask(document)
            if holds is None:
                return self._matches_thoroughly(document)
            if not holds:
                return False
        return True

    def _matches_thoroughly(self, document: object) -> bool:
        leaves = Leaves(document, self.tree, len(self.demands))
        return first_failing(self.by_name, leaves) is None

    def explain(self, document: object) -> tuple[int, Explanation]:
        """How many conditions hold before the first that fails, and why that one does."""
        leaves = Leaves(document, self.tree, len(self.demands))
        index = first_failing(self.by_name, leaves)
        if index is None:
            return len(self.demands), Explanation(matches=True)
        for demand in self.demands:
            found = leaves.by_slot[demand.slot]
            if demand.fails_alone(found):
                return demand.slot, _failure(self.conditions[demand.slot], found)
        slot = self.by_name[index].slot
        return index, _no_one_element(self.conditions[slot], leaves.by_slot[slot])


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; `text` is how it was written."""

    text: str
    branches: tuple[Branch, ...] = field(repr=False)

    def matches(self, document: object) -> bool:
        """Whether a document, as JSON decodes, passes."""
        return any(branch.matches(document) for branch in self.branches)

    def explain(self, document: object) -> Explanation:
        """What decided: of several alternatives, the one that came furthest."""
        told = [branch.explain(document) for branch in self.branches]
        return max(told, key=lambda each: (each[1].matches, each[0]))[1]


def compile_pattern(
    pattern: str | Mapping[str, object], *, dialect: Dialect = Dialect.LAMBDA
) -> Pattern:
    """Compile a pattern, given as JSON or as what JSON decodes to; raises PatternFault."""
    alternatives = parse(pattern, dialect)
    text = pattern if isinstance(pattern, str) else json.dumps(pattern, ensure_ascii=False)
    return Pattern(text, tuple(_branch([*alternative.values()]) for alternative in alternatives))


def is_within(name: str, key: str) -> bool:
    """Whether a path's name is a key of the document, or below it."""
    return name == key or name.startswith(f"{key}.")


def divide(records: Sequence[R], verdicts: Iterable[bool]) -> tuple[Sequence[R], Sequence[R]]:
    """The records that pass and the others, in order; all of them as they came when all pass."""
    passing: list[R] = []
    others: list[R] = []
    for record, verdict in zip(records, verdicts, strict=True):
        (passing if verdict else others).append(record)
    return (passing, others) if others else (records, ())


def _branch(conditions: Sequence[Condition]) -> Branch:
    names = {condition.name: slot for slot, condition in enumerate(conditions)}
    demands = [_demand(condition, slot) for slot, condition in enumerate(conditions)]
    return Branch(
        conditions=tuple(conditions),
        demands=tuple(demands),
        by_name=tuple(sorted(demands, key=lambda demand: conditions[demand.slot].name)),
        probes=tuple(probe(d, conditions[d.slot].name.split(".")) for d in demands),
        tree=tree_of(names),
    )


def _demand(condition: Condition, slot: int) -> Demand:
    allows_none = Exists(present=False) in condition.rules
    return Demand(slot, any_of(condition.rules), allows_none)


def _failure(condition: Condition, found: Sequence[Leaf]) -> Explanation:
    values = tuple(value for value, _ in found)
    what = ", ".join(map(_shown, values)) if values else "absent"
    reason = f"{condition.name} is {what}, not {_cut(condition.written)}"
    return Explanation(
        matches=False, path=condition.name, rule=condition.written, found=values, reason=reason
    )


def _no_one_element(condition: Condition, found: Sequence[Leaf]) -> Explanation:
    values = tuple(value for value, _ in found)
    reason = (
        f"{condition.name} is {_cut(condition.written)} in no array element that satisfies"
        " the other conditions too"
    )
    return Explanation(
        matches=False, path=condition.name, rule=condition.written, found=values, reason=reason
    )


def _shown(value: object) -> str:
    text = value.text if isinstance(value, Digits) else json.dumps(value, ensure_ascii=False)
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
