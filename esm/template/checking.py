"""Every rule about a template's mappings and functions, all complaints at once.

What AWS refuses in a mapping is asked of `esm.mapping`; here are the places of its answers, and
what only a template shows: mappings and streams that meet, and functions that lie beside them.
No code of the user is imported.
"""

from __future__ import annotations

from collections.abc import Iterator

from esm.errors import EsmError, MappingError, NotEmulated, Place
from esm.mapping import PROPERTIES, every_fault
from esm.mapping.kafka_rules import timeout_error
from esm.mapping.sources import Source
from esm.template.filters import filter_errors
from esm.template.fixes import relocated
from esm.template.handlers import handler_errors
from esm.template.meetings import meeting_errors
from esm.template.model import MappingResource, SourceKind, Template
from esm.template.names import name_errors

_NAMES = {row.attribute: row.name for row in PROPERTIES}
_SOURCES = {
    SourceKind.KINESIS: Source.KINESIS,
    SourceKind.DYNAMODB: Source.DYNAMODB,
    SourceKind.MSK: Source.MSK,
    SourceKind.SELF_MANAGED_KAFKA: Source.SELF_MANAGED_KAFKA,
}


def check(template: Template, *, now_ms: int) -> list[EsmError]:
    """Everything that is wrong with a template, in the order of its lines."""
    problems = [*template.problems, *name_errors(template)]
    for function in template.functions.values():
        problems += [*function.problems, *handler_errors(function)]
    for mapping in template.mappings.values():
        problems += [*mapping.problems, *_mapping_errors(mapping, template, now_ms)]
    problems += meeting_errors(template)
    # What is used twice is looked at twice.
    different = {(e.place, e.esm_code, e.message): e for e in problems}
    return sorted(different.values(), key=_order)


def _order(error: EsmError) -> tuple[str, int, int, str]:
    place = error.place or Place("")
    return place.file, place.line or 0, place.column or 0, error.esm_code


def _mapping_errors(
    mapping: MappingResource, template: Template, now_ms: int
) -> Iterator[EsmError]:
    """What is wrong with one; that its source is not emulated matters when nothing else is."""
    unknown = {_NAMES[a] for a in mapping.spots if a in _NAMES and a not in mapping.properties}
    if mapping.is_sam_event:
        unknown.add("FunctionName")  # its function's own, and judged there
    is_sound = not mapping.problems
    if "filter_criteria" in mapping.properties:
        for error in filter_errors(mapping):
            is_sound = False
            unknown.add("FilterCriteria")
            yield relocated(error, mapping, ("FilterCriteria",), template)
    for error in _function_errors(mapping, template):
        is_sound = False
        yield error
    given = {_NAMES[attribute]: value for attribute, value in mapping.properties.items()}
    source = _SOURCES.get(mapping.kind)
    for fault in every_fault(given, now_ms=now_ms, source=source, unknown=unknown):
        if not isinstance(fault.error, NotEmulated):
            is_sound = False
        elif fault.path == ("EventSourceArn",) and not is_sound:
            continue
        yield relocated(fault.error, mapping, fault.path, template)


def _function_errors(mapping: MappingResource, template: Template) -> Iterator[MappingError]:
    """What a mapping asks of its function."""
    function = template.functions.get(mapping.function_logical_id or "")
    source = _SOURCES.get(mapping.kind)
    error = None if function is None else timeout_error(source, function.timeout_seconds)
    if error is not None and function is not None:
        error.place = function.place_of("Timeout")
        yield relocated(error, mapping, ("FunctionName",), template)
