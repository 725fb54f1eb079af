"""A template in a Harness: its streams and destinations in memory, its handlers imported.

Streams and destinations are made when the template is read, so that handlers reach them by the
names that Ref and GetAtt give; a mapping is made, and its handler imported, when it is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esm.embedded.declarations import Declared
from esm.embedded.declared import declared_in
from esm.embedded.declared_tables import table_behind, table_of
from esm.embedded.moto_tables import declaration_of
from esm.errors import MappingError, TemplateError
from esm.invokers.inline import Function
from esm.invokers.virtual_time import real_types
from esm.isolation import load_function
from esm.template import FunctionResource, MappingResource, SourceKind, Template
from esm.wiring import destination_in_memory

if TYPE_CHECKING:
    from esm.harness import AnyDestination, Harness
    from esm.sources.dynamodb_table import DynamoDbTable
    from esm.sources.memory import KinesisStream
    from esm.sources.memory_consumer import KinesisConsumer
    from esm.view import Mapping as RunningMapping

STREAMS = (SourceKind.KINESIS, SourceKind.DYNAMODB)
"""What mappings can read here."""

# What the Harness says itself, from the resources.
_SAID_BY_RESOURCES = frozenset({"event_source_arn", "function_name"})


class TemplateMappings(Mapping[str, "RunningMapping"]):
    """The mappings of a template by name: `<FunctionLogicalId><EventName>`, or the logical id."""

    def __init__(self, harness: Harness, template: Template) -> None:
        self.template = template
        self._harness = harness
        self._running: dict[str, RunningMapping] = {}
        for stream in template.streams.values():
            made = harness.kinesis(stream.name, stream.shards, f"{stream.retention_hours}h")
            made.arn = stream.arn  # in the template's region, whatever the Harness has
        made_here = {stream.arn for stream in template.streams.values()}
        for consumer in template.consumers.values():
            if consumer.stream_arn in made_here:
                self._source_of(consumer.arn)
        for places in (template.queues, template.topics, template.buckets):
            for place in places.values():
                destination = destination_in_memory(place.arn)
                assert destination is not None
                harness.destinations[place.arn] = destination
        self._broken_tables: dict[str, TemplateError] = {}
        """What is wrong with a table is told who reads it; by the stream's ARN."""
        for service, declared in declared_in(template):
            if declared.stream_arn is not None:
                self._add_table(declared, declared.stream_arn)
            destination = harness.destinations.get(declared.arn)
            harness.embedded(service).declare(
                declared if destination is None else _shared(declared, destination)
            )

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
        require_stream(resource)
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
        return self._source_of(
            resource.consumer_arn or str(resource.properties["event_source_arn"])
        )

    def _source_of(self, arn: str) -> KinesisStream | KinesisConsumer | DynamoDbTable:
        if arn.split(":")[2] == "dynamodb":
            return self._table_behind(arn)
        stream_arn, _, consumer = arn.partition("/consumer/")
        stream = self._stream(stream_arn)
        if not consumer:
            return stream
        name, _, created_s = consumer.partition(":")
        return stream.consumer(name, created_ms=int(created_s) * 1000)

    def _add_table(self, declared: Declared, stream_arn: str) -> None:
        tables = self.template.tables.values()
        resource = next(table for table in tables if table.arn == declared.arn)
        try:
            table = table_of(declared, resource, self._harness.instant_ms)
        except TemplateError as error:
            self._broken_tables[stream_arn] = error
        else:
            self._harness.adopt(table, declared)

    def _table_behind(self, stream_arn: str) -> DynamoDbTable:
        for table in self._harness.tables.values():
            if table.arn == stream_arn:
                return table
        if stream_arn in self._broken_tables:
            raise self._broken_tables[stream_arn]
        # A table that the template names but does not make: it is made here, for the test.
        made = table_behind(stream_arn, self._harness.instant_ms)
        self._harness.adopt(made, declaration_of(made))
        return made

    def _stream(self, arn: str) -> KinesisStream:
        for stream in self._harness.streams.values():
            if stream.arn == arn:
                return stream
        # A stream that the template names but does not make: it is made here, for the test.
        made = self._harness.kinesis(arn.rpartition("/")[2])
        made.arn = arn
        return made


def _shared(declared: Declared, destination: AnyDestination) -> Declared:
    """A queue, topic or bucket in which boto3 finds what mappings deliver to it."""
    known = 0

    def arrivals() -> list[tuple[str, bytes]]:
        nonlocal known
        new = destination.since(known)
        known += len(new)
        return new

    return replace(declared, arrivals=arrivals, look=destination.look)


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


def require_stream(resource: MappingResource) -> None:
    """Raise the first problem of a mapping, or NotEmulated for one that reads no stream."""
    resource.require()
    if resource.kind not in STREAMS:
        raise _not_emulated(resource)


def _not_emulated(resource: MappingResource) -> MappingError:
    with real_types():
        from esm.mapping.refusals import not_emulated  # pydantic takes its time to import

    kinds = " or ".join(f"Type: {kind}" for kind in STREAMS)
    return not_emulated(f"{resource.name}: a mapping of this source", fix=kinds)


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
