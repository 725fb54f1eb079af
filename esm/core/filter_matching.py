"""Which leaves a document has at the paths of a pattern, and whether they satisfy it together.

Arrays are transparent: a condition holds if any element satisfies it. Two conditions must not be
satisfied by different elements of the same array. What is said of the order is event-ruler's:
conditions are met in the order of their names, and `{"exists": false}` looks only at the elements
that earlier conditions have chosen. https://github.com/aws/event-ruler
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from esm.core.filter_rules import Test

Places = tuple[tuple[int, int], ...]
"""The arrays around a leaf, from the outside in: (number of the array, index of the element)."""

Leaf = tuple[object, Places]
Choice = frozenset[tuple[int, int]]
"""Elements that the conditions so far were satisfied in, one for each array."""


@dataclass(slots=True)
class Step:
    """A place in the tree of all paths that a pattern names, word by word."""

    steps: dict[str, Step] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)

    def at(self, key: str) -> Step | None:
        """Where a key of a document leads to; with dots in it, it takes several steps at once."""
        step: Step | None = self
        for word in key.split("."):
            if step is not None:
                step = step.steps.get(word)
        return step


@dataclass(frozen=True, slots=True)
class Demand:
    """A condition, ready to be asked: `accepts` a leaf, `allows_none` if there is no leaf."""

    slot: int
    accepts: Test
    allows_none: bool

    def holds_for(self, leaves: Sequence[Leaf]) -> bool:
        """Whether it holds if no other condition were asked."""
        return any(self.accepts(value) for value, _ in leaves) or (self.allows_none and not leaves)

    def fails_alone(self, leaves: Sequence[Leaf]) -> bool:
        """Whether it fails whatever elements of arrays are chosen for other conditions."""
        may_choose = self.allows_none and any(places for _, places in leaves)
        return not may_choose and not self.holds_for(leaves)


def tree_of(names: Mapping[str, int]) -> Step:
    """The tree of the paths with these names."""
    root = Step()
    for name, slot in names.items():
        step = root
        for word in name.split("."):
            step = step.steps.setdefault(word, Step())
        step.slots.append(slot)
    return root


class Leaves:
    """The leaves of one document at each slot of a tree, in their order."""

    __slots__ = ("by_slot", "in_arrays")

    def __init__(self, document: object, root: Step, slots: int) -> None:
        self.by_slot: list[list[Leaf]] = [[] for _ in range(slots)]
        arrays = 0
        pending: list[tuple[object, Step, Places]] = [(document, root, ())]
        while pending:  # no recursion: documents may nearly be as deep as the stack
            value, step, places = pending.pop()
            if isinstance(value, dict):
                steps = step.steps
                pending += [
                    (inside, after, places)
                    for key, inside in value.items()
                    if (after := step.at(key) if "." in key else steps.get(key)) is not None
                ]
            elif isinstance(value, list):
                pending += _elements(value, step, places, arrays)
                arrays += 1
            else:
                for slot in step.slots:
                    self.by_slot[slot].append((value, places))
        self.in_arrays = arrays > 0


def _elements(
    values: list[object], step: Step, places: Places, array: int
) -> Iterable[tuple[object, Step, Places]]:
    """What is in an array, last first; a plain value shares it with no other path."""
    for index in range(len(values) - 1, -1, -1):
        value = values[index]
        is_nested = isinstance(value, dict | list)
        yield value, step, (*places, (array, index)) if is_nested else places


def first_failing(demands: Sequence[Demand], leaves: Leaves) -> int | None:
    """The index of the first demand that cannot hold with those before it, or None."""
    if not leaves.in_arrays:
        for index, demand in enumerate(demands):
            if not demand.holds_for(leaves.by_slot[demand.slot]):
                return index
        return None
    return _first_inconsistent(demands, leaves)


def _first_inconsistent(demands: Sequence[Demand], leaves: Leaves) -> int | None:
    arrays = [_arrays_in(leaves.by_slot[demand.slot]) for demand in demands]
    choices: set[Choice] = {frozenset()}
    for index, demand in enumerate(demands):
        later = frozenset[int]().union(*arrays[index + 1 :])
        choices = {
            frozenset(place for place in choice if place[0] in later)
            for choice in _choices(demand, leaves.by_slot[demand.slot], choices)
        }
        if not choices:
            return index
    return None


def _arrays_in(leaves: Iterable[Leaf]) -> frozenset[int]:
    return frozenset(array for _, places in leaves for array, _ in places)


def _choices(demand: Demand, leaves: Sequence[Leaf], choices: Iterable[Choice]) -> Iterable[Choice]:
    """Every way to go on from what was chosen, so that the demand holds."""
    judged = [(places, demand.accepts(value)) for value, places in leaves]
    for choice in choices:
        chosen = dict(choice)
        reachable = [
            (places, accepted) for places, accepted in judged if _is_consistent(chosen, places)
        ]
        if demand.allows_none and not reachable:
            yield choice
        for places, accepted in reachable:
            if accepted:
                yield choice.union(places)


def _is_consistent(chosen: Mapping[int, int], places: Places) -> bool:
    return all(chosen.get(array, index) == index for array, index in places)
