"""A template file, as what concerns us in it.

Loading refuses what is no template at all; what is wrong with a single function, mapping or
resource is kept beside it, so that the others can be used and `checking` can list everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from esm.errors import EsmError, TemplateError
from esm.template import complaints, services
from esm.template import identities as types
from esm.template.aws import Deployment, Identity
from esm.template.functions import function_resource
from esm.template.loops import without_loops
from esm.template.misspelt import missing_transform, misspelt_names
from esm.template.model import (
    Consumer,
    FunctionResource,
    MappingResource,
    Resource,
    StreamResource,
    Template,
)
from esm.template.nodes import Node, Scalar
from esm.template.parameters import read_parameters
from esm.template.properties import Reader
from esm.template.reading import read_file
from esm.template.resolving import Resolver
from esm.template.sections import Declared, Sections, sections_of
from esm.template.services import EndpointResource, WarehouseResource
from esm.template.sources import raw_mapping, sam_mappings

Made = TypeVar("Made")

_SUBSCRIPTION = "AWS::SNS::Subscription"
_ON_DEMAND_SHARDS = 4  # https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html
_RETENTION_HOURS = 24
_SHARDS = range(1, 10_001)
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_IncreaseStreamRetentionPeriod.html
_RETENTIONS = range(24, 8761)


def load(
    path: Path | str,
    *,
    parameters: Mapping[str, str] | None = None,
    deployment: Deployment | None = None,
) -> Template:
    """Read a template. Raises TemplateError E101 to E107 when it is none.

    `parameters` are values for its Parameters, as `--parameter-overrides` gives them.
    """
    path = Path(path)
    return template_of(read_file(path), path, parameters or {}, deployment or Deployment())


def template_of(
    root: Node, path: Path, overrides: Mapping[str, str], deployment: Deployment
) -> Template:
    """What concerns us in a template that has been read; code lies in folders beside `path`."""
    inventory = _inventory(root, path.parent, overrides, deployment)
    consumers = inventory.of(types.CONSUMER, make=inventory.consumer)
    functions = inventory.of(types.SAM_FUNCTION, types.FUNCTION, make=inventory.function)
    endpoints = inventory.of(services.ENDPOINT, make=inventory.endpoint)
    warehouses = inventory.of(services.CLUSTER, services.WORKGROUP, make=inventory.warehouse)
    subscriptions = tuple(inventory.of(_SUBSCRIPTION, make=lambda made: made.properties).values())
    return Template(
        path=path,
        functions=functions,
        mappings=inventory.mappings(functions, consumers),
        streams=inventory.of(types.STREAM, make=inventory.stream),
        consumers=consumers,
        tables=inventory.of(
            types.TABLE, types.GLOBAL_TABLE, types.SIMPLE_TABLE, make=inventory.resource
        ),
        topics=inventory.of(types.TOPIC, make=inventory.resource),
        queues=inventory.of(types.QUEUE, make=inventory.resource),
        buckets=inventory.of(types.BUCKET, make=inventory.resource),
        secrets=inventory.secrets,
        problems=tuple(inventory.problems),
        resolver=inventory.resolver,
        subscriptions=subscriptions,
        left_out=inventory.left_out,
        of_no_stream=inventory.of_no_stream,
        endpoints=endpoints,
        warehouses=warehouses,
        without_transform=missing_transform(
            root, {name.raw for name in inventory.sections.transforms}
        ),
    )


def _inventory(
    root: Node, folder: Path, overrides: Mapping[str, str], deployment: Deployment
) -> _Inventory:
    """Parameters first, for loops go through them; then the sections with the loops written out."""
    sections = sections_of(root)
    known, mistakes = read_parameters(sections.parameters, overrides, sections.place)
    resolver = Resolver(sections, known, deployment)
    expanded, more = without_loops(root, resolver.loop_values)
    if expanded is not root:
        sections = sections_of(expanded)
        resolver = Resolver(sections, known, deployment)
    problems = [*mistakes, *more, *map(_not_run, sections.macros), *_emptiness(sections)]
    problems += misspelt_names(root)
    values = [p.value for p in known.values() if p.is_secret and p.value]
    secrets = frozenset(text for v in values for text in ([v] if isinstance(v, str) else v))
    return _Inventory(sections, resolver, folder, secrets, problems)


def _not_run(macro: Scalar) -> TemplateError:
    return complaints.MACRO.at(
        macro.place,
        f"the macro {macro.raw} is not run: the template is read as it is written",
        fix="aws cloudformation get-template --template-stage Processed --stack-name …",
    )


def _not_created(declared: Declared) -> TemplateError:
    assert declared.condition is not None, "what has no condition is created"
    condition = declared.condition.raw
    return complaints.NOT_CREATED.at(
        declared.condition.place,
        f"{declared.logical_id} is not created: {condition} is false with these parameters",
        fix=f"--parameter-overrides with values that make {condition} true",
    )


def _emptiness(sections: Sections) -> list[TemplateError]:
    """A template without a resource can be read, but not deployed."""
    if sections.resources:
        return []
    message = "there is nothing in Resources"
    return [complaints.WRONG_SHAPE.at(sections.place, message, fix="Resources: {…}")]


@dataclass(slots=True)
class _Inventory:
    """Makes what is declared, as far as its condition holds, and keeps what goes wrong."""

    sections: Sections
    resolver: Resolver
    folder: Path
    secrets: frozenset[str]
    problems: list[TemplateError]
    left_out: dict[str, TemplateError] = field(default_factory=dict)
    of_no_stream: dict[str, EsmError] = field(default_factory=dict)

    def of(self, *kinds: str, make: Callable[[Declared], Made]) -> dict[str, Made]:
        """Everything of these types, by logical id."""
        made = {}
        for declared in self.sections.resources.values():
            if declared.type in kinds:
                try:
                    if self.resolver.is_created(declared):
                        if declared.macro is not None:
                            self.problems.append(_not_run(declared.macro))
                        made[declared.logical_id] = make(declared)
                    else:
                        self.left_out[declared.logical_id] = _not_created(declared)
                except TemplateError as error:
                    self.problems.append(error)
                    self.left_out[declared.logical_id] = error
        return made

    def mappings(
        self, functions: Mapping[str, FunctionResource], consumers: Mapping[str, Consumer]
    ) -> dict[str, MappingResource]:
        """The mappings of SAM events and of their own resources."""
        events = self.of(
            types.SAM_FUNCTION,
            make=lambda declared: sam_mappings(
                declared,
                functions[declared.logical_id],
                self.resolver,
                consumers,
                self.problems,
                self.of_no_stream,
            ),
        )
        raw = self.of(
            types.MAPPING,
            make=lambda declared: raw_mapping(
                declared, functions, self.resolver, consumers, self.of_no_stream
            ),
        )
        found = [mapping for group in events.values() for mapping in group]
        found += [mapping for mapping in raw.values() if mapping is not None]
        return self._by_name(found)

    def _by_name(self, found: Sequence[MappingResource]) -> dict[str, MappingResource]:
        """SAM makes logical ids of its own, which others may have already."""
        named: dict[str, MappingResource] = {}
        for mapping in found:
            if named.setdefault(mapping.name, mapping) is not mapping:
                message = f"{mapping.name} is also what SAM calls a mapping of an event"
                fix = "another logical id"
                self.problems.append(complaints.DUPLICATE.at(mapping.place, message, fix=fix))
        return named

    def function(self, declared: Declared) -> FunctionResource:
        """A function with SAM's Globals."""
        return function_resource(
            declared,
            self.sections.function_globals,
            self.sections.resources,
            self.resolver,
            self.folder,
        )

    def stream(self, declared: Declared) -> StreamResource:
        """A stream with the shards that it starts with."""
        identity = self._identity(declared)
        reader = Reader(self.resolver, declared.properties)
        mode = reader.value("StreamModeDetails")
        is_on_demand = isinstance(mode, dict) and mode.get("StreamMode") == "ON_DEMAND"
        # A stream without a number of shards is an on-demand one.
        shards = reader.integer("ShardCount", _ON_DEMAND_SHARDS, _SHARDS)
        retention = reader.integer("RetentionPeriodHours", _RETENTION_HOURS, _RETENTIONS)
        self.problems += [*reader.problems, *reader.missing]
        return StreamResource(
            declared.logical_id,
            identity.name,
            identity.arn,
            declared.place,
            types.name_place(declared),
            _ON_DEMAND_SHARDS if is_on_demand else shards,
            retention,
        )

    def consumer(self, declared: Declared) -> Consumer:
        """A consumer with the stream that it reads."""
        identity = self._identity(declared)
        return Consumer(
            declared.logical_id,
            identity.name,
            identity.ref,
            identity.attributes.get("StreamARN", ""),
            declared.place,
        )

    def resource(self, declared: Declared) -> Resource:
        """A table, topic, queue or bucket."""
        identity = self._identity(declared)
        return Resource(
            declared.logical_id,
            identity.name,
            identity.arn,
            declared.place,
            types.name_place(declared),
            types.is_fifo(declared, self.resolver.text),
            identity.attributes.get("StreamArn"),
            declared.type,
            declared.properties,
        )

    def endpoint(self, declared: Declared) -> EndpointResource:
        """A SageMaker endpoint."""
        return services.endpoint(declared, self._identity(declared), self.resolver, self.folder)

    def warehouse(self, declared: Declared) -> WarehouseResource:
        """A warehouse of Redshift."""
        others = self.sections.resources.values()
        namespaces = [each for each in others if each.type == services.NAMESPACE]
        return services.warehouse(declared, self._identity(declared), self.resolver, namespaces)

    def _identity(self, declared: Declared) -> Identity:
        identity = self.resolver.identity(declared.logical_id, declared.place)
        assert identity is not None, "every type that is asked for has an identity"
        return identity
