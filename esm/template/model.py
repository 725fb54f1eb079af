"""What a template says about functions, mappings and the resources around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from esm.errors import EsmError, Place
from esm.template.complaints import BAD_PARAMETER, UNKNOWN_PARAMETER
from esm.template.layers import Layers
from esm.template.nodes import Node, descend
from esm.template.resolving import Resolver
from esm.template.services import EndpointResource, WarehouseResource

_OF_PARAMETERS = {BAD_PARAMETER.esm_code, UNKNOWN_PARAMETER.esm_code}


class SourceKind(StrEnum):
    """What a mapping reads; the words are SAM's types of events."""

    KINESIS = "Kinesis"
    DYNAMODB = "DynamoDB"
    MSK = "MSK"
    SELF_MANAGED_KAFKA = "SelfManagedKafka"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resource:
    """A table, topic, queue or bucket with the name and ARN that it would get."""

    logical_id: str
    name: str
    arn: str
    place: Place
    name_place: Place
    is_fifo: bool = False
    stream_arn: str | None = None
    type: str = ""
    nodes: Mapping[str, Node] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class StreamResource:
    """A Kinesis stream; one in ON_DEMAND mode starts with four shards."""

    logical_id: str
    name: str
    arn: str
    place: Place
    name_place: Place
    shards: int
    retention_hours: int


@dataclass(frozen=True, slots=True)
class Consumer:
    """A registered consumer, and the stream that it reads."""

    logical_id: str
    name: str
    arn: str
    stream_arn: str
    place: Place


@dataclass(frozen=True, slots=True)
class FunctionResource:
    """A function; `code_uri` is the folder of its code, absolute or from the current folder.

    `problems` are mistakes; `missing` is what only a deployment could tell, or what cannot run
    here: it matters when the function is invoked. `unset` has those of the two that keep a
    variable from having a value, by its name.
    """

    logical_id: str
    function_name: str
    arn: str
    place: Place
    code_uri: Path | None
    handler: str | None
    runtime: str | None
    timeout_seconds: int
    memory_mb: int
    environment: Mapping[str, str]
    role: str | None
    problems: tuple[EsmError, ...]
    missing: tuple[EsmError, ...]
    has_layers: bool = False
    layers: Layers = field(default_factory=Layers)
    nodes: Mapping[str, Node] = field(default_factory=dict, repr=False, compare=False)
    unset: Mapping[str, EsmError] = field(default_factory=dict, repr=False, compare=False)

    def with_variables(self, variables: Mapping[str, str]) -> FunctionResource:
        """The function with variables from outside, for which the template needs no value."""
        excused = [self.unset[name] for name in variables if name in self.unset]
        return replace(
            self,
            environment={**self.environment, **variables},
            problems=tuple(e for e in self.problems if e not in excused),
            missing=tuple(e for e in self.missing if e not in excused),
        )

    def from_anywhere(self) -> FunctionResource:
        """The function with paths that still hold when somebody has gone to another folder."""
        folders = tuple(folder.absolute() for folder in self.layers.folders)
        return replace(
            self,
            code_uri=self.code_uri and self.code_uri.absolute(),
            layers=replace(self.layers, folders=folders),
        )

    def place_of(self, name: str, *path: str | int) -> Place:
        """Where a property's value stands, or the function."""
        return descend(self.nodes[name], path).place if name in self.nodes else self.place

    def require(self) -> None:
        """Raise the first thing that keeps the function from being invoked."""
        for error in (*self.problems, *self.missing):
            raise error


@dataclass(frozen=True, slots=True)
class Spot:
    """A property as it is written in the template: its name there, and where that stands."""

    written: str
    key: Place
    node: Node


@dataclass(frozen=True, slots=True)
class MappingResource:
    """A mapping; `properties` has AWS's JSON under snake_case names, ready for `mapping.create`.

    `consumer_arn` is set when the template has it read through an enhanced fan-out consumer; the
    source is then that consumer's stream. `qualifier` is the alias or version that is invoked.
    """

    name: str
    kind: SourceKind
    is_sam_event: bool
    function_logical_id: str | None
    properties: Mapping[str, object]
    place: Place
    problems: tuple[EsmError, ...]
    consumer_arn: str | None = None
    qualifier: str | None = None
    spots: Mapping[str, Spot] = field(default_factory=dict, repr=False, compare=False)

    def place_of(self, attribute: str, *path: str | int) -> Place:
        """Where the value of `batch_size` stands, or a part of it, or else the mapping."""
        spot = self.spots.get(attribute)
        return self.place if spot is None else descend(spot.node, path).place

    def key_of(self, attribute: str) -> Place:
        """Where the name of a property stands."""
        spot = self.spots.get(attribute)
        return self.place if spot is None else spot.key

    def require(self) -> None:
        """Raise the first problem, if there is one."""
        for error in self.problems:
            raise error


@dataclass(frozen=True, slots=True)
class Template:
    """What concerns us in a template, by logical id; mappings by the name that SAM gives them.

    `subscriptions` are the properties of SNS's, and `resolver` gives values to nodes. `secrets` are
    values of parameters with NoEcho: they must not be shown. `problems` belong to no function and
    no mapping. `without_transform` is told by those who look at a template before it is deployed:
    here SAM's resources are understood all the same. `left_out` says of a resource why it is not
    there; `of_no_stream` says what a mapping or event reads instead.
    """

    path: Path
    functions: Mapping[str, FunctionResource]
    mappings: Mapping[str, MappingResource]
    streams: Mapping[str, StreamResource]
    consumers: Mapping[str, Consumer]
    tables: Mapping[str, Resource]
    topics: Mapping[str, Resource]
    queues: Mapping[str, Resource]
    buckets: Mapping[str, Resource]
    secrets: frozenset[str]
    problems: tuple[EsmError, ...]
    resolver: Resolver = field(repr=False, compare=False)
    subscriptions: tuple[Mapping[str, Node], ...] = field(default=(), repr=False, compare=False)
    without_transform: EsmError | None = None
    left_out: Mapping[str, EsmError] = field(default_factory=dict, repr=False, compare=False)
    of_no_stream: Mapping[str, EsmError] = field(default_factory=dict, repr=False, compare=False)
    endpoints: Mapping[str, EndpointResource] = field(default_factory=dict)
    warehouses: Mapping[str, WarehouseResource] = field(default_factory=dict)

    def require_parameters(self) -> None:
        """Raise TemplateError where a parameter is given, or has a value, that cannot be meant."""
        for problem in self.problems:
            if problem.esm_code in _OF_PARAMETERS:
                raise problem

    def why_absent(self, name: str) -> EsmError | None:
        """Why a function or a mapping that is written in the template is none of its own."""
        if name in self.functions or name in self.mappings:
            return None
        of_events = (error for owner, error in self.left_out.items() if name.startswith(owner))
        exact = self.of_no_stream.get(name) or self.left_out.get(name)
        return exact or next(of_events, None)
