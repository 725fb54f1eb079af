"""The properties of an event source mapping, each stated once: AWS's name, default and limits.

`EventSourceMapping` is the table: validation, AWS's error texts and the README are made from it.
Names, limits, enums and patterns are those of
https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
Nothing here looks at two properties at once; that is `esm.mapping.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field
from pydantic.fields import FieldInfo

from esm.core.model import INFINITE
from esm.mapping.constraints import (
    EPOCH_SECONDS,
    FROM_LIST,
    bare_name_length,
    map_lengths,
    matches,
    one_of,
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

_API = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"
_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg/"
_KINESIS = _GUIDE + "services-kinesis-parameters.html"

_ACCOUNT = "us-east-1:123456789012"


class Group(StrEnum):
    """What becomes of a property here."""

    ENFORCED = "Enforced"
    NO_EFFECT = "No effect on deliveries"
    NOT_EMULATED = "Not emulated"
    OTHER_SOURCE = "Of other sources"


class Basis(StrEnum):
    """How we know what AWS does with it."""

    RECORDED = "recordings of AWS"
    DOCUMENTED = "documentation"


@dataclass(frozen=True, slots=True)
class About:
    """What the table says of a property beside its name, default and numeric limits.

    `example` is a value that AWS takes, for error messages to paste; `values` says in words which
    values there are; `updatable`: whether UpdateEventSourceMapping has it.
    """

    group: Group
    basis: Basis
    page: str
    example: object
    values: str = ""
    updatable: bool = True


def _enforced(basis: Basis, example: object, values: str = "", page: str = _KINESIS) -> About:
    return About(Group.ENFORCED, basis, page, example, values)


def _fixed(basis: Basis, example: object, values: str) -> About:
    return About(Group.ENFORCED, basis, _KINESIS, example, values, updatable=False)


_OTHER_SOURCE = About(Group.OTHER_SOURCE, Basis.RECORDED, _API, None)
_OTHER_SOURCE_FIXED = About(Group.OTHER_SOURCE, Basis.RECORDED, _API, None, updatable=False)
_RECORDED, _DOCUMENTED = Basis.RECORDED, Basis.DOCUMENTED


class EventSourceMapping(AwsObject):
    """A mapping as AWS has it; `create` and `updated` make valid ones."""

    event_source_arn: Annotated[
        str,
        Field(max_length=10_000),
        matches(ARN),
        _fixed(_RECORDED, f"arn:aws:kinesis:{_ACCOUNT}:stream/orders", "ARN of a stream"),
    ]
    function_name: Annotated[
        str,
        Field(min_length=1, max_length=256),
        matches(FUNCTION_NAME),
        bare_name_length(64),
        _enforced(_DOCUMENTED, "orders-handler", "name or ARN, with or without qualifier"),
    ]
    enabled: Annotated[bool, _enforced(_DOCUMENTED, example=True)] = True
    batch_size: Annotated[int, Field(ge=1, le=10_000), _enforced(_RECORDED, 100)] = 100
    maximum_batching_window_in_seconds: Annotated[
        int, Field(ge=0, le=300), _enforced(_RECORDED, 5)
    ] = 0
    starting_position: Annotated[
        StartingPosition,
        one_of(StartingPosition),
        _fixed(_RECORDED, "TRIM_HORIZON", ", ".join(StartingPosition)),
    ]
    starting_position_timestamp: Annotated[
        Annotated[float, EPOCH_SECONDS] | None,
        _fixed(_DOCUMENTED, 1767225600, "epoch seconds, not in the future; with AT_TIMESTAMP only"),
    ] = None
    parallelization_factor: Annotated[int, Field(ge=1, le=10), _enforced(_DOCUMENTED, 1)] = 1
    bisect_batch_on_function_error: Annotated[bool, _enforced(_DOCUMENTED, example=True)] = False
    maximum_retry_attempts: Annotated[
        int, Field(ge=INFINITE, le=10_000), _enforced(_RECORDED, 2, "-1 (infinite) to 10000")
    ] = INFINITE
    maximum_record_age_in_seconds: Annotated[
        int,
        Field(ge=INFINITE, le=604_800),
        _enforced(_RECORDED, 3600, "-1 (infinite), or 60 to 604800"),
    ] = INFINITE
    function_response_types: Annotated[
        tuple[Annotated[FunctionResponseType, one_of(FunctionResponseType)], ...],
        FROM_LIST,
        Field(max_length=1),
        _enforced(
            _RECORDED,
            ["ReportBatchItemFailures"],
            "[] or [ReportBatchItemFailures]",
            _GUIDE + "services-kinesis-batchfailurereporting.html",
        ),
    ] = ()
    destination_config: Annotated[
        DestinationConfig,
        _enforced(
            _RECORDED,
            {"OnFailure": {"Destination": f"arn:aws:sqs:{_ACCOUNT}:orders-dlq"}},
            "OnFailure: ARN of a standard queue, a standard topic or a bucket",
            _GUIDE + "kinesis-on-failure-destination.html",
        ),
    ] = DestinationConfig()
    kms_key_arn: Annotated[
        str,
        Field(max_length=10_000),
        matches(KMS_KEY),
        About(
            Group.NO_EFFECT,
            _DOCUMENTED,
            _API,
            f"arn:aws:kms:{_ACCOUNT}:key/1",
            "ARN of a key, or empty",
        ),
    ] = ""
    metrics_config: Annotated[
        MetricsConfig,
        About(Group.NO_EFFECT, _DOCUMENTED, _API, {"Metrics": ["EventCount"]}, "EventCount"),
    ] = MetricsConfig()
    tags: Annotated[
        dict[str, str],
        map_lengths(key=(1, 128), value=256),
        About(
            Group.NO_EFFECT,
            _DOCUMENTED,
            _API,
            {"team": "orders"},
            "keys of 1 to 128, values of up to 256 characters",
            updatable=False,
        ),
    ] = Field(default_factory=dict)
    filter_criteria: Annotated[
        FilterCriteria,
        About(
            Group.NOT_EMULATED,
            _RECORDED,
            _GUIDE + "invocation-eventfiltering.html",
            {"Filters": []},
            "{} and an empty list of filters pass",
        ),
    ] = FilterCriteria()
    tumbling_window_in_seconds: Annotated[
        int,
        Field(ge=0, le=900),
        About(
            Group.NOT_EMULATED,
            _DOCUMENTED,
            _GUIDE + "services-kinesis-windows.html",
            0,
            "0 passes; AWS takes up to 900",
        ),
    ] = 0
    self_managed_event_source: Annotated[object, _OTHER_SOURCE_FIXED] = None
    topics: Annotated[object, _OTHER_SOURCE_FIXED] = None
    queues: Annotated[object, _OTHER_SOURCE_FIXED] = None
    source_access_configurations: Annotated[object, _OTHER_SOURCE] = None
    provisioned_poller_config: Annotated[object, _OTHER_SOURCE] = None
    logging_config: Annotated[object, _OTHER_SOURCE] = None
    scaling_config: Annotated[object, _OTHER_SOURCE] = None
    amazon_managed_kafka_event_source_config: Annotated[object, _OTHER_SOURCE] = None
    self_managed_kafka_event_source_config: Annotated[object, _OTHER_SOURCE] = None
    document_db_event_source_config: Annotated[object, _OTHER_SOURCE] = None

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
        required = {row.attribute for row in PROPERTIES if row.default == REQUIRED}
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
    return Property(aws_name(attribute), attribute, _default(field), values, about)


def _default(field: FieldInfo) -> str:
    if field.is_required():
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
