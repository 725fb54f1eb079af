"""Mappings of a template: a SAM function's events, and AWS::Lambda::EventSourceMapping.

Both become AWS's properties in snake_case. SAM spells some differently, and splits some up:
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventsource.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from esm.errors import EsmError, NotEmulated, Place, TemplateError
from esm.template import complaints
from esm.template.identities import SAM_FUNCTION
from esm.template.model import Consumer, FunctionResource, MappingResource, SourceKind, Spot
from esm.template.nodes import Entries, Node, Scalar
from esm.template.properties import Reader
from esm.template.rendering import rendered
from esm.template.resolving import Resolver
from esm.template.sections import Declared, entries_of
from esm.template.values import converted, value_errors

_STREAM_EVENTS = {kind.value for kind in SourceKind} - {SourceKind.UNKNOWN.value}
_OTHER_EVENTS = {
    *("AlexaSkill", "Api", "CloudWatchEvent", "CloudWatchLogs", "Cognito", "DocumentDB"),
    *("EventBridgeRule", "HttpApi", "IoTRule", "MQ", "S3", "SNS", "SQS", "Schedule", "ScheduleV2"),
}
_PASSED_ON = {
    *("BatchSize", "BisectBatchOnFunctionError", "DestinationConfig", "Enabled", "FilterCriteria"),
    *("FunctionResponseTypes", "KmsKeyArn", "LoggingConfig", "MaximumBatchingWindowInSeconds"),
    *("MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "MetricsConfig"),
    *("ParallelizationFactor", "ProvisionedPollerConfig", "SourceAccessConfigurations"),
    *("StartingPosition", "StartingPositionTimestamp", "Topics", "TumblingWindowInSeconds"),
}
_OF_SAM = {"Stream", "KafkaBootstrapServers", "ConsumerGroupId", "SchemaRegistryConfig"}
_OF_CLOUDFORMATION = {
    *("AmazonManagedKafkaEventSourceConfig", "DocumentDBEventSourceConfig", "EventSourceArn"),
    *("FunctionName", "Queues", "ScalingConfig", "SelfManagedEventSource"),
    *("SelfManagedKafkaEventSourceConfig", "Tags"),
}
# Members of one object, which SAM has beside the other properties.
_SIDE_BY_SIDE = {"ConsumerGroupId", "SchemaRegistryConfig"}
# The same thing in SAM's events and in CloudFormation's mappings.
_ALSO_CALLED = {"EventSourceArn": "Stream", "Stream": "EventSourceArn"}
_LIKENESS = 0.6  # of a property to what was written
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FUNCTION = re.compile(r"(?:(?:.*:)?function:)?([^:]+)(?::(.*))?")
_KINDS = {
    "kinesis": SourceKind.KINESIS,
    "dynamodb": SourceKind.DYNAMODB,
    "kafka": SourceKind.MSK,
}
_TYPES = _KINDS | {"sqs": "SQS", "mq": "MQ", "rds": "DocumentDB"}
_CONSUMER = re.compile(r"arn:[^:]+:kinesis:[^:]+:\d{12}:stream/[^/]+/consumer/[^/:]+:\d+")
# What Lambda polls and this package does not: queues and document databases are left alone.
_OTHER_SERVICES = {"sqs", "mq", "rds"}


def attribute_of(name: str) -> str:
    """`BatchSize` -> `batch_size`."""
    return _WORD.sub("_", name).lower()


def sam_mappings(
    declared: Declared,
    function: FunctionResource,
    resolver: Resolver,
    consumers: Mapping[str, Consumer],
    problems: list[TemplateError],
    others: dict[str, EsmError],
) -> list[MappingResource]:
    """The mappings that a function's `Events` make.

    `problems` gets what is wrong with events that make none, `others` those of no stream, by name.
    """
    if declared.type != SAM_FUNCTION or "Events" not in declared.properties:
        return []
    events = declared.properties["Events"]
    found = []
    for event, node in entries_of(events, "Events").items():
        name = f"{function.logical_id}{event}"
        try:
            draft = _draft_of_event(event, node, resolver)
        except TemplateError as error:
            problems.append(error)
            continue
        assert isinstance(events, Entries)
        if draft is None:
            others[name] = _of_no_stream(name, _type_of(node), events.keys[event])
        else:
            found.append(draft.mapping(name, events.keys[event], [function], consumers))
    return found


def _draft_of_event(event: str, node: Node, resolver: Resolver) -> _Draft | None:
    entries = entries_of(node, event)
    kind = _kind_of_event(entries, event, node)
    if kind is None:
        return None
    properties = entries.get("Properties")
    reader = Reader(resolver, {} if properties is None else entries_of(properties, event))
    draft = _Draft(reader, properties, kind, is_sam_event=True)
    draft.compare_type(entries["Type"])
    return draft


def raw_mapping(
    declared: Declared,
    functions: Mapping[str, FunctionResource],
    resolver: Resolver,
    consumers: Mapping[str, Consumer],
    others: dict[str, EsmError],
) -> MappingResource | None:
    """An AWS::Lambda::EventSourceMapping; `others` gets it when it reads what is no stream."""
    reader = Reader(resolver, declared.properties)
    draft = _Draft(reader, declared.node, SourceKind.UNKNOWN, is_sam_event=False)
    arn = str(draft.properties.get("event_source_arn", ""))
    service = (arn.split(":") + [""] * 3)[2]
    if service in _OTHER_SERVICES:
        name = declared.logical_id
        others[name] = _of_no_stream(name, str(_TYPES[service]), declared.place)
        return None
    draft.kind = _KINDS.get(service, SourceKind.UNKNOWN)
    if draft.has("self_managed_event_source") and not draft.has("event_source_arn"):
        draft.kind = SourceKind.SELF_MANAGED_KAFKA
    return draft.mapping(declared.logical_id, declared.place, list(functions.values()), consumers)


def _kind_of_event(entries: Mapping[str, Node], event: str, node: Node) -> SourceKind | None:
    kind, name = entries.get("Type"), _type_of(node)
    if name in _STREAM_EVENTS:
        return SourceKind(name)
    if name in _OTHER_EVENTS:
        return None
    near = complaints.nearest(name, _STREAM_EVENTS | _OTHER_EVENTS)
    raise complaints.UNKNOWN_EVENT.at(
        (kind or node).place, f"{event} has the type {name!r}", fix=f"Type: {near}"
    )


def _type_of(node: Node) -> str:
    kind = node.entries.get("Type") if isinstance(node, Entries) else None
    return kind.raw if isinstance(kind, Scalar) else ""


def _of_no_stream(name: str, kind: str, place: Place) -> NotEmulated:
    kinds = (SourceKind.KINESIS, SourceKind.DYNAMODB)
    return NotEmulated(
        "E290",
        f"{name} is of type {kind}, and only mappings of streams are emulated",
        place=place,
        why="what Lambda does with other sources follows other rules",
        fix=" or ".join(f"Type: {kind}" for kind in kinds),
    )


class _Draft:
    """A mapping while its properties are being read."""

    def __init__(
        self, reader: Reader, node: Node | None, kind: SourceKind, *, is_sam_event: bool
    ) -> None:
        self.kind = kind
        self.properties: dict[str, object] = {}
        self._reader = reader
        self._spots: dict[str, Spot] = {}
        self._is_sam_event = is_sam_event
        self._names = _PASSED_ON | (_OF_SAM if is_sam_event else _OF_CLOUDFORMATION)
        if isinstance(node, Entries):
            for name, value in node.entries.items():
                self._take(name, Spot(name, node.keys[name], value))

    def has(self, attribute: str) -> bool:
        """Whether the property is there, with a value that is known or not."""
        return attribute in self._spots

    def compare_type(self, node: Node) -> None:
        """An event's type, against what its ARN says; the ARN is what is read."""
        arn = str(self.properties.get("event_source_arn", ""))
        service = (arn.split(":") + [""] * 3)[2]
        meant = _TYPES.get(service)
        if meant is None or meant == self.kind or self.kind is SourceKind.SELF_MANAGED_KAFKA:
            return
        message = f"an event of type {self.kind} reads {arn}"
        self._reader.note(complaints.OTHER_EVENT.at(node.place, message, fix=f"Type: {meant}"))
        self.kind = _KINDS.get(service, SourceKind.UNKNOWN)

    def mapping(
        self,
        name: str,
        place: Place,
        functions: Sequence[FunctionResource],
        consumers: Mapping[str, Consumer],
    ) -> MappingResource:
        """The mapping; a SAM event's only function is its own."""
        if self._is_sam_event:
            own = functions[0]
            self.properties["function_name"] = _qualified(own, self._reader)
            function_id: str | None = own.logical_id
        else:
            function_id = _function_id(self._function_name(), functions)
        return MappingResource(
            name=name,
            kind=self.kind,
            is_sam_event=self._is_sam_event,
            function_logical_id=function_id,
            qualifier=_parts(self._function_name())[1],
            consumer_arn=self._follow_consumer(consumers),
            properties=self.properties,
            place=place,
            problems=(*self._reader.problems, *self._reader.missing),
            spots=self._spots,
        )

    def _function_name(self) -> str:
        return str(self.properties.get("function_name", ""))

    def _take(self, name: str, spot: Spot) -> None:
        if name not in self._names:
            self._reader.note(_unknown(name, spot, self._names))
            return
        attribute = _target(name, self.kind)
        self._spots.setdefault(attribute, spot)
        if name in _SIDE_BY_SIDE:
            self._spots[f"{attribute}.{name}"] = spot
        mistakes = list(value_errors(name, spot, is_sam_event=self._is_sam_event))
        for mistake in mistakes:
            self._reader.note(mistake)
        value = None if mistakes else self._reader.value_of(spot.node)
        if value is None:
            return
        value = converted(name, value, is_sam_event=self._is_sam_event)
        present = self.properties.get(attribute)
        if isinstance(present, dict) and isinstance(value, dict):
            value = {**present, **value}  # SAM has the members of one object side by side
        self.properties[attribute] = value

    def _follow_consumer(self, consumers: Mapping[str, Consumer]) -> str | None:
        """Read the consumer's stream: fan-out changes how fast records come, not which."""
        source = str(self.properties.get("event_source_arn", ""))
        consumer = next((c for c in consumers.values() if c.arn == source), None)
        stream = consumer.stream_arn if consumer else source.partition("/consumer/")[0]
        if consumer is None and _CONSUMER.fullmatch(source) is None:
            return None
        self.properties["event_source_arn"] = stream
        return source


def _unknown(name: str, spot: Spot, names: set[str]) -> TemplateError:
    near = _ALSO_CALLED.get(name)
    if near is None or near not in names:
        near = complaints.nearest(name, names, likeness=_LIKENESS)
    if near is None:
        message = f"a mapping has no property {name!r}"
        return complaints.UNKNOWN_PROPERTY.at(spot.key, message, fix=f"remove {name}")
    return complaints.UNKNOWN_PROPERTY.at(
        spot.key, f"a mapping has no property {name!r}", fix=f"{near}: {rendered(spot.node)}"
    )


def _target(name: str, kind: SourceKind) -> str:
    match name:
        case "Stream":
            return "event_source_arn"
        case "KafkaBootstrapServers":
            return "self_managed_event_source"
        case "ConsumerGroupId" | "SchemaRegistryConfig":
            is_own = kind is SourceKind.SELF_MANAGED_KAFKA
            owner = "self_managed" if is_own else "amazon_managed"
            return f"{owner}_kafka_event_source_config"
    return attribute_of(name)


def _qualified(function: FunctionResource, reader: Reader) -> str:
    """SAM's mappings invoke the alias that a function is published under, if it has one."""
    node = function.nodes.get("AutoPublishAlias")
    alias = None if node is None else reader.text_of(node)
    return function.function_name if alias is None else f"{function.function_name}:{alias}"


def _function_id(name: str, functions: Sequence[FunctionResource]) -> str | None:
    bare, _ = _parts(name)
    return next((f.logical_id for f in functions if f.function_name == bare), None)


def _parts(name: str) -> tuple[str | None, str | None]:
    """A function's bare name, and the alias or version behind it, in a name or an ARN."""
    match = _FUNCTION.fullmatch(name)
    return (match[1], match[2]) if match else (None, None)
