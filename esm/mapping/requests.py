"""Create and update a mapping, as CreateEventSourceMapping and UpdateEventSourceMapping do."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from pydantic import ValidationError

from esm.mapping.constraints import sort_errors
from esm.mapping.properties import PROPERTIES, EventSourceMapping
from esm.mapping.refusals import NOT_UPDATABLE
from esm.mapping.rules import Request, check_members, check_together, check_types

_ROWS = {spelling: row for row in PROPERTIES for spelling in (row.name, row.attribute)}
_ATTRIBUTES = {row.attribute for row in PROPERTIES}


def create(properties: Mapping[str, object], *, now_ms: int) -> EventSourceMapping:
    """A valid mapping from properties named `BatchSize` or `batch_size`; None is left out.

    Raises MappingError for what AWS refuses, in AWS's order, NotEmulated for what only we do not
    do, TypeError for a name that AWS does not have.
    """
    return _validated(_request(properties, now_ms))


def updated(
    mapping: EventSourceMapping, changes: Mapping[str, object], *, now_ms: int
) -> EventSourceMapping:
    """The mapping with these properties changed; what is left out or None stays as it is."""
    request = _request(changes, now_ms)
    for row in PROPERTIES:
        if row.name in request.given and not row.about.updatable:
            raise NOT_UPDATABLE.error(
                f"{row.name} cannot be changed", fix=f"{request.without(row.name)}, or create anew"
            )
    kept = {
        row.name: getattr(mapping, row.attribute)
        for row in PROPERTIES
        if row.attribute in mapping.model_fields_set
    }
    return _validated(Request({**kept, **request.given}, request.snake_case, now_ms))


def _request(properties: Mapping[str, object], now_ms: int) -> Request:
    given: dict[str, object] = {}
    for spelling, value in properties.items():
        if spelling not in _ROWS:
            raise TypeError(_unknown(spelling))
        name = _ROWS[spelling].name
        if name in given:
            raise TypeError(f"{name} is given twice, as {_ROWS[spelling].attribute} too")
        given[name] = _without_nulls(value)
    present = {name: value for name, value in given.items() if value is not None}
    return Request(present, not _ATTRIBUTES.isdisjoint(properties), now_ms)


def _validated(request: Request) -> EventSourceMapping:
    try:
        mapping = EventSourceMapping.model_validate(request.given)
    except ValidationError as error:
        misfits, violations = sort_errors(error.errors(include_url=False), request.given)
        check_types(request, misfits)
        check_members(request, violations)
        raise AssertionError("a violation that no rule refuses") from error
    check_members(request, [])
    check_together(request, mapping)
    return mapping


def _without_nulls(value: object) -> object:
    """JSON's null counts as left out (recorded)."""
    if isinstance(value, dict):
        return {name: _without_nulls(v) for name, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value


def _unknown(spelling: str) -> str:
    style = "name" if spelling[:1].isupper() else "attribute"
    names = [getattr(row, style) for row in PROPERTIES]
    nearest = difflib.get_close_matches(spelling, names, n=1, cutoff=0.0)[0]
    return f"unknown property {spelling!r}: did you mean {nearest!r}?"
