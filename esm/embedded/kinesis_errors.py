"""What the Kinesis API answers when it refuses: AWS's codes, and AWS's words where published.

https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from esm.embedded.api import ApiError
from esm.sources.memory_limits import ThroughputExceeded

VALIDATION = "ValidationException"
INVALID_ARGUMENT = "InvalidArgumentException"
IN_USE = "ResourceInUseException"
LIMIT = "LimitExceededException"
NOT_FOUND = "ResourceNotFoundException"
THROTTLED = "ProvisionedThroughputExceededException"


class KinesisApiError(ApiError):
    """An error answer of Kinesis."""


def violation(member: str, shown: str | None, rule: str) -> str:
    """A constraint that is not met; `shown` None when AWS would not show the value."""
    value = "Value" if shown is None else f"Value {shown}"
    return f"{value} at '{member}' failed to satisfy constraint: Member must {rule}"


def constraint(member: str, value: str | None, rule: str) -> KinesisApiError:
    """A parameter that AWS's model does not allow; `value` None when AWS would not show it."""
    shown = None if value is None else f"'{value}'"
    return KinesisApiError(
        VALIDATION, f"1 validation error detected: {violation(member, shown, rule)}"
    )


def missing(member: str) -> KinesisApiError:
    """A parameter that must be there."""
    found = violation(member, "null", "not be null")
    return KinesisApiError(VALIDATION, f"1 validation error detected: {found}")


def no_stream(name: str, account: str) -> KinesisApiError:
    """A stream that is not there, or not any more."""
    return KinesisApiError(NOT_FOUND, f"Stream {name} under account {account} not found.")


def no_consumer(name: str, account: str) -> KinesisApiError:
    """A consumer that is not there, or not any more."""
    return KinesisApiError(NOT_FOUND, f"Consumer {name} under account {account} not found.")


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
