"""What a replay sends records to: the handler that flags name, or a mapping of the template."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from esm.assembly import (
    STREAMS,
    TemplateMappings,
    function_behind,
    function_of,
    load_handler_of,
    require_stream,
    resource_of,
)
from esm.cli.handler import import_handler
from esm.cli.mask import Mask
from esm.cli.replay import Options
from esm.cli.variables import read_variables
from esm.clock import SystemClock
from esm.errors import HandlerError, InputError, MappingError, TemplateError
from esm.harness import Harness
from esm.invokers.inline import Function, Handler
from esm.template import FunctionResource, MappingResource, SourceKind, Template
from esm.template.chains import chain_from

# The captures say what is read, and from where on; who asks for a mapping does not want it off.
_SAID_BY_CAPTURES = {
    "event_source_arn", "function_name", "starting_position", "starting_position_timestamp",
    "enabled",
}  # fmt: skip
KINDS = {"kinesis": SourceKind.KINESIS, "dynamodb": SourceKind.DYNAMODB}
"""What mappings read, by the word of ARNs."""
_ALWAYS_THERE = ("event_source_arn", "function_name")


@dataclass(frozen=True, slots=True)
class Target:
    """A function with what belongs to it; `secrets` must not be shown.

    `kind` is what the mapping reads, and `others` has a mapping of each kind. `load` imports the
    handler; `prepare` makes in a Harness what the template declares, and `chain` are the mappings
    of it that read what the function writes.
    """

    name: str | None
    function: Function
    properties: dict[str, Any]
    secrets: frozenset[str]
    load: Callable[[], Handler]
    prepare: Callable[[Harness], TemplateMappings | None]
    kind: SourceKind | None = None
    others: Mapping[SourceKind, str] = field(default_factory=dict)
    chain: tuple[str, ...] = ()

    def check(self, service: str) -> None:
        """Refuse captures of a service that the mapping does not read; ARNs call it so."""
        if self.kind not in (None, KINDS[service]):
            other = self.others.get(KINDS[service])
            raise InputError(
                "E490",
                f"{self.name} is a mapping of {self.kind}, and the capture is of {KINDS[service]}",
                why="its function expects other events",
                fix=f"--mapping {other}" if other else "--handler MODULE:FUNCTION",
            )


def target_of(
    options: Options, properties: Collection[str], service: Callable[[], str | None]
) -> Target:
    """The mapping that is named; else the handler; else the template's only one.

    `properties` are the mapping's that flags give: the template's matter no more. `service` tells
    whose captures there are, in the word of ARNs, where the template has mappings of several.
    """
    if options.handler is not None and options.mapping is None:
        return _by_handler(options, options.handler)
    template = _template(options)
    with Mask(template.secrets).on_errors():
        mapping = _mapping(template, options.mapping, service)
        return _by_mapping(options, template, mapping, properties)


def _by_handler(options: Options, handler: str) -> Target:
    name = options.function_name or handler.rpartition(":")[2]
    variables = read_variables(options.env_vars, name)
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
        return options.template.load_to_run()
    except TemplateError as error:
        if error.esm_code == "E108" and options.mapping is None:
            raise InputError(
                "E480",
                "Missing option '--handler', and this folder has no template",
                fix="--handler MODULE:FUNCTION",
            ) from None
        raise


def _mapping(
    template: Template, name: str | None, service: Callable[[], str | None]
) -> MappingResource:
    if name is not None:
        return resource_of(template, name, "--mapping {}")
    mappings = [m for m in template.mappings.values() if m.kind in STREAMS]
    if len({mapping.kind for mapping in mappings}) > 1:
        kind = KINDS.get(service() or "")
        mappings = [mapping for mapping in mappings if mapping.kind is kind]
    if len(mappings) == 1:
        return mappings[0]
    if not mappings:
        raise InputError(
            "E480",
            f"Missing option '--handler': {template.path} has no mapping of a stream",
            fix="--handler MODULE:FUNCTION",
        )
    found = f"{len(mappings)} mappings of {mappings[0].kind}"
    raise InputError(
        "E480",
        f"Missing option '--mapping': {template.path} has {found}",
        why=f"they are {', '.join(mapping.name for mapping in mappings)}",
        fix=f"--mapping {mappings[0].name}",
    )


def _by_mapping(
    options: Options, template: Template, mapping: MappingResource, flags: Collection[str]
) -> Target:
    require_stream(mapping)
    properties = {
        name: value
        for name, value in mapping.properties.items()
        if name not in _SAID_BY_CAPTURES and name not in flags
    }
    if not options.as_is:
        _check(mapping, template, properties)
    resource = function_behind(template, mapping)
    variables = _variables(options, resource)
    resource = _with_flags(resource, options, variables)
    handler = options.handler
    if handler is None:
        resource.require()
    chain = chain_from(template, mapping) if options.chain else []
    told = dict(_variables_behind(options, template, each) for each in chain)
    template = _with_variables(template, told)
    return Target(
        name=mapping.name,
        kind=mapping.kind,
        others={each.kind: each.name for each in reversed(list(template.mappings.values()))},
        function=function_of(resource, mapping.qualifier),
        properties=properties,
        secrets=template.secrets.union(variables.values(), *(v.values() for v in told.values())),
        chain=tuple(each.name for each in chain),
        load=lambda: (
            load_handler_of(resource)
            if handler is None
            else import_handler(handler, options.code_uri)
        ),
        prepare=lambda harness: TemplateMappings(harness, template),
    )


def _check(mapping: MappingResource, template: Template, properties: dict[str, object]) -> None:
    """What AWS refuses of the template's properties is told with its place there."""
    from esm.template.checking import check  # pydantic takes its time to import

    source = {a: mapping.properties[a] for a in _ALWAYS_THERE if a in mapping.properties}
    said = {**source, "starting_position": "TRIM_HORIZON", **properties}
    alone = replace(mapping, properties=said)
    world = replace(template, mappings={mapping.name: alone}, functions={}, problems=())
    for error in check(world, now_ms=SystemClock().now_ms()):
        if isinstance(error, MappingError):
            raise error


def _variables(options: Options, resource: FunctionResource) -> dict[str, str]:
    name = resource.logical_id
    fix = f'{{"{name}": {{"NAME": "value"}}}}'
    return read_variables(options.env_vars, resource.function_name, name, fix=fix)


def _variables_behind(
    options: Options, template: Template, mapping: MappingResource
) -> tuple[str, dict[str, str]]:
    """A function further down the chain, and what the file, which need not know it, says of it."""
    resource = function_behind(template, mapping)
    file = options.env_vars and replace(options.env_vars, is_asked_for=False)
    name = resource.logical_id
    return name, read_variables(file, resource.function_name, name)


def _with_variables(template: Template, told: Mapping[str, dict[str, str]]) -> Template:
    functions = {
        name: function.with_variables(told.get(name, {}))
        for name, function in template.functions.items()
    }
    return replace(template, functions=functions)


def _with_flags(
    resource: FunctionResource, options: Options, variables: dict[str, str]
) -> FunctionResource:
    """The function with what flags say of it."""
    return replace(
        resource.with_variables(variables),
        function_name=options.function_name or resource.function_name,
        timeout_seconds=options.timeout or resource.timeout_seconds,
        memory_mb=options.memory_size or resource.memory_mb,
        code_uri=options.code_uri or resource.code_uri,
    )
