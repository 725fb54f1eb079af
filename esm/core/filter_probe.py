"""The quick way to ask a condition: straight down its path, as long as no array is there.

Without arrays no two conditions can disagree about an element, so that each can be asked alone.
Where arrays of objects or keys with dots come in, a probe answers None, and the thorough way of
`esm.core.filter_matching` has to be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from esm.core.filter_matching import Demand
from esm.core.filter_values import Digits

Probe = Callable[[object], bool | None]
"""Whether a condition holds in a document; None where it must be asked thoroughly."""

SCALARS = frozenset((str, int, float, bool, type(None), Digits))
"""The types of leaves."""

# Down a longer path the keys that take several steps at once are too many to look for.
STEPS_MAX = 20


def probe(demand: Demand, words: Sequence[str]) -> Probe:
    """A probe for what is below these keys of a document; without keys, the document itself."""
    at_end = _at_end(demand)
    if not words:
        return at_end
    if len(words) > STEPS_MAX:
        return lambda _: None
    steps = [(words[at], other_keys(words[at:])) for at in range(len(words))]
    allows_none = demand.allows_none

    def ask(value: object) -> bool | None:
        for word, others in steps:
            if type(value) is not dict:
                return None if type(value) is list else allows_none
            for other in others:
                if other in value:
                    return None
            if word not in value:
                return allows_none
            value = value[word]
        return at_end(value)

    return ask


def other_keys(words: Sequence[str]) -> tuple[str, ...]:
    """Keys with dots by which a document may take several of these steps at once."""
    return tuple(".".join(words[:end]) for end in range(2, len(words) + 1))


def _at_end(demand: Demand) -> Probe:
    accepts, allows_none = demand.accepts, demand.allows_none

    def ask(value: object) -> bool | None:
        if type(value) in SCALARS:
            return accepts(value)
        if type(value) is list:
            if any(type(element) not in SCALARS for element in value):
                return None
            return any(map(accepts, value)) or (allows_none and not value)
        return allows_none  # no leaf is here: an object, or nothing

    return ask
