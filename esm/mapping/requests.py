"""CreateEventSourceMapping and UpdateEventSourceMapping: what they take, and all they refuse."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Set
from dataclasses import replace

from pydantic import ValidationError

from esm.mapping.constraints import Misfit, Violation, sort_errors
from esm.mapping.faults import Fault, FilterTerms, Request
from esm.mapping.properties import PROPERTIES, EventSourceMapping
from esm.mapping.refusals import NOT_UPDATABLE
from esm.mapping.rules import (
    faults_together,
    member_faults,
    position_faults,
    source_faults,
    type_faults,
)
from esm.mapping.sources import Source, source_of

_USUAL = FilterTerms()
_ROWS = {spelling: row for row in PROPERTIES for spelling in (row.name, row.attribute)}
_ATTRIBUTES = {row.attribute for row in PROPERTIES}
_FIRST = {"FunctionName", "EventSourceArn"}


def create(
    properties: Mapping[str, object], *, now_ms: int, filters: FilterTerms = _USUAL
) -> EventSourceMapping:
    """A valid mapping from properties named `BatchSize` or `batch_size`; None is left out.

    Raises MappingError for what AWS refuses, in AWS's order, NotEmulated for what only we do not
    do, TypeError for a name that AWS does not have.
    """
    return _validated(_request(properties, now_ms, filters))


def updated(
    mapping: EventSourceMapping,
    changes: Mapping[str, object],
    *,
    now_ms: int,
    filters: FilterTerms = _USUAL,
) -> EventSourceMapping:
    """The mapping with these properties changed; what is left out or None stays as it is."""
    request = _request(changes, now_ms, filters)
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
    given = {**kept, **request.given}
    return _validated(replace(request, given=given, source=source_of(given)))


def every_fault(
    properties: Mapping[str, object],
    *,
    now_ms: int,
    source: Source | None = None,
    unknown: Set[str] = frozenset(),
    filters: FilterTerms = _USUAL,
) -> Iterator[Fault]:
    """All that is wrong with a request to create a mapping, instead of the first.

    `source` says what kind of source is meant, where that is known; `unknown` are AWS's names of
    properties that are there and whose values nobody knows: what rests on them is not judged.
    """
    known = {name: value for name, value in properties.items() if name not in unknown}
    request = _request(known, now_ms, filters)
    request = replace(request, source=source or request.source)
    misfits, violations = _unreadable(request)
    violations = [v for v in violations if v.property_name not in unknown]
    yield from type_faults(request, misfits)
    for violation in violations:
        yield from member_faults(request, [violation])
    unsound = {*unknown, *(m.property_name for m in misfits)}
    unsound |= {violation.property_name for violation in violations}
    if request.source is not None or "EventSourceArn" not in unknown:
        for fault in (*source_faults(request), *position_faults(request)):
            if not fault.rests_on(unsound):
                unsound.add(str(fault.path[0]))
                yield fault
    yield from _faults_of_sound(request, unsound)


def _faults_of_sound(request: Request, unsound: Set[str]) -> Iterator[Fault]:
    """What is wrong with properties that are sound by themselves."""
    sound = {name: value for name, value in request.given.items() if name not in unsound}
    mapping = EventSourceMapping.model_validate({"FunctionName": "f", **sound})
    for fault in faults_together(replace(request, given=sound), mapping):
        if not fault.rests_on(unsound):
            yield fault


def _request(properties: Mapping[str, object], now_ms: int, filters: FilterTerms) -> Request:
    given: dict[str, object] = {}
    for spelling, value in properties.items():
        if spelling not in _ROWS:
            raise TypeError(_unknown(spelling))
        name = _ROWS[spelling].name
        if name in given:
            raise TypeError(f"{name} is given twice, as {_ROWS[spelling].attribute} too")
        given[name] = _without_nulls(value)
    present = {name: value for name, value in given.items() if value is not None}
    is_snake = not _ATTRIBUTES.isdisjoint(properties)
    return Request(present, is_snake, now_ms, source_of(present), filters)


def _validated(request: Request) -> EventSourceMapping:
    misfits, violations = _unreadable(request)
    for fault in _in_order(request, misfits, violations):
        raise fault.error
    mapping = EventSourceMapping.model_validate(request.given)
    for fault in faults_together(request, mapping):
        raise fault.error
    return mapping


def _in_order(
    request: Request, misfits: list[Misfit], violations: list[Violation]
) -> Iterator[Fault]:
    """Function and source first, then the starting position, then every other member."""
    yield from type_faults(request, misfits)
    if any(violation.property_name in _FIRST for violation in violations):
        yield from member_faults(request, violations)
    yield from source_faults(request)
    yield from position_faults(request)
    yield from member_faults(request, violations)


def _unreadable(request: Request) -> tuple[list[Misfit], list[Violation]]:
    try:
        EventSourceMapping.model_validate(request.given)
    except ValidationError as error:
        return sort_errors(error.errors(include_url=False), request.given)
    return [], []


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
