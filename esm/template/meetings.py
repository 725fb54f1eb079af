"""Mappings of one template that AWS does not let be side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from esm.errors import MappingError
from esm.mapping import PROPERTIES
from esm.mapping.duplicates import Reading, conflict, reading_of
from esm.mapping.kafka_rules import DEFAULT_POLLERS, MAXIMUM_POLLERS, group_error
from esm.template.model import MappingResource, Template

_NAMES = {row.attribute: row.name for row in PROPERTIES}


def meeting_errors(template: Template) -> Iterator[MappingError]:
    """What is wrong with a mapping because of those above it, at its own place."""
    mappings = sorted(template.mappings.values(), key=lambda mapping: mapping.place.line or 0)
    yield from _duplicates(mappings, template)
    yield from _crowded_groups(mappings)


def _duplicates(mappings: Sequence[MappingResource], template: Template) -> Iterator[MappingError]:
    """The same source for the same function."""
    earlier: dict[str, list[tuple[MappingResource, Reading]]] = {}
    for mapping in mappings:
        reading = _reading(mapping, template)
        same_function = earlier.setdefault(reading.function_name, [])
        # The UUID of a mapping is what `Ref` gives, so only the deployment has it.
        answers = (conflict(reading, r, uuid=f"${{{m.name}}}") for m, r in same_function)
        error = next(filter(None, answers), None)
        if error is not None:
            error.place = mapping.place
            yield error
        same_function.append((mapping, reading))


def _crowded_groups(mappings: Sequence[MappingResource]) -> Iterator[MappingError]:
    """More pollers than a group may have; those that every mapping of it may have are added up."""
    groups: dict[str, int] = defaultdict(int)
    for mapping in mappings:
        config = mapping.properties.get("provisioned_poller_config")
        name = config.get("PollerGroupName") if isinstance(config, dict) else None
        pollers = config.get("MaximumPollers", DEFAULT_POLLERS) if isinstance(config, dict) else 0
        if not isinstance(name, str) or not isinstance(pollers, int):
            continue
        groups[name] += pollers
        if groups[name] > MAXIMUM_POLLERS >= pollers:
            error = group_error(name, groups[name])
            error.place = mapping.place_of("provisioned_poller_config", "MaximumPollers")
            yield error


def _reading(mapping: MappingResource, template: Template) -> Reading:
    given = {_NAMES[attribute]: value for attribute, value in mapping.properties.items()}
    if mapping.consumer_arn is not None:
        given["EventSourceArn"] = mapping.consumer_arn
    function = template.functions.get(mapping.function_logical_id or "")
    name = str(given.get("FunctionName", ""))
    is_whole = function is not None and name == function.function_name
    return reading_of(given, function=function.arn if function and is_whole else name)
