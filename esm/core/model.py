"""The data that the rules speak of: records, policies, positions, batches, fates.

Instants and durations are `int` milliseconds with the suffix `_ms`; sizes are bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

# The state of a tumbling window, per shard, "1 MB".
# https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
STATE_LIMIT_BYTES = 1_048_576

# The synchronous invoke request limit, "6 MB".
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PAYLOAD_LIMIT_BYTES = 6_291_456

INFINITE = -1
"""AWS's number for "no limit" in MaximumRetryAttempts and MaximumRecordAgeInSeconds."""


class Record(Protocol):
    """What the core needs to know of a record; sources give richer objects."""

    @property
    def position(self) -> int:
        """Read order within its shard; compares like the sequence number."""

    @property
    def key(self) -> str:
        """What order is kept by when a shard has several lanes (Kinesis: the partition key)."""

    @property
    def arrived_ms(self) -> int:
        """When the source took it, in epoch milliseconds."""

    @property
    def size(self) -> int:
        """Bytes of its JSON in the event that do not belong to the shard's `Envelope`."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an event weighs beside its records: `event_bytes` once, `record_bytes` per record.

    `window_bytes` once more in a mapping with tumbling windows, beside the state.
    """

    event_bytes: int = 0
    record_bytes: int = 0
    window_bytes: int = 0


@dataclass(frozen=True, slots=True)
class TrimHorizon:
    """The oldest record that the source still has."""


@dataclass(frozen=True, slots=True)
class Latest:
    """Just after the newest record; must be pinned to an `After` before a shard is read."""


@dataclass(frozen=True, slots=True)
class AtTimestamp:
    """The first record that arrived at or after this instant."""

    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class After:
    """The record that follows this position."""

    position: int


Position = TrimHorizon | Latest | AtTimestamp | After


class Cause(StrEnum):
    """Why an attempt happened: the first three and WINDOW for a first attempt, RETRY after it."""

    BATCH = "batch"
    BISECT = "bisect"
    REMAINDER = "remainder"
    RETRY = "retry"
    WINDOW = "window"


class Closing(StrEnum):
    """Why a call of a tumbling window has no records and takes the state away."""

    FINAL = "final"  # the window is over
    EARLY = "early"  # its state has grown too large; the window goes on with a fresh one


@dataclass(frozen=True, slots=True)
class TumblingWindow:
    """A tumbling window of a shard, [start, end), with its state as JSON text.

    `closing` is set while the function has yet to take the state in a call without records.
    """

    start_ms: int
    end_ms: int
    state: str = "{}"
    closing: Closing | None = None


class Fate(StrEnum):
    """How a record was resolved. Each record gets exactly one, at least once."""

    DELIVERED = "delivered"
    FILTERED = "filtered"
    DISCARDED = "discarded"
    EXPIRED = "expired"


class Condition(StrEnum):
    """AWS's word for why a batch was discarded.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """

    RETRY_ATTEMPTS_EXHAUSTED = "RetryAttemptsExhausted"
    RECORD_AGE_EXCEEDED = "RecordAgeExceeded"
    # Published for Kafka; for Kinesis AWS names none, so it is our choice there.
    MAXIMUM_PAYLOAD_SIZE_EXCEEDED = "MaximumPayloadSizeExceeded"


@dataclass(frozen=True, slots=True)
class Policy:
    """A mapping's settings as the machine needs them; `mapping.py` makes it.

    The first block is AWS's, the second ours (`esm.Settings`): AWS publishes nothing there.
    `poll_interval_ms` is 0 where the source pushes, and is read just when it has something.
    """

    batch_size: int = 100
    maximum_batching_window_ms: int = 0
    parallelization_factor: int = 1
    bisect_batch_on_function_error: bool = False
    maximum_retry_attempts: int = INFINITE
    maximum_record_age_ms: int = INFINITE
    has_destination: bool = False
    tumbling_window_ms: int = 0

    poll_interval_ms: int = 1_000
    read_limit: int = 10_000
    payload_limit_bytes: int = PAYLOAD_LIMIT_BYTES
    backoff_first_ms: int = 500
    backoff_cap_ms: int = 60_000
    throttle_first_ms: int = 1_000
    throttle_cap_ms: int = 30_000
    poll_failure_first_ms: int = 1_000
    poll_failure_cap_ms: int = 30_000
    read_ahead_records: int = 10_000
    read_ahead_bytes: int = 10 * 1024 * 1024
    bisect_midpoint_upper: bool = False
    state_limit_bytes: int = STATE_LIMIT_BYTES
    tumbling_idle_grace_ms: int = 120_000
    hands_over_oversize_state: bool = False


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as a source lists it. `parent_ids`: those that were split or merged into it."""

    shard_id: str
    parent_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiscardInfo:
    """What the invocation record of a discarded batch needs from the machine.

    `function_error` is what responseContext shows ("Unhandled", or None when the function
    answered and its answer said so); `invoked` is False when the batch never reached the function.
    """

    condition: Condition
    approximate_invoke_count: int
    function_error: str | None = None
    invoked: bool = False
    delivered: bool = field(default=False, kw_only=True)
