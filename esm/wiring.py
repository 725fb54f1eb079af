"""Knows every adapter: which class an ARN asks for."""

from __future__ import annotations

from esm.destinations.memory import Bucket, Queue, Topic

_IN_MEMORY: dict[str, type[Queue | Topic | Bucket]] = {"sns": Topic, "sqs": Queue, "s3": Bucket}


def destination_in_memory(arn: str) -> Queue | Topic | Bucket | None:
    """What stands in for the queue, topic or bucket of this ARN; None for other services."""
    _, _, service, *_ = [*arn.split(":"), "", "", ""]
    kind = _IN_MEMORY.get(service)
    return None if kind is None else kind(arn.rpartition(":")[2], arn=arn)
