"""What AWS refuses in a mapping of Kafka. Texts marked "recorded" or "documented" are AWS's own.

https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from esm.errors import MappingError
from esm.mapping import refusals
from esm.mapping.constraints import member_name
from esm.mapping.faults import Fault, Request
from esm.mapping.kafka import AccessType, ConsumptionMode, SourceAccessConfiguration
from esm.mapping.properties import PROPERTIES, EventSourceMapping
from esm.mapping.registry_rules import registry_faults
from esm.mapping.sources import KAFKA, Source

LONGEST_TIMEOUT_SECONDS = 840
MAXIMUM_POLLERS = 2000
DEFAULT_POLLERS = 200
_POLLERS = "ProvisionedPollerConfig"
_ACCESS = "SourceAccessConfigurations"

_OF_MSK = {AccessType.SASL_SCRAM_512_AUTH, AccessType.CLIENT_CERTIFICATE_TLS_AUTH}
_OF_RABBITMQ = {AccessType.VIRTUAL_HOST}
_WITHOUT_URI = {AccessType.IAM_AUTH, AccessType.IAM_OAUTHBEARER_AUTH}
_LITERALS = {
    AccessType.OAUTHBEARER_SCOPE,
    AccessType.OAUTHBEARER_AUDIENCE,
    AccessType.OAUTHBEARER_LOGICAL_CLUSTER,
    AccessType.OAUTHBEARER_IDENTITY_POOL,
}
_SECRET = (
    re.compile(r"arn:[^:]+:secretsmanager:[^:]+:\d{12}:secret:.+"),
    "the ARN of a secret",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:brokers",
)
_FORMS: Mapping[AccessType, tuple[re.Pattern[str], str, str]] = {
    AccessType.VPC_SUBNET: (
        re.compile(r"subnet:subnet-[0-9a-zA-Z]+"),
        "subnet:subnet-…",
        "subnet:subnet-0123456789abcdef0",
    ),
    AccessType.VPC_SECURITY_GROUP: (
        re.compile(r"security_group:sg-[0-9a-zA-Z]+"),
        "security_group:sg-…",
        "security_group:sg-0123456789abcdef0",
    ),
    **dict.fromkeys(_LITERALS, (re.compile(r".+"), "its value", "orders")),
}
# One of these must be there as well.
_REQUIRES: Mapping[AccessType, tuple[AccessType, ...]] = {
    AccessType.OAUTHBEARER_SCOPE: (AccessType.OAUTHBEARER_AUTH,),
    AccessType.OAUTHBEARER_LOGICAL_CLUSTER: (AccessType.OAUTHBEARER_AUTH,),
    AccessType.OAUTHBEARER_IDENTITY_POOL: (AccessType.OAUTHBEARER_AUTH,),
    AccessType.OAUTHBEARER_AUDIENCE: (
        AccessType.OAUTHBEARER_AUTH,
        AccessType.IAM_OAUTHBEARER_AUTH,
    ),
    AccessType.IAM_OAUTHBEARER_AUTH: (AccessType.OAUTHBEARER_AUDIENCE,),
}
_EXCLUDES: Mapping[AccessType, set[AccessType]] = {
    AccessType.IAM_OAUTHBEARER_AUTH: {
        AccessType.OAUTHBEARER_AUTH,
        AccessType.OAUTHBEARER_SCOPE,
        AccessType.OAUTHBEARER_LOGICAL_CLUSTER,
        AccessType.OAUTHBEARER_IDENTITY_POOL,
    },
}


def timeout_error(source: Source | None, seconds: int) -> MappingError | None:
    """What AWS has against the timeout of a function that a mapping invokes; the text is ours."""
    if source not in KAFKA or seconds <= LONGEST_TIMEOUT_SECONDS:
        return None
    return refusals.KAFKA_TIMEOUT.error(
        f"a function with a timeout of {seconds} s cannot read {source}",
        fix=f"Timeout: {LONGEST_TIMEOUT_SECONDS}",
    )


def group_error(name: str, pollers: int) -> MappingError:
    """What AWS has against a group of mappings with more pollers together; the text is ours."""
    return refusals.POLLERS.error(
        f"the mappings of the group {name} have {pollers} pollers, and it takes {MAXIMUM_POLLERS}",
        fix="another PollerGroupName, or lower MaximumPollers",
    )


def _needed(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """The text is recorded for SourceAccessConfigurations."""
    needed = {"Topics": mapping.topics}
    if request.source is Source.SELF_MANAGED_KAFKA:
        needed[_ACCESS] = mapping.source_access_configurations  # type: ignore[assignment]
    for name, value in needed.items():
        if not value:
            error = refusals.NEEDED_BY_KAFKA.error(
                f"Required '{member_name(name)}' parameter is missing.", fix=request.paste(name)
            )
            yield Fault(error, (name,))


def _provisioned_only(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the texts are ours."""
    if _is_provisioned(mapping):
        return
    fix = request.paste(_POLLERS)
    for row in PROPERTIES:
        if row.about.is_provisioned and row.name in request.given:
            error = refusals.PROVISIONED_ONLY.error(f"{row.name} without {_POLLERS}", fix=fix)
            yield Fault(error, (row.name,), (_POLLERS,))
    if (mapping.on_failure or "").startswith("kafka://"):
        error = refusals.PROVISIONED_ONLY.error(
            f"on-failure destination {mapping.on_failure} without {_POLLERS}", fix=fix
        )
        yield Fault(error, ("DestinationConfig", "OnFailure", "Destination"), (_POLLERS,))


def _is_provisioned(mapping: EventSourceMapping) -> bool:
    """`{}` switches provisioned mode off."""
    return mapping.provisioned_poller_config.model_dump(exclude_none=True) != {}


def _pollers(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the texts are ours."""
    config = mapping.provisioned_poller_config
    lowest = config.minimum_pollers or 1
    highest = config.maximum_pollers or DEFAULT_POLLERS
    if highest > MAXIMUM_POLLERS:
        error = refusals.POLLERS.error(
            f"MaximumPollers {highest}, and Kafka has {MAXIMUM_POLLERS} at most",
            fix=f"MaximumPollers: {MAXIMUM_POLLERS}",
        )
        yield Fault(error, (_POLLERS, "MaximumPollers"))
    elif lowest > highest:
        error = refusals.POLLERS.error(
            f"MinimumPollers {lowest} with MaximumPollers {highest}",
            fix=f"MinimumPollers: {highest}",
        )
        yield Fault(error, (_POLLERS, "MinimumPollers"))


def _queue_mode(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the texts are ours."""
    config = mapping.self_managed_kafka_event_source_config
    if config.consumption_mode is not ConsumptionMode.QUEUE:
        return
    refused = ["StartingPosition", "StartingPositionTimestamp", "MaximumBatchingWindowInSeconds"]
    if mapping.maximum_retry_attempts == -1:
        refused.append("MaximumRetryAttempts")
    for name in refused:
        if name in request.given:
            what = f"{name} {request.given[name]} with ConsumptionMode Queue"
            error = refusals.QUEUE_MODE.error(what, fix=request.without(name))
            yield Fault(error, (name,), ("SelfManagedKafkaEventSourceConfig",))


def _source_topic(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the text is ours."""
    if mapping.on_failure in {f"kafka://{topic}" for topic in mapping.topics}:
        error = refusals.SOURCE_TOPIC.error(
            f"on-failure destination {mapping.on_failure} is the topic that is read",
            fix=f'Destination: "{mapping.on_failure}-failures"',
        )
        yield Fault(error, ("DestinationConfig", "OnFailure", "Destination"), ("Topics",))


def _access(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the texts are ours."""
    types = {entry.type for entry in mapping.source_access_configurations}
    for index, entry in enumerate(mapping.source_access_configurations):
        error = _type_error(entry.type, request.source)
        if error is not None:
            yield Fault(error, (_ACCESS, index, "Type"))
            continue
        assert entry.type is not None
        error = _uri_error(entry, entry.type)
        if error is not None:
            yield Fault(error, (_ACCESS, index, "URI"))
        error = _company_error(entry.type, types)
        if error is not None:
            yield Fault(error, (_ACCESS, index, "Type"))


def _type_error(kind: AccessType | None, source: Source | None) -> MappingError | None:
    fix = f'Type: "{AccessType.SASL_SCRAM_512_AUTH}"'
    if kind is None:
        return refusals.ACCESS_VALUE.error("an access configuration without Type", fix=fix)
    if kind in _OF_RABBITMQ or (source is Source.MSK and kind not in _OF_MSK):
        return refusals.ACCESS_OF_SOURCE.error(f"{source} has no access by {kind}", fix=fix)
    return None


def _uri_error(entry: SourceAccessConfiguration, kind: AccessType) -> MappingError | None:
    if kind in _WITHOUT_URI:
        message = f"{kind} has no URI: the function's role is enough"
        return refusals.ACCESS_VALUE.error(message, fix="remove URI") if entry.uri else None
    form, words, example = _FORMS.get(kind, _SECRET)
    if form.fullmatch(entry.uri):
        return None
    given = f"not {entry.uri!r}" if entry.uri else "and has none"
    return refusals.ACCESS_VALUE.error(
        f"the URI of {kind} must be {words}, {given}", fix=f'URI: "{example}"'
    )


def _company_error(kind: AccessType, types: set[AccessType | None]) -> MappingError | None:
    needed = _REQUIRES.get(kind, ())
    if needed and types.isdisjoint(needed):
        message = f"{kind} without {' or '.join(needed)}"
        return refusals.ACCESS_TOGETHER.error(message, fix=f'Type: "{needed[0]}"')
    refused = sorted(other for other in _EXCLUDES.get(kind, ()) if other in types)
    if refused:
        message = f"{kind} with {refused[0]}"
        return refusals.ACCESS_TOGETHER.error(message, fix=f"remove {refused[0]}")
    return None


_EACH: tuple[Callable[[Request, EventSourceMapping], Iterator[Fault]], ...] = (
    _needed,
    _provisioned_only,
    _pollers,
    _queue_mode,
    _source_topic,
    _access,
)


def kafka_faults(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Everything that is wrong with a mapping of Kafka."""
    if request.source not in KAFKA:
        return
    for rule in _EACH:
        yield from rule(request, mapping)
    yield from registry_faults(request, mapping, is_provisioned=_is_provisioned(mapping))
