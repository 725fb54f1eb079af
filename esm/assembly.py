"""A template in a Harness: its streams and destinations in memory, its handlers imported.

Streams and destinations are made when the template is read, so that handlers reach them by the
names that Ref and GetAtt give; a mapping is made, and its handler imported, when it is asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esm.errors import TemplateError
from esm.invokers.inline import Function
from esm.isolation import load_function
from esm.mapping.refusals import not_emulated
from esm.template import FunctionResource, MappingResource, SourceKind, Template
from esm.wiring import destination_in_memory

if TYPE_CHECKING:
    from esm.harness import Harness
    from esm.view import Mapping as RunningMapping

# What the Harness says itself, from the resources.
_SAID_BY_RESOURCES = frozenset({"event_source_arn", "function_name"})


class TemplateMappings(Mapping[str, "RunningMapping"]):
    """The mappings of a template by name: `<FunctionLogicalId><EventName>`, or the logical id."""

    def __init__(self, harness: Harness, template: Template) -> None:
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

    def __repr__(self) -> str:
        return f"<TemplateMappings of {self.template.path}: {', '.join(self) or 'none'}>"

    def __iter__(self) -> Iterator[str]:
        return iter(self.template.mappings)

    def __len__(self) -> int:
        return len(self.template.mappings)

    def __getitem__(self, name: str) -> RunningMapping:
        if name not in self._running:
            self._running[name] = self._start(self._resource(name))
        return self._running[name]

    def _resource(self, name: str) -> MappingResource:
        if name in self.template.mappings:
            return self.template.mappings[name]
        close = difflib.get_close_matches(name, self.template.mappings, n=1)
        raise TemplateError(
            "E150",
            f"{self.template.path} has no mapping {name!r}",
            why=f"its mappings: {', '.join(self.template.mappings) or 'none'}",
            fix=close[0] if close else "the function's logical id, and the event's name behind it",
        )

    def _start(self, resource: MappingResource) -> RunningMapping:
        resource.require()
        if resource.kind is not SourceKind.KINESIS or resource.consumer_arn is not None:
            raise not_emulated(f"{resource.name}: a mapping of this source", fix="Type: Kinesis")
        function = self.template.functions[resource.function_logical_id or ""]
        function.require()
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
