"""A template in a Harness: its streams and destinations in memory, its handlers imported.

Streams and destinations are made when the template is read, so that handlers reach them by the
names that Ref and GetAtt give; a mapping is made, and its handler imported, when it is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esm.embedded.declared import declared_in
from esm.errors import MappingError, TemplateError
from esm.invokers.inline import Function
from esm.invokers.virtual_time import real_types
from esm.isolation import load_function
from esm.template import FunctionResource, MappingResource, SourceKind, Template
from esm.wiring import destination_in_memory

if TYPE_CHECKING:
    from esm.harness import AnyDestination, Harness
    from esm.view import Mapping as RunningMapping

# What the Harness says itself, from the resources.
_SAID_BY_RESOURCES = frozenset({"event_source_arn", "function_name"})


class TemplateMappings(Mapping[str, "RunningMapping"]):
    """The mappings of a template by name: `<FunctionLogicalId><EventName>`, or the logical id."""

    def __init__(
        self,
        harness: Harness,
        template: Template,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.template = template
        self._harness = harness
        self._running: dict[str, RunningMapping] = {}
        for stream in template.streams.values():
            harness.kinesis(stream.name, stream.shards, f"{stream.retention_hours}h")
        for places in (template.queues, template.topics, template.buckets):
            for place in places.values():
                destination = destination_in_memory(place.arn)
                assert destination is not None
                harness.destinations[place.arn] = destination
        for service, declared in declared_in(template, parameters):
            harness.embedded(service).declare(declared)

    def __repr__(self) -> str:
        return f"<TemplateMappings of {self.template.path}: {', '.join(self) or 'none'}>"

    def __iter__(self) -> Iterator[str]:
        return iter(self.template.mappings)

    def __len__(self) -> int:
        return len(self.template.mappings)

    def __getitem__(self, name: str) -> RunningMapping:
        if name not in self._running:
            self._running[name] = self._start(resource_of(self.template, name))
        return self._running[name]

    def written(self) -> dict[str, int]:
        """How many records, messages, objects or items each resource got, by logical id.

        Of a stream, those that it holds; elsewhere what boto3 wrote and what mappings gave up.
        """
        template, harness = self.template, self._harness
        streams = {
            logical_id: harness.streams[stream.name].record_count
            for logical_id, stream in template.streams.items()
        }
        places = {
            "sqs": template.queues,
            "sns": template.topics,
            "s3": template.buckets,
            "dynamodb": template.tables,
        }
        others = {
            logical_id: harness.embedded(service).written[resource.arn]
            + _deliveries(harness.destinations.get(resource.arn))
            for service, resources in places.items()
            for logical_id, resource in resources.items()
        }
        return streams | others

    def _start(self, resource: MappingResource) -> RunningMapping:
        require_kinesis(resource)
        if resource.consumer_arn is not None:
            raise _not_emulated(resource)
        function = function_behind(self.template, resource)
        function.require()
        with real_types():  # before the handler's own modules load pydantic, with time frozen
            import_module("esm.view")
        properties: dict[str, Any] = {
            name: value
            for name, value in resource.properties.items()
            if name not in _SAID_BY_RESOURCES
        }
        with self._harness.guarded():  # a module may make its clients, or call, while it is loaded
            handler = load_handler_of(function)
        return self._harness.map(
            self._source(resource),
            handler,
            name=resource.name,
            function=function_of(function),
            **properties,
        )

    def _source(self, resource: MappingResource) -> Any:
        arn = str(resource.properties["event_source_arn"])
        for stream in self._harness.streams.values():
            if stream.arn == arn:
                return stream
        # A stream that the template names but does not make: it is made here, for the test.
        return self._harness.kinesis(arn.rpartition("/")[2])


def _deliveries(destination: AnyDestination | None) -> int:
    return 0 if destination is None else destination.delivered


def resource_of(template: Template, name: str) -> MappingResource:
    """A mapping by its name; raises TemplateError E150 with the nearest one."""
    if name in template.mappings:
        return template.mappings[name]
    close = difflib.get_close_matches(name, template.mappings, n=1)
    raise TemplateError(
        "E150",
        f"{template.path} has no mapping {name!r}",
        why=f"its mappings: {', '.join(template.mappings) or 'none'}",
        fix=close[0] if close else "the function's logical id, and the event's name behind it",
    )


def function_behind(template: Template, resource: MappingResource) -> FunctionResource:
    """The function that a mapping invokes; raises TemplateError E154 when it is elsewhere."""
    function = template.functions.get(resource.function_logical_id or "")
    if function is not None:
        return function
    name = resource.properties.get("function_name")
    raise TemplateError(
        "E154",
        f"{resource.name} invokes {name}, which is no function of {template.path}",
        place=resource.place_of("function_name"),
        why="only functions that the template has can run here",
        fix=f"FunctionName: !Ref {next(iter(template.functions), 'Function')}",
    )


def require_kinesis(resource: MappingResource) -> None:
    """Raise the first problem of a mapping, or NotEmulated for one of another source."""
    resource.require()
    if resource.kind is not SourceKind.KINESIS:
        raise _not_emulated(resource)


def _not_emulated(resource: MappingResource) -> MappingError:
    with real_types():
        from esm.mapping.refusals import not_emulated  # pydantic takes its time to import

    return not_emulated(f"{resource.name}: a mapping of this source", fix="Type: Kinesis")


def function_of(resource: FunctionResource) -> Function:
    """A function's configuration as the Harness takes it."""
    return Function(
        name=resource.function_name,
        timeout=resource.timeout_seconds,
        memory=resource.memory_mb,
        environment=dict(resource.environment),
    )


def load_handler_of(resource: FunctionResource) -> Any:
    """Import a function's handler in isolation, as Lambda does with its CodeUri as the root."""
    resource.require()
    assert resource.code_uri is not None
    assert resource.handler is not None
    return load_function(Path(resource.code_uri), resource.handler, resource.environment)
