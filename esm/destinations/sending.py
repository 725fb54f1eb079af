"""What the destinations behind an endpoint have in common: their text, and how they fail.

A delivery whose answer is lost is made again, so a destination may get one record twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from esm.aws_failures import AWS_FAILURES, may_pass, text_of
from esm.ports import DeliveryFailed


def body_of(invocation_record: Mapping[str, Any]) -> bytes:
    """An invocation record as the text that is sent."""
    return msgspec.json.encode(invocation_record)


@contextmanager
def delivering(arn: str) -> Iterator[None]:
    """What boto3 raises becomes DeliveryFailed.

    Who may not write there, what does not exist or what is too large stays so: how large a message
    may be is the queue's own to say (MaximumMessageSize, up to 1 MiB; a topic takes 256 KiB), so
    that is asked and not computed.
    """
    try:
        yield
    except AWS_FAILURES as error:
        raise DeliveryFailed(f"{arn}: {text_of(error)}", fatal=not may_pass(error)) from error


def part_of(answer: Mapping[str, Any], name: str, arn: str) -> str:
    """What every answer has: botocore takes a body that was cut on its way for an empty one."""
    if name not in answer:
        raise DeliveryFailed(f"{arn}: the answer has no {name}, so it was cut")
    return str(answer[name])
