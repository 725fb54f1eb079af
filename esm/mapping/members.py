"""The values inside a mapping's properties: AWS's enums, patterns and nested objects.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from esm.mapping.constraints import FROM_LIST, matches, one_of

ARN = (
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
FUNCTION_NAME = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
KMS_KEY = r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"
DESTINATION = r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|" + ARN


class StartingPosition(StrEnum):
    """Where reading starts; in the order of AWS's error text."""

    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"
    TRIM_HORIZON = "TRIM_HORIZON"


class FunctionResponseType(StrEnum):
    """What a function's answer may tell the mapping."""

    REPORT_BATCH_ITEM_FAILURES = "ReportBatchItemFailures"


class Metric(StrEnum):
    """Groups of CloudWatch metrics; all but the first are for Kafka."""

    EVENT_COUNT = "EventCount"
    ERROR_COUNT = "ErrorCount"
    KAFKA_METRICS = "KafkaMetrics"


def aws_name(attribute: str) -> str:
    """`batch_size` -> `BatchSize`."""
    capitals = {"kms": "KMS", "db": "DB", "uri": "URI"}
    return "".join(capitals.get(word, word.title()) for word in attribute.split("_"))


class AwsObject(BaseModel):
    """AWS's CamelCase names outside, snake_case inside; no coercion, no unknown members."""

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="forbid",
        alias_generator=aws_name,
        validate_by_name=True,
        validate_by_alias=True,
    )


class Target(AwsObject):
    """Where invocation records go; an empty ARN is none."""

    destination: Annotated[str, Field(max_length=350), matches(DESTINATION)] = ""


class DestinationConfig(AwsObject):
    """`on_success` is never allowed for a stream."""

    on_success: Target | None = None
    on_failure: Target = Target()


class Filter(AwsObject):
    """One pattern, as JSON text."""

    pattern: Annotated[str, Field(max_length=4096)] = ""


class FilterCriteria(AwsObject):
    """A record passes when any of the filters matches it."""

    filters: Annotated[tuple[Filter, ...], FROM_LIST] = ()


class MetricsConfig(AwsObject):
    """Which groups of metrics CloudWatch gets."""

    metrics: Annotated[
        tuple[Annotated[Metric, one_of(Metric)], ...], FROM_LIST, Field(max_length=3)
    ] = ()
