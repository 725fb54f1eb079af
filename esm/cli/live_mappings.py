"""Which mappings of a template run live, each with its function; checked before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from esm.assembly import STREAMS, function_behind, require_stream, resource_of
from esm.cli.given import is_typed
from esm.cli.variables import VariablesFile, read_variables
from esm.errors import EsmError, InputError, TemplateError
from esm.mapping import EventSourceMapping, FilterTerms, create
from esm.mapping.duplicates import refuse_duplicate
from esm.settings import Settings
from esm.template import FunctionResource, MappingResource, Template
from esm.template.checking import check


@dataclass(frozen=True, slots=True)
class Planned:
    """A mapping that is to run."""

    name: str
    source_arn: str
    function: FunctionResource
    function_arn: str
    qualifier: str | None
    properties: EventSourceMapping


def select(template: Template, names: tuple[str, ...]) -> tuple[list[MappingResource], list[str]]:
    """The mappings that are named, or all, without those that are not enabled; these by name.

    Raises TemplateError E150, and NotEmulated for a mapping of no stream.
    """
    asked = [resource_of(template, name, "esm run {}") for name in dict.fromkeys(names)]
    mappings = asked or list(template.mappings.values())
    enabled = [each for each in mappings if each.properties.get("enabled", True)]
    for mapping in enabled:
        if not asked:
            _require_all_are_streams(mapping, enabled)
        require_stream(mapping)
    if not enabled:
        raise _nothing_to_run(template, mappings)
    return enabled, [each.name for each in mappings if each not in enabled]


def _require_all_are_streams(mapping: MappingResource, enabled: list[MappingResource]) -> None:
    """What cannot run stops all of it; who wants the others names them."""
    try:
        require_stream(mapping)
    except EsmError as error:
        others = [each.name for each in enabled if each.kind in STREAMS]
        if mapping.kind not in STREAMS and others:
            error.fix = f"esm run {' '.join(others)}"
        raise


def _nothing_to_run(template: Template, mappings: list[MappingResource]) -> InputError:
    if not mappings:
        return InputError(
            "E480",
            f"{template.path} has no mapping to run",
            why="a mapping is an event of type Kinesis or DynamoDB, or an EventSourceMapping",
        )
    return InputError(
        "E480",
        f"nothing to run: {', '.join(each.name for each in mappings)} {_are(mappings)} disabled",
        why="AWS does not poll a mapping that is not enabled",
        fix="Enabled: true",
    )


def _are(mappings: list[MappingResource]) -> str:
    return "is" if len(mappings) == 1 else "are"


def plan(
    template: Template,
    mappings: list[MappingResource],
    flags: Mapping[str, object],
    variables: VariablesFile | None,
    settings: Settings,
    now_ms: int,
) -> list[Planned]:
    """Everything that AWS would check, and what their functions need; `flags` are for one alone."""
    if flags and len(mappings) > 1:
        raise InputError(
            "E480",
            f"--{next(iter(flags)).replace('_', '-')} would be for {len(mappings)} mappings",
            why="a property belongs to one mapping",
            fix=f"esm run {mappings[0].name}",
        )
    _check_interval(mappings)
    world = replace(template, mappings={each.name: each for each in mappings}, functions={})
    for error in check(replace(world, problems=()), now_ms=now_ms):
        if not isinstance(error, TemplateError) or error.esm_code.startswith("E"):
            _raise_unless_warning(error)
    filters = FilterTerms(settings.maximum_filters, settings.reject_plain_data_patterns)
    planned: dict[str, Planned] = {}
    _refuse_foreign(variables, template)
    for mapping in mappings:
        function = _function(template, mapping, variables)
        request = {
            **mapping.properties,
            **flags,
            "event_source_arn": mapping.consumer_arn or mapping.properties["event_source_arn"],
            "function_name": _qualified(function.arn, mapping.qualifier),
        }
        known = create(request, now_ms=now_ms, filters=filters)
        refuse_duplicate(known, {each.name: each.properties for each in planned.values()})
        planned[mapping.name] = Planned(
            mapping.name,
            str(request["event_source_arn"]),
            function,
            str(request["function_name"]),
            mapping.qualifier,
            known,
        )
    return list(planned.values())


def _check_interval(mappings: list[MappingResource]) -> None:
    if is_typed("poll_interval_ms") and all(each.consumer_arn for each in mappings):
        raise InputError(
            "E480",
            "--poll-interval is of shards that are polled, and here is none",
            why="to an enhanced fan-out consumer, Kinesis pushes its records",
            fix="leave it out",
        )


def _raise_unless_warning(error: EsmError) -> None:
    if not error.esm_code.startswith("W"):
        raise error


def _function(
    template: Template, mapping: MappingResource, file: VariablesFile | None
) -> FunctionResource:
    function = function_behind(template, mapping)
    name = function.logical_id
    # The file need not know every function of a template.
    file = file and replace(file, is_asked_for=False)
    function = function.with_variables(read_variables(file, function.function_name, name))
    function.require()
    return function


def _refuse_foreign(file: VariablesFile | None, template: Template) -> None:
    """Raise E484 for a file that was asked for, and has nothing for any function."""
    functions = template.functions.values()
    names = [name for each in functions for name in (each.function_name, each.logical_id)]
    read_variables(file, *names, fix=f'{{"{names[-1]}": {{"NAME": "value"}}}}')


def _qualified(arn: str, qualifier: str | None) -> str:
    return arn if qualifier is None else f"{arn}:{qualifier}"


def secrets_of(template: Template, planned: list[Planned]) -> Iterator[str]:
    """Values that must not be shown: the template's, and what --env-vars gives functions."""
    yield from template.secrets
    for each in planned:
        written = template.functions[each.function.logical_id].environment
        for name, value in each.function.environment.items():
            if written.get(name) != value:
                yield value
