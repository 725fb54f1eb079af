"""Knows every adapter: which class an ARN asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from esm.core.filtering import compile_pattern
from esm.destinations.memory import Bucket, Queue, Topic
from esm.payloads.dynamodb import DynamoDbEvents
from esm.payloads.dynamodb_filter import DynamoDbFilter
from esm.payloads.kinesis import KinesisEvents
from esm.payloads.kinesis_filter import KinesisFilter

if TYPE_CHECKING:
    from esm.ports import Payloads, RecordFilter
    from esm.settings import FanOutArn

_IN_MEMORY: dict[str, type[Queue | Topic | Bucket]] = {"sns": Topic, "sqs": Queue, "s3": Bucket}


def destination_in_memory(arn: str) -> Queue | Topic | Bucket | None:
    """What stands in for the queue, topic or bucket of this ARN; None for other services."""
    _, _, service, *_ = [*arn.split(":"), "", "", ""]
    kind = _IN_MEMORY.get(service)
    return None if kind is None else kind(arn.rpartition(":")[2], arn=arn)


def events_for(source: Any, function_arn: str, *, fan_out_arn: FanOutArn) -> Payloads:
    """Events as the captured function saw them, or as a function with a role of its own would."""
    capture = getattr(source, "capture", None)
    service, arn_region = source.arn.split(":")[2:4]
    region = capture.region if capture and capture.region else arn_region
    if service == "dynamodb":
        return DynamoDbEvents(source.arn, region)
    account, name = (function_arn.split(":")[i] for i in (4, 6))
    role = f"arn:aws:iam::{account}:role/{name}-role"
    arn = source.arn.partition("/consumer/")[0] if fan_out_arn == "stream" else source.arn
    return KinesisEvents(arn, region, (capture and capture.role_arn) or role)


def filter_for(payloads: Payloads, patterns: Sequence[str]) -> RecordFilter | None:
    """What FilterCriteria do to records of this kind; None where there are none."""
    compiled = [compile_pattern(pattern) for pattern in patterns]
    match payloads:
        case _ if not compiled:
            return None
        case KinesisEvents():
            return KinesisFilter(compiled, payloads)
        case DynamoDbEvents():
            return DynamoDbFilter(compiled, payloads)
        case _:
            raise AssertionError(payloads)
