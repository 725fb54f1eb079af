"""The values that only Kafka's mappings have, as AWS's API limits them one by one.

What they must be together is in `esm.mapping.kafka_rules`.
https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from esm.mapping.about import SECRET
from esm.mapping.constraints import FROM_LIST, matches, one_of
from esm.mapping.members import ARN, AwsObject

TOPIC = r"[^.]([a-zA-Z0-9\-_.]+)"
ENDPOINT = (
    r"(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])\.)*"
    r"([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9]):[0-9]{1,5}"
)
ACCESS_URI = r"[ a-zA-Z0-9-\/*:_+=.@-]*"
REGISTRY_URI = r"[a-zA-Z0-9-\/*:_+=.@-]*"
POLLER_GROUP = r"[a-zA-Z0-9-_]*"

EXAMPLES: Mapping[str, object] = {
    "Attribute": "VALUE",
    "ConsumerGroupId": "orders",
    "ConsumptionMode": "Stream",
    "EventRecordFormat": "JSON",
    "KAFKA_BOOTSTRAP_SERVERS": ["broker:9092"],
    "MaximumPollers": 200,
    "MinimumPollers": 1,
    "PollerGroupName": "orders",
    "SchemaRegistryURI": "https://schema-registry.example.com:8081",
    "SchemaValidationConfigs": [{"Attribute": "VALUE"}],
    "SystemLogLevel": "INFO",
    "Type": "SASL_SCRAM_512_AUTH",
    "URI": SECRET,
}
"""What AWS takes inside of the properties, for error messages to paste."""


class AccessType(StrEnum):
    """How pollers reach their brokers; in the order of AWS's API."""

    BASIC_AUTH = "BASIC_AUTH"
    VPC_SUBNET = "VPC_SUBNET"
    VPC_SECURITY_GROUP = "VPC_SECURITY_GROUP"
    SASL_SCRAM_512_AUTH = "SASL_SCRAM_512_AUTH"
    SASL_SCRAM_256_AUTH = "SASL_SCRAM_256_AUTH"
    VIRTUAL_HOST = "VIRTUAL_HOST"
    CLIENT_CERTIFICATE_TLS_AUTH = "CLIENT_CERTIFICATE_TLS_AUTH"
    SERVER_ROOT_CA_CERTIFICATE = "SERVER_ROOT_CA_CERTIFICATE"
    OAUTHBEARER_AUTH = "OAUTHBEARER_AUTH"
    OAUTHBEARER_SCOPE = "OAUTHBEARER_SCOPE"
    OAUTHBEARER_AUDIENCE = "OAUTHBEARER_AUDIENCE"
    OAUTHBEARER_LOGICAL_CLUSTER = "OAUTHBEARER_LOGICAL_CLUSTER"
    OAUTHBEARER_IDENTITY_POOL = "OAUTHBEARER_IDENTITY_POOL"
    IAM_AUTH = "IAM_AUTH"
    IAM_OAUTHBEARER_AUTH = "IAM_OAUTHBEARER_AUTH"


class ConsumptionMode(StrEnum):
    """A consumer group, or a share group without order."""

    STREAM = "Stream"
    QUEUE = "Queue"


class LogLevel(StrEnum):
    """How much the pollers tell."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"


class RecordFormat(StrEnum):
    """What a function gets of a record with a schema."""

    JSON = "JSON"
    SOURCE = "SOURCE"


class RegistryAccessType(StrEnum):
    """How pollers reach a schema registry."""

    BASIC_AUTH = "BASIC_AUTH"
    CLIENT_CERTIFICATE_TLS_AUTH = "CLIENT_CERTIFICATE_TLS_AUTH"
    SERVER_ROOT_CA_CERTIFICATE = "SERVER_ROOT_CA_CERTIFICATE"
    OAUTHBEARER_AUTH = "OAUTHBEARER_AUTH"


class ValidatedAttribute(StrEnum):
    """The part of a record that has a schema."""

    KEY = "KEY"
    VALUE = "VALUE"


Topics = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=249), matches(TOPIC)], ...],
    FROM_LIST,
    Field(min_length=1, max_length=1),
]
ConsumerGroupId = Annotated[str, Field(min_length=1, max_length=200), matches(ACCESS_URI)]


class Endpoints(AwsObject):
    """A map with this one key."""

    kafka_bootstrap_servers: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=300), matches(ENDPOINT)], ...],
        FROM_LIST,
        Field(min_length=1, max_length=10, alias="KAFKA_BOOTSTRAP_SERVERS"),
    ]


class SelfManagedEventSource(AwsObject):
    """A cluster by its brokers."""

    endpoints: Endpoints


class SourceAccessConfiguration(AwsObject):
    """One way of access, and what it needs: mostly the ARN of a secret."""

    type: Annotated[AccessType | None, one_of(AccessType)] = None
    uri: Annotated[str, Field(min_length=1, max_length=200), matches(ACCESS_URI)] = ""


class ProvisionedPollerConfig(AwsObject):
    """Pollers that are there before they are needed; without any member, none are."""

    minimum_pollers: Annotated[int, Field(ge=1, le=200)] | None = None
    maximum_pollers: Annotated[int, Field(ge=1, le=10_000)] | None = None
    poller_group_name: Annotated[str, Field(max_length=128), matches(POLLER_GROUP)] | None = None


class LoggingConfig(AwsObject):
    """What the pollers write to CloudWatch."""

    system_log_level: Annotated[LogLevel | None, one_of(LogLevel)] = None


class RegistryAccess(AwsObject):
    """One way of access to a schema registry."""

    type: Annotated[RegistryAccessType | None, one_of(RegistryAccessType)] = None
    uri: Annotated[str, Field(max_length=10_000), matches(ARN)] = ""


class ValidationConfig(AwsObject):
    """A part of each record that is looked up in the registry."""

    attribute: Annotated[ValidatedAttribute | None, one_of(ValidatedAttribute)] = None


class SchemaRegistryConfig(AwsObject):
    """Where schemas are, and what is done with them; without any member, there is none."""

    schema_registry_uri: Annotated[
        str, Field(min_length=1, max_length=10_000), matches(REGISTRY_URI)
    ] = ""
    event_record_format: Annotated[RecordFormat | None, one_of(RecordFormat)] = None
    access_configs: Annotated[tuple[RegistryAccess, ...], FROM_LIST] = ()
    schema_validation_configs: Annotated[tuple[ValidationConfig, ...], FROM_LIST] = ()


class AmazonManagedKafkaConfig(AwsObject):
    """What a mapping of MSK has beside the properties of all sources."""

    consumer_group_id: ConsumerGroupId = ""
    schema_registry_config: SchemaRegistryConfig = SchemaRegistryConfig()


class SelfManagedKafkaConfig(AmazonManagedKafkaConfig):
    """The same for brokers of one's own."""

    consumption_mode: Annotated[ConsumptionMode, one_of(ConsumptionMode)] = ConsumptionMode.STREAM
