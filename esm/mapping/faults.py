"""A request for a mapping, and what is wrong with it: the complaint, and the member it is about."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from esm.errors import MappingError
from esm.mapping.constraints import Path
from esm.mapping.kafka import EXAMPLES
from esm.mapping.properties import PROPERTIES
from esm.mapping.sources import Source

_BY_NAME = {row.name: row for row in PROPERTIES}


@dataclass(frozen=True, slots=True)
class FilterTerms:
    """What AWS's quota says of filters, 5 or up to 10, and what is our choice."""

    maximum: int = 5
    reject_plain_data: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, by AWS's names, and how they spell names.

    `source` is None where neither the request nor its reader knows.
    """

    given: Mapping[str, object]
    snake_case: bool
    now_ms: int
    source: Source | None
    filters: FilterTerms

    def paste(self, name: str, value: object = None) -> str:
        """A property in the user's own spelling, by default with a value that AWS takes."""
        row = _BY_NAME[name]
        value = row.about.example if value is None else value
        if self.snake_case:
            return f"{row.attribute}={value!r}"
        return f"{name}: {json.dumps(value, ensure_ascii=False)}"

    def paste_part(self, path: Path) -> str:
        """As `paste`, for the innermost part of a property that has an example of its own."""
        names = [part for part in path[1:] if part in EXAMPLES]
        if not names:
            return self.paste(str(path[0]))
        return f"{names[-1]}: {json.dumps(EXAMPLES[str(names[-1])])}"

    def without(self, name: str) -> str:
        """How to take a property out again."""
        return f"remove {_BY_NAME[name].attribute if self.snake_case else name}"


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a request breaks; `others` are the properties that the rule looked at, too."""

    error: MappingError
    path: Path
    others: tuple[str, ...] = ()

    def rests_on(self, names: Collection[str]) -> bool:
        """Whether it depends on any of these properties."""
        return any(str(name) in names for name in (self.path[0], *self.others))
