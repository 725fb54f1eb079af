"""The filters of a mapping in a template: each pattern's fault, at its place in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from esm.core.filtering import Path
from esm.errors import MappingError, Place, TemplateError
from esm.mapping.filters import paste_pattern
from esm.mapping.refusals import WRONG_TYPE
from esm.template.model import MappingResource
from esm.template.nodes import Node, descend
from esm.template.patterns import fault_of
from esm.template.reading import read_text


def filter_errors(mapping: MappingResource) -> Iterator[MappingError]:
    """What is wrong with each pattern; the outline around them is left to `esm.mapping`."""
    criteria = mapping.properties["filter_criteria"]
    filters = criteria.get("Filters") if isinstance(criteria, dict) else None
    for index, entry in enumerate(filters if isinstance(filters, list) else []):
        pattern = entry.get("Pattern") if isinstance(entry, dict) else None
        place = mapping.place_of("filter_criteria", "Filters", index, "Pattern")
        if isinstance(pattern, dict | list):
            yield _not_text(index + 1, pattern, place)
        fault = fault_of(pattern, mapping.kind) if isinstance(pattern, str) else None
        if fault is not None:
            assert isinstance(pattern, str)
            error = fault.error(index + 1, paste_pattern(fault.meant))
            error.place = _inside(place, pattern, fault.path)
            yield error


def _not_text(number: int, pattern: object, place: Place) -> MappingError:
    error = WRONG_TYPE.error(
        f"filter {number}: Pattern must be text, not a map", fix=paste_pattern(json.dumps(pattern))
    )
    error.place = place
    return error


def _inside(place: Place, pattern: str, path: Path) -> Place:
    """The place of a path in a pattern that is written on one line as it is, else the pattern's."""
    if not path or place.text is None or place.column is None:
        return place
    start = place.text.find(pattern, place.column - 1)
    if start < 0 or "\n" in pattern:
        return place
    try:
        node: Node = read_text(pattern, "pattern.json")
    except TemplateError:
        return place  # JSON takes what YAML refuses: the same key twice
    column = descend(node, path).place.column
    return place if column is None else replace(place, column=start + column)
