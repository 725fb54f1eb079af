"""What the Kinesis API answers when it refuses: AWS's codes, and AWS's words where published.

https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from collections.abc import Sequence

from esm.embedded.api import ApiError
from esm.sources.memory_limits import ThroughputExceeded

VALIDATION = "ValidationException"
INVALID_ARGUMENT = "InvalidArgumentException"
NOT_FOUND = "ResourceNotFoundException"
THROTTLED = "ProvisionedThroughputExceededException"


class KinesisApiError(ApiError):
    """An error answer of Kinesis."""


def constraint(member: str, value: str | None, rule: str) -> KinesisApiError:
    """A parameter that AWS's model does not allow; `value` None when AWS would not show it."""
    shown = "Value" if value is None else f"Value '{value}'"
    return KinesisApiError(
        VALIDATION,
        f"1 validation error detected: {shown} at '{member}' failed to satisfy constraint: "
        f"Member must {rule}",
    )


def missing(member: str) -> KinesisApiError:
    """A parameter that must be there."""
    return KinesisApiError(
        VALIDATION,
        f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
        "Member must not be null",
    )


def one_of(member: str, value: str, values: Sequence[str]) -> KinesisApiError:
    """A word that is none of those allowed."""
    return constraint(member, value, f"satisfy enum value set: [{', '.join(values)}]")


def no_shard(shard_id: str, stream: str, account: str) -> KinesisApiError:
    """A shard that the stream does not have."""
    return KinesisApiError(
        NOT_FOUND, f"Shard {shard_id} in stream {stream} under account {account} does not exist"
    )


def throttled(error: ThroughputExceeded) -> KinesisApiError:
    """A shard's write limit."""
    return KinesisApiError(THROTTLED, error.message)


def bad_iterator() -> KinesisApiError:
    """Text that is no shard iterator."""
    return KinesisApiError(INVALID_ARGUMENT, "Invalid ShardIterator.")
