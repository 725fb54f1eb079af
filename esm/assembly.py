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

from esm.destinations.memory import Topic
from esm.embedded.declarations import Declared
from esm.embedded.declared import declared_in
from esm.embedded.declared_tables import table_behind, table_of
from esm.embedded.moto_tables import declaration_of
from esm.embedded.redshift_warehouse import Warehouse
from esm.embedded.sagemaker import SageMakerEndpoint
from esm.errors import HandlerError, MappingError, TemplateError
from esm.invokers.inline import Function, InlineInvoker
from esm.invokers.virtual_time import real_types
from esm.isolation import load_function
from esm.pipeline import new_uuid
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
        self._invokers: dict[str, InlineInvoker] = {}
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
        for endpoint in template.endpoints.values():
            made_endpoint = SageMakerEndpoint(endpoint.name, endpoint.arn)
            made_endpoint.model = endpoint.model_file  # read when it is invoked first
            harness.services.add_endpoint(made_endpoint)
        for each in template.warehouses.values():
            harness.services.warehouse(each.name, each.database, each.arn)
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

    @property
    def topics(self) -> dict[str, Topic]:
        """Its topics by logical id; `published` of one is what boto3 has sent to it."""
        places = self._harness.destinations
        found = {name: places[topic.arn] for name, topic in self.template.topics.items()}
        return {name: place for name, place in found.items() if isinstance(place, Topic)}

    @property
    def endpoints(self) -> dict[str, SageMakerEndpoint]:
        """Its SageMaker endpoints by logical id."""
        made = self._harness.services.endpoints
        return {name: made[each.name] for name, each in self.template.endpoints.items()}

    @property
    def warehouses(self) -> dict[str, Warehouse]:
        """Its Redshift clusters and workgroups by logical id."""
        made = self._harness.services.warehouses
        return {name: made[each.name] for name, each in self.template.warehouses.items()}

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Call a function of the template once, now, as a schedule or somebody else would.

        `function` is its logical id; the answer is parsed JSON. Raises what the function raised,
        KeyError for one that the template does not have.
        """
        harness = self._harness
        if function not in self._invokers:
            resource = self.template.functions[function]
            resource.require()
            with harness.guarded():
                handler = load_handler_of(resource)
            self._invokers[function] = InlineInvoker(
                handler, function_of(resource), resource.arn, harness.time
            )
        request_id, now_ms = new_uuid(harness.rng), harness.instant_ms()
        with harness.time, harness.guarded():
            result = self._invokers[function].invoke(dict(event), request_id, now_ms)
        if result.error is not None:
            raise result.error
        return result.payload

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
            function=function_of(function, resource.qualifier),
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


def resource_of(template: Template, name: str, form: str = "{}") -> MappingResource:
    """A mapping by its name; raises TemplateError E150 with the nearest one, written in a form.

    Of one that is left out, or no mapping of a stream, the error says so.
    """
    if name in template.mappings:
        return template.mappings[name]
    if (reason := template.why_absent(name)) is not None:
        raise reason
    close = difflib.get_close_matches(name, template.mappings, n=1)
    raise TemplateError(
        "E150",
        f"{template.path} has no mapping {name!r}",
        why=f"its mappings: {', '.join(template.mappings) or 'none'}",
        fix=form.format(close[0])
        if close
        else "the function's logical id, and the event's name behind it",
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
    source = str(resource.properties.get("event_source_arn", "")).split(":", 5)[-1]
    read = f"{resource.kind} {source}".rstrip()
    error = not_emulated(f"{resource.name}: a mapping of {read}", fix=kinds)
    error.place = resource.place_of("event_source_arn")
    return error


def function_of(resource: FunctionResource, qualifier: str | None = None) -> Function:
    """A function's configuration as the Harness takes it, invoked by an alias or version."""
    return Function(
        name=resource.function_name,
        timeout=resource.timeout_seconds,
        memory=resource.memory_mb,
        environment=dict(resource.environment),
        qualifier=qualifier,
    )


def load_handler_of(resource: FunctionResource) -> Any:
    """Import a function's handler in isolation, as Lambda does with its CodeUri as the root."""
    resource.require()
    assert resource.code_uri is not None
    assert resource.handler is not None
    folder, layers = Path(resource.code_uri), resource.layers
    try:
        return load_function(folder, resource.handler, resource.environment, layers=layers.folders)
    except HandlerError as error:
        if layers.elsewhere and isinstance(error.__cause__, ModuleNotFoundError):
            error.why = f"a layer may have it that is in no local folder: {layers.elsewhere[0]}"
            error.fix = "Layers: [!Ref …]   # an AWS::Serverless::LayerVersion with ContentUri"
        raise
