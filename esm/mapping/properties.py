"""The properties of an event source mapping, each stated once: AWS's name, default and limits.

`EventSourceMapping` is the table: validation, AWS's error texts and the README are made from it.
Names, limits, enums and patterns are those of
https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
Nothing here looks at two properties at once; that is `esm.mapping.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field
from pydantic.fields import FieldInfo

from esm.core.model import INFINITE
from esm.mapping.about import ACCOUNT, API, GUIDE, SECRET, About, Basis, Group, kafkas, nobodys
from esm.mapping.constraints import (
    EPOCH_SECONDS,
    FROM_LIST,
    bare_name_length,
    map_lengths,
    matches,
    one_of,
)
from esm.mapping.kafka import (
    AmazonManagedKafkaConfig,
    LoggingConfig,
    ProvisionedPollerConfig,
    SelfManagedEventSource,
    SelfManagedKafkaConfig,
    SourceAccessConfiguration,
    Topics,
)
from esm.mapping.members import (
    ARN,
    FUNCTION_NAME,
    KMS_KEY,
    AwsObject,
    DestinationConfig,
    FilterCriteria,
    FunctionResponseType,
    MetricsConfig,
    StartingPosition,
    aws_name,
)
from esm.mapping.sources import EVERY_SOURCE, STREAMS, Source

_RECORDED = Basis.RECORDED
_FAILURES = GUIDE + "services-kinesis-batchfailurereporting.html"
_DESTINATIONS = GUIDE + "kinesis-on-failure-destination.html"
_FILTERS = GUIDE + "invocation-eventfiltering.html"
_WINDOWS = GUIDE + "services-kinesis-windows.html"


class EventSourceMapping(AwsObject):
    """A mapping as AWS has it; `create` and `updated` make valid ones."""

    event_source_arn: Annotated[
        str,
        Field(max_length=10_000),
        matches(ARN),
        About(
            f"arn:aws:kinesis:{ACCOUNT}:stream/orders",
            "ARN of a stream",
            _RECORDED,
            updatable=False,
            sources=STREAMS | {Source.MSK},
            is_required=True,
        ),
    ] = ""
    function_name: Annotated[
        str,
        Field(min_length=1, max_length=256),
        matches(FUNCTION_NAME),
        bare_name_length(64),
        About("orders-handler", "name or ARN, with or without qualifier", is_required=True),
    ]
    enabled: Annotated[bool, About(example=True)] = True
    batch_size: Annotated[int, Field(ge=1, le=10_000), About(100, basis=_RECORDED)] = 100
    maximum_batching_window_in_seconds: Annotated[
        int, Field(ge=0, le=300), About(5, basis=_RECORDED)
    ] = 0
    starting_position: Annotated[
        StartingPosition,
        one_of(StartingPosition),
        About(
            "TRIM_HORIZON",
            ", ".join(StartingPosition),
            _RECORDED,
            updatable=False,
            is_required=True,
        ),
    ] = StartingPosition.TRIM_HORIZON
    starting_position_timestamp: Annotated[
        Annotated[float, EPOCH_SECONDS] | None,
        About(
            1767225600,
            "epoch seconds, not in the future; with AT_TIMESTAMP only",
            updatable=False,
            sources=EVERY_SOURCE - {Source.DYNAMODB},
        ),
    ] = None
    parallelization_factor: Annotated[int, Field(ge=1, le=10), About(1, sources=STREAMS)] = 1
    bisect_batch_on_function_error: Annotated[bool, About(example=True, is_provisioned=True)] = (
        False
    )
    maximum_retry_attempts: Annotated[
        int,
        Field(ge=INFINITE, le=10_000),
        About(2, "-1 (infinite) to 10000", _RECORDED, is_provisioned=True),
    ] = INFINITE
    maximum_record_age_in_seconds: Annotated[
        int,
        Field(ge=INFINITE, le=604_800),
        About(3600, "-1 (infinite), or 60 to 604800", _RECORDED, is_provisioned=True),
    ] = INFINITE
    function_response_types: Annotated[
        tuple[Annotated[FunctionResponseType, one_of(FunctionResponseType)], ...],
        FROM_LIST,
        Field(max_length=1),
        About(
            ["ReportBatchItemFailures"],
            "[] or [ReportBatchItemFailures]",
            _RECORDED,
            page=_FAILURES,
            is_provisioned=True,
        ),
    ] = ()
    destination_config: Annotated[
        DestinationConfig,
        About(
            {"OnFailure": {"Destination": f"arn:aws:sqs:{ACCOUNT}:orders-dlq"}},
            "OnFailure: ARN of a standard queue, a standard topic or a bucket",
            _RECORDED,
            page=_DESTINATIONS,
        ),
    ] = DestinationConfig()
    kms_key_arn: Annotated[
        str,
        Field(max_length=10_000),
        matches(KMS_KEY),
        About(
            f"arn:aws:kms:{ACCOUNT}:key/1",
            "ARN of a key, or empty",
            group=Group.NO_EFFECT,
            page=API,
        ),
    ] = ""
    metrics_config: Annotated[
        MetricsConfig,
        About({"Metrics": ["EventCount"]}, "EventCount", group=Group.NO_EFFECT, page=API),
    ] = MetricsConfig()
    tags: Annotated[
        dict[str, str],
        map_lengths(key=(1, 128), value=256),
        About(
            {"team": "orders"},
            "keys of 1 to 128, values of up to 256 characters",
            group=Group.NO_EFFECT,
            page=API,
            updatable=False,
        ),
    ] = Field(default_factory=dict)
    filter_criteria: Annotated[
        FilterCriteria,
        About(
            {"Filters": [{"Pattern": '{"data": {"id": [1]}}'}]},
            "Filters: up to 5 patterns of up to 4096 characters",
            _RECORDED,
            page=_FILTERS,
        ),
    ] = FilterCriteria()
    tumbling_window_in_seconds: Annotated[
        int,
        Field(ge=0, le=900),
        About(60, page=_WINDOWS, sources=STREAMS),
    ] = 0
    self_managed_event_source: Annotated[
        SelfManagedEventSource | None,
        kafkas(
            {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["broker:9092"]}},
            Source.SELF_MANAGED_KAFKA,
            updatable=False,
        ),
    ] = None
    topics: Annotated[Topics, kafkas(["orders"], updatable=False)] = ()
    source_access_configurations: Annotated[
        tuple[SourceAccessConfiguration, ...],
        FROM_LIST,
        Field(max_length=23),
        kafkas([{"Type": "SASL_SCRAM_512_AUTH", "URI": SECRET}]),
    ] = ()
    provisioned_poller_config: Annotated[ProvisionedPollerConfig, kafkas({"MinimumPollers": 1})] = (
        ProvisionedPollerConfig()
    )
    logging_config: Annotated[
        LoggingConfig, kafkas({"SystemLogLevel": "INFO"}, is_provisioned=True)
    ] = LoggingConfig()
    amazon_managed_kafka_event_source_config: Annotated[
        AmazonManagedKafkaConfig, kafkas({"ConsumerGroupId": "orders"}, Source.MSK)
    ] = AmazonManagedKafkaConfig()
    self_managed_kafka_event_source_config: Annotated[
        SelfManagedKafkaConfig, kafkas({"ConsumerGroupId": "orders"}, Source.SELF_MANAGED_KAFKA)
    ] = SelfManagedKafkaConfig()
    queues: Annotated[object, nobodys(updatable=False)] = None
    scaling_config: Annotated[object, nobodys()] = None
    document_db_event_source_config: Annotated[object, nobodys()] = None

    @property
    def on_failure(self) -> str | None:
        """ARN of the on-failure destination, if there is one."""
        return self.destination_config.on_failure.destination or None

    @property
    def report_batch_item_failures(self) -> bool:
        """Whether the function's answer may name the records that failed."""
        return FunctionResponseType.REPORT_BATCH_ITEM_FAILURES in self.function_response_types

    @property
    def no_effect(self) -> tuple[str, ...]:
        """AWS's names of the properties given that change nothing about deliveries."""
        unused = (row for row in PROPERTIES if row.about.group is Group.NO_EFFECT)
        return tuple(row.name for row in unused if row.name in self.changed())

    def changed(self) -> dict[str, object]:
        """The optional properties that differ from AWS's defaults, by AWS's name, as JSON."""
        required = {row.attribute for row in PROPERTIES if row.about.is_required}
        return self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude_none=True, exclude=required
        )


REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Property:
    """A row of the table; `default` and `values` are its text."""

    name: str
    attribute: str
    default: str
    values: str
    about: About


def _row(attribute: str, field: FieldInfo) -> Property:
    about = next(item for item in field.metadata if isinstance(item, About))
    values = about.values or _values(field)
    return Property(aws_name(attribute), attribute, _default(field, about), values, about)


def _default(field: FieldInfo, about: About) -> str:
    if about.is_required:
        return REQUIRED
    if isinstance(field.default, int):
        return str(field.default).lower()
    return "none"


def _values(field: FieldInfo) -> str:
    if field.annotation is bool:
        return "true, false"
    lowest = [item.ge for item in field.metadata if isinstance(item, Ge)]
    highest = [item.le for item in field.metadata if isinstance(item, Le)]
    return f"{lowest[0]} to {highest[0]}" if lowest and highest else ""


PROPERTIES = tuple(_row(*item) for item in EventSourceMapping.model_fields.items())
"""Every property of CreateEventSourceMapping, in the order of the README's table."""
