"""What a replay sends records to: the handler that flags name, or a mapping of the template."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from esm.assembly import (
    TemplateMappings,
    function_behind,
    function_of,
    load_handler_of,
    require_kinesis,
    resource_of,
)
from esm.cli.environment import read_variables
from esm.cli.handler import import_handler
from esm.cli.replay import Options
from esm.errors import HandlerError, InputError, TemplateError
from esm.harness import Harness
from esm.invokers.inline import Function, Handler
from esm.template import FunctionResource, MappingResource, SourceKind, Template

# The captures say what is read, and from where on; who asks for a mapping does not want it off.
_SAID_BY_CAPTURES = {
    "event_source_arn", "function_name", "starting_position", "starting_position_timestamp",
    "enabled",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """A function with what belongs to it; `secrets` must not be shown.

    `load` imports the handler; `prepare` makes in a Harness what the template declares.
    """

    name: str | None
    function: Function
    properties: dict[str, Any]
    secrets: frozenset[str]
    load: Callable[[], Handler]
    prepare: Callable[[Harness], object]


def target_of(options: Options) -> Target:
    """The mapping that is named; else the handler; else the template's only mapping of Kinesis."""
    if options.handler is not None and options.mapping is None:
        return _by_handler(options, options.handler)
    template = _template(options)
    mapping = _mapping(template, options.mapping)
    return _by_mapping(options, template, mapping)


def _by_handler(options: Options, handler: str) -> Target:
    name = options.function_name or handler.rpartition(":")[2]
    variables = read_variables(options.env_vars, name) if options.env_vars else {}
    function = _checked(
        options.function_name, options.timeout or 3, options.memory_size or 128, variables
    )
    return Target(
        name=function.name,
        function=function,
        properties={},
        secrets=frozenset(variables.values()),
        load=lambda: import_handler(handler, options.code_uri),
        prepare=lambda harness: None,
    )


def _checked(name: str | None, timeout: int, memory: int, variables: dict[str, str]) -> Function:
    try:
        return Function(name, timeout, memory, variables or None)
    except HandlerError as error:
        raise InputError("E480", error.message, why=error.why) from None


def _template(options: Options) -> Template:
    try:
        return options.template.load()
    except TemplateError as error:
        if error.esm_code == "E108" and options.mapping is None:
            raise InputError(
                "E480",
                "Missing option '--handler', and this folder has no template",
                fix="--handler MODULE:FUNCTION",
            ) from None
        raise


def _mapping(template: Template, name: str | None) -> MappingResource:
    if name is not None:
        return resource_of(template, name)
    mappings = [m for m in template.mappings.values() if m.kind is SourceKind.KINESIS]
    if len(mappings) == 1:
        return mappings[0]
    if not mappings:
        raise InputError(
            "E480",
            f"Missing option '--handler': {template.path} has no mapping of Kinesis",
            fix="--handler MODULE:FUNCTION",
        )
    raise InputError(
        "E480",
        f"Missing option '--mapping': {template.path} has {len(mappings)} mappings of Kinesis",
        why=f"they are {', '.join(mapping.name for mapping in mappings)}",
        fix=f"--mapping {mappings[0].name}",
    )


def _by_mapping(options: Options, template: Template, mapping: MappingResource) -> Target:
    require_kinesis(mapping)
    resource = function_behind(template, mapping)
    name = resource.logical_id
    variables: dict[str, str] = {}
    if options.env_vars:
        fix = f'{{"{name}": {{"NAME": "value"}}}}'
        variables = read_variables(options.env_vars, name, fix=fix)
    resource = _with_flags(resource, options, variables)
    handler = options.handler
    if handler is None:
        resource.require()
    return Target(
        name=mapping.name,
        function=function_of(resource),
        properties={n: v for n, v in mapping.properties.items() if n not in _SAID_BY_CAPTURES},
        secrets=template.secrets | frozenset(variables.values()),
        load=lambda: (
            load_handler_of(resource)
            if handler is None
            else import_handler(handler, options.code_uri)
        ),
        prepare=lambda harness: TemplateMappings(harness, template, options.template.overrides),
    )


def _with_flags(
    resource: FunctionResource, options: Options, variables: dict[str, str]
) -> FunctionResource:
    """The function with what flags say of it."""
    return replace(
        resource,
        function_name=options.function_name or resource.function_name,
        timeout_seconds=options.timeout or resource.timeout_seconds,
        memory_mb=options.memory_size or resource.memory_mb,
        code_uri=options.code_uri or resource.code_uri,
        environment={**resource.environment, **variables},
    )
