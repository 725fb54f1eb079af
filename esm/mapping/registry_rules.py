"""What AWS refuses in the schema registry of a mapping of Kafka; texts are AWS's own, documented.

https://docs.aws.amazon.com/lambda/latest/dg/services-consume-kafka-events.html
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator

from esm.mapping import refusals
from esm.mapping.constraints import Path
from esm.mapping.faults import Fault, Request
from esm.mapping.kafka import EXAMPLES, SchemaRegistryConfig
from esm.mapping.properties import EventSourceMapping
from esm.mapping.sources import Source

_POLLERS = "ProvisionedPollerConfig"
_URL = re.compile(r"https://[^/:]+(:\d{1,5})?(/.*)?")
_GLUE = re.compile(r"arn:[^:]+:glue:(?P<region>[^:]+):(?P<account>\d{12}):registry/.+")

NOT_PROVISIONED = (
    "SchemaRegistryConfig is only available for Provisioned Mode. To configure Schema Registry, "
    "please enable Provisioned Mode by specifying MinimumPollers in ProvisionedPollerConfig."
)
MALFORMED_URI = (
    "Malformed SchemaRegistryURI provided. Please provide a valid URI or ARN. For example, "
    "https://schema-registry.example.com:8081 or "
    "arn:aws:glue:us-east-1:123456789012:registry/ExampleRegistry."
)
NO_FORMAT = (
    "EventRecordFormat is a required field for SchemaRegistryConfig. Please provide one of "
    "supported format types: SOURCE, JSON."
)
NO_VALIDATION = "SchemaValidationConfigs is a required field for SchemaRegistryConfig."
TWICE = (
    "Duplicate KEY/VALUE Attribute in SchemaValidationConfigs. SchemaValidationConfigs must "
    "contain at most one KEY/VALUE Attribute."
)
OTHER_ACCOUNT = "Cross-account Glue Schema Registry ARN not supported."
OTHER_REGION = "Cross-region Glue Schema Registry ARN not supported."


def registry_faults(
    request: Request, mapping: EventSourceMapping, *, is_provisioned: bool
) -> Iterator[Fault]:
    """What is wrong with the registry, if there is one."""
    is_own = request.source is Source.SELF_MANAGED_KAFKA
    kind = "SelfManaged" if is_own else "AmazonManaged"
    given = (
        mapping.self_managed_kafka_event_source_config
        if is_own
        else mapping.amazon_managed_kafka_event_source_config
    ).schema_registry_config
    path = (f"{kind}KafkaEventSourceConfig", "SchemaRegistryConfig")
    if not given.model_fields_set:
        return  # `{}` removes a registry
    if not is_provisioned:
        error = refusals.SCHEMA_REGISTRY.error(NOT_PROVISIONED, fix=request.paste(_POLLERS))
        yield Fault(error, path, (_POLLERS,))
    yield from _member_faults(given, path)
    yield from _place_faults(given, mapping, path)


def _member_faults(config: SchemaRegistryConfig, path: Path) -> Iterator[Fault]:
    is_glue = _GLUE.fullmatch(config.schema_registry_uri) is not None
    if not is_glue and _URL.fullmatch(config.schema_registry_uri) is None:
        yield _fault(MALFORMED_URI, path, "SchemaRegistryURI")
    if config.event_record_format is None:
        yield _fault(NO_FORMAT, path, "EventRecordFormat")
    attributes = Counter(entry.attribute for entry in config.schema_validation_configs)
    if not attributes:
        yield _fault(NO_VALIDATION, path, "SchemaValidationConfigs")
    elif max(attributes.values()) > 1:
        yield _fault(TWICE, path, "SchemaValidationConfigs")
    if is_glue and config.access_configs:
        # Documented; the text is ours.
        error = refusals.SCHEMA_REGISTRY.error(
            "AccessConfigs with a Glue schema registry", fix="remove AccessConfigs"
        )
        yield Fault(error, (*path, "AccessConfigs"))


def _place_faults(
    config: SchemaRegistryConfig, mapping: EventSourceMapping, path: Path
) -> Iterator[Fault]:
    """A Glue registry elsewhere, as far as an ARN tells where the mapping is."""
    registry = _GLUE.fullmatch(config.schema_registry_uri)
    own = mapping.function_name
    if not own.startswith("arn:"):
        own = mapping.event_source_arn if ":cluster/" in mapping.event_source_arn else ""
    if registry is None or not own:
        return
    region, account = own.split(":")[3:5]
    if registry["account"] != account:
        yield _fault(OTHER_ACCOUNT, path, "SchemaRegistryURI")
    elif registry["region"] != region:
        yield _fault(OTHER_REGION, path, "SchemaRegistryURI")


def _fault(message: str, path: Path, name: str) -> Fault:
    fix = f"{name}: {json.dumps(EXAMPLES[name])}"
    return Fault(refusals.SCHEMA_REGISTRY.error(message, fix=fix), (*path, name))
