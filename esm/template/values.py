"""Values of a mapping's properties: what CloudFormation refuses, and the API's form of the rest."""

from __future__ import annotations

from collections.abc import Iterator

from esm.errors import TemplateError
from esm.template import complaints
from esm.template.model import Spot
from esm.template.nodes import Entries, Items, Node, Scalar, function_of, is_null
from esm.template.properties import as_boolean, as_integer, as_number
from esm.template.rendering import rendered

_INTEGERS = {
    *("BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds"),
    *("MaximumRetryAttempts", "ParallelizationFactor", "TumblingWindowInSeconds"),
}
_BOOLEANS = {"Enabled", "BisectBatchOnFunctionError"}
_SERVERS = "KafkaBootstrapServers"
_EXAMPLE_QUEUE = '"arn:aws:sqs:us-east-1:123456789012:failures"'


def value_errors(name: str, spot: Spot, *, is_sam_event: bool) -> Iterator[TemplateError]:
    """What CloudFormation or SAM refuse before the API sees it."""
    yield from _nulls(name, spot.node)
    if function_of(spot.node) is not None or is_null(spot.node):
        return
    match name:
        case "Tags":
            yield from _tag_errors(spot.node)
        case "DestinationConfig":
            yield from _destination_errors(spot.node, is_sam_event=is_sam_event)
        case "SelfManagedEventSource":
            yield from _endpoint_errors(spot.node)


def converted(name: str, value: object, *, is_sam_event: bool) -> object:
    """The API's form of a value; what has a form of its own is left for the API to refuse."""
    match name, value:
        case (("ConsumerGroupId" | "SchemaRegistryConfig"), _):
            return {name: value}
        case "KafkaBootstrapServers", _:
            return {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": value}}
        case "SelfManagedEventSource", {"Endpoints": {"KafkaBootstrapServers": servers}}:
            return {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}
        case "ProvisionedPollerConfig", dict():
            return {member: as_integer(number) for member, number in value.items()}
        case "DestinationConfig", dict() if is_sam_event:
            return _without_type(value)
        case "Tags", list():
            pairs = [pair for pair in value if isinstance(pair, dict)]
            return {str(pair.get("Key", "")): pair.get("Value") for pair in pairs}
        case "StartingPositionTimestamp", _:
            return as_number(value)
        case _ if name in _INTEGERS:
            return as_integer(value)
        case _ if name in _BOOLEANS:
            return as_boolean(value)
    return value


def _without_type(value: dict[str, object]) -> dict[str, object]:
    """SAM's `Type` beside a destination only says which permission the function needs."""
    target = value.get("OnFailure")
    if not isinstance(target, dict):
        return value
    return {**value, "OnFailure": {n: member for n, member in target.items() if n != "Type"}}


def _nulls(name: str, node: Node) -> Iterator[TemplateError]:
    """CloudFormation takes null nowhere."""
    match node:
        case Scalar(value=None):
            message = f"{name} has no value"
            yield complaints.WRONG_TYPE.at(node.place, message, fix=f"remove {name}")
        case Items():
            for item in node.items:
                yield from _nulls(name, item)
        case Entries():
            for inner, value in node.entries.items():
                yield from _nulls(inner, value)


def _tag_errors(node: Node) -> Iterator[TemplateError]:
    if isinstance(node, Entries):
        pairs = ", ".join(
            f"{{Key: {name}, Value: {rendered(value)}}}" for name, value in node.entries.items()
        )
        yield complaints.WRONG_TYPE.at(
            node.place, "Tags must be a list of Key and Value, not a map", fix=f"Tags: [{pairs}]"
        )
    for item in node.items if isinstance(node, Items) else ():
        if isinstance(item, Entries) and not function_of(item):
            for missing in sorted({"Key", "Value"} - item.entries.keys()):
                yield complaints.MISSING.at(
                    item.place, f"a tag needs a {missing}", fix=f"{missing}: orders"
                )


def _destination_errors(node: Node, *, is_sam_event: bool) -> Iterator[TemplateError]:
    """A destination that is none; what a condition leaves out is left out."""
    entries = node.entries if isinstance(node, Entries) else {}
    target = entries.get("OnFailure")
    if target is None:
        if is_sam_event and isinstance(node, Entries) and "OnSuccess" not in entries:
            fix = f"OnFailure: {{Destination: {_EXAMPLE_QUEUE}}}"
            yield complaints.MISSING.at(node.place, "DestinationConfig needs OnFailure", fix=fix)
        return
    if isinstance(target, Entries) and not {"Destination", "Fn::If"} & target.entries.keys():
        fix = f"Destination: {_EXAMPLE_QUEUE}"
        yield complaints.MISSING.at(target.place, "OnFailure needs a Destination", fix=fix)


def _endpoint_errors(node: Node) -> Iterator[TemplateError]:
    endpoints = node.entries.get("Endpoints") if isinstance(node, Entries) else None
    if not isinstance(endpoints, Entries) or function_of(endpoints):
        return
    for name, value in endpoints.entries.items():
        if name != _SERVERS:
            yield complaints.UNKNOWN_PROPERTY.at(
                endpoints.keys[name],
                f"Endpoints has no property {name!r}",
                fix=f"{_SERVERS}: {rendered(value)}",
            )
