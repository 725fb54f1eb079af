"""Knows every adapter: which class an ARN asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from esm.core.filtering import compile_pattern
from esm.destinations.memory import Bucket, Queue, Topic
from esm.payloads.dynamodb import DynamoDbEvents
from esm.payloads.dynamodb_filter import DynamoDbFilter
from esm.payloads.kinesis import KinesisEvents
from esm.payloads.kinesis_filter import KinesisFilter

if TYPE_CHECKING:
    from esm.patience import Wait
    from esm.ports import Destination, LiveSource, Payloads, RecordFilter
    from esm.settings import FanOutArn

MakeClient = Callable[[str, str], Any]
"""Makes boto3's client of a service in a region; "" where an ARN names none, as a bucket's."""

_IN_MEMORY: dict[str, type[Queue | Topic | Bucket]] = {"sns": Topic, "sqs": Queue, "s3": Bucket}


def destination_in_memory(arn: str) -> Queue | Topic | Bucket | None:
    """What stands in for the queue, topic or bucket of this ARN; None for other services."""
    _, _, service, *_ = [*arn.split(":"), "", "", ""]
    kind = _IN_MEMORY.get(service)
    return None if kind is None else kind(arn.rpartition(":")[2], arn=arn)


def destination_live(
    arn: str,
    make_client: MakeClient,
    *,
    wait: Wait,
    tell: Callable[[str], None] = lambda _: None,
) -> Destination | None:
    """The queue, topic or bucket of this ARN behind an endpoint; None for other services.

    It is tried again for a while, of which `tell` hears once a delivery; `wait` answers False when
    the run is being stopped.
    """
    # Their errors are botocore's, which a Harness has no need of.
    from esm.destinations.retrying import Retrying
    from esm.destinations.s3 import S3Destination
    from esm.destinations.sns import SnsDestination
    from esm.destinations.sqs import SqsDestination

    kinds: dict[str, Callable[[str, Any], Destination]]
    kinds = {"sns": SnsDestination, "sqs": SqsDestination, "s3": S3Destination}
    service, region = [*arn.split(":"), "", "", "", ""][2:4]
    kind = kinds.get(service)
    if kind is None:
        return None
    return Retrying(kind(arn, make_client(service, region)), wait=wait, tell=tell)


def source_live(arn: str, make_client: MakeClient) -> LiveSource:
    """The stream, table's stream or consumer of this ARN behind an endpoint."""
    # Their errors are botocore's, which a Harness has no need of.
    service, region = arn.split(":")[2:4]
    if service == "dynamodb":
        from esm.sources.dynamodb import DynamoDbStreamSource

        return DynamoDbStreamSource(arn, make_client("dynamodbstreams", region))
    if "/consumer/" in arn:
        from esm.sources.kinesis_subscription import KinesisConsumerSource

        return KinesisConsumerSource(arn, make_client("kinesis", region))
    from esm.sources.kinesis import KinesisSource

    return KinesisSource(arn, make_client("kinesis", region))


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
