"""The four sources of streams: how each is named in a request, and what its ARN looks like.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


class Source(StrEnum):
    """What a mapping reads; the words are SAM's types of events."""

    KINESIS = "Kinesis"
    DYNAMODB = "DynamoDB"
    MSK = "MSK"
    SELF_MANAGED_KAFKA = "SelfManagedKafka"


STREAMS = frozenset({Source.KINESIS, Source.DYNAMODB})
KAFKA = frozenset({Source.MSK, Source.SELF_MANAGED_KAFKA})
EVERY_SOURCE = STREAMS | KAFKA

EXAMPLE_ARNS: Mapping[Source | None, str] = {
    None: "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
    Source.KINESIS: "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
    Source.DYNAMODB: (
        "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
    ),
    Source.MSK: (
        "arn:aws:kafka:us-east-1:123456789012:cluster/orders/00000000-0000-0000-0000-000000000000-1"
    ),
}
"""ARNs for error messages to paste."""

OTHER_SERVICES = frozenset({"sqs", "mq", "rds"})
"""What Lambda polls beside streams; any other service is "unrecognized"."""

_OF_SERVICE = {
    "kinesis": Source.KINESIS,
    "dynamodb": Source.DYNAMODB,
    "kafka": Source.MSK,
}
_NAME = r"[a-zA-Z0-9_.-]"
_FORMS = {
    Source.KINESIS: re.compile(
        rf"arn:[^:]+:kinesis:[^:]+:\d{{12}}:stream/{_NAME}{{1,128}}"
        rf"(/consumer/{_NAME}{{1,128}}:\d+)?"
    ),
    Source.DYNAMODB: re.compile(
        rf"arn:[^:]+:dynamodb:[^:]+:\d{{12}}:table/{_NAME}{{1,255}}/stream/[^/]+"
    ),
    Source.MSK: re.compile(r"arn:[^:]+:kafka:[^:]+:\d{12}:(cluster|vpc-connection)/[^/]+/.+"),
}
_WANTED = {
    Source.KINESIS: "a stream's ARN ends in stream/NAME, or stream/NAME/consumer/CONSUMER:EPOCH",
    Source.DYNAMODB: "a table's stream has an ARN of its own, table/NAME/stream/LABEL",
    Source.MSK: "a cluster's ARN ends in cluster/NAME/UUID, or vpc-connection/…",
}


def service_of(arn: str) -> str:
    """`kinesis` of a stream's ARN; empty for what is no ARN."""
    return (arn.split(":") + [""] * 3)[2]


def source_of(given: Mapping[str, object]) -> Source | None:
    """The source that a request names, by properties with AWS's names; None for none of ours."""
    arn = str(given.get("EventSourceArn", ""))
    if not arn and "SelfManagedEventSource" in given:
        return Source.SELF_MANAGED_KAFKA
    return _OF_SERVICE.get(service_of(arn))


def form_fault(arn: str, source: Source) -> str | None:
    """Why an ARN cannot be that of such a source; None when it can."""
    if _FORMS[source].fullmatch(arn):
        return None
    if source is Source.DYNAMODB and ":table/" in arn and "/stream/" not in arn:
        return f"this is the ARN of a table: {_WANTED[source]}"
    return _WANTED[source]
