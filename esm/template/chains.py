"""Which mappings come next: they read what the function of another one writes.

A function of a template knows the names of its streams and tables from its environment; what it
takes from elsewhere cannot be seen here.
"""

from __future__ import annotations

from esm.template.model import MappingResource, Template


def chain_from(template: Template, first: MappingResource) -> list[MappingResource]:
    """The mappings that what one delivers may reach, nearest first; those not enabled are out."""
    found: list[MappingResource] = []
    pending = [first]
    while pending:
        told = _environment(template, pending.pop(0))
        for mapping in template.mappings.values():
            is_new = mapping is not first and mapping not in found
            if is_new and mapping.properties.get("enabled", True) and told & _names_of(mapping):
                found.append(mapping)
                pending.append(mapping)
    return found


def _environment(template: Template, mapping: MappingResource) -> set[str]:
    function = template.functions.get(mapping.function_logical_id or "")
    return set() if function is None else set(function.environment.values())


def _names_of(mapping: MappingResource) -> set[str]:
    """How a function may name the source: by ARN or by name, of a table's stream also the table."""
    arn = str(mapping.properties.get("event_source_arn", ""))
    resource = arn.partition("/stream/")[0] if ":dynamodb:" in arn else arn
    return {arn, resource, resource.rpartition("/")[2]} - {""}
