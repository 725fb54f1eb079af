"""The ports: what the loop needs from the world. One folder of implementations for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import msgspec

from esm.core.filtering import Explanation
from esm.core.messages import PollFailed, RecordsArrived
from esm.core.model import After, Envelope, Position, Shard, TumblingWindow


class Clock(Protocol):
    """Time for the loop."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""

    def wait_until(self, instant_ms: int) -> None:
        """Return when `now_ms() >= instant_ms`."""


class ShardReader(Protocol):
    """Reads one shard for one mapping; keeps the shard iterator between reads."""

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        """One GetRecords. `position` is where to take a new iterator if the kept one is gone."""

    @property
    def must_poll(self) -> bool:
        """Whether empty polls count too, against a limit, so that none may be skipped."""

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        """The earliest instant at which `read` would give more than an empty answer.

        None: not before somebody puts something. `now_ms` or less: at once.
        """

    def idle_until(self, instant_ms: int) -> None:
        """Empty polls up to here were skipped: they would have taken and renewed an iterator."""

    def close(self) -> None:
        """Let go of what it holds beside memory, such as a thread of its own."""


class SourceUnavailable(Exception):
    """A live source cannot be asked now. `fatal`: asking again will not help."""

    def __init__(self, message: str, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal


class Source(Protocol):
    """A stream."""

    @property
    def arn(self) -> str:
        """What the mapping's EventSourceArn says."""

    @property
    def retention_ms(self) -> int | None:
        """How long a record is kept; None for ever (captures)."""

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """All shards that still hold or may get records, parents before children.

        With `since_ms` also those that have expired since then: what was in them is to be counted.
        Raises SourceUnavailable.
        """

    def pin(self, shard_id: str, position: Position, now_ms: int) -> Position:
        """The fixed place that a position means in this shard now.

        In memory that is an After. A live source knows no place before the first record: LATEST is
        an instant there, and exact for the reader that is opened next. Raises SourceUnavailable.
        """

    def beginning(self, shard_id: str) -> Position:
        """The place before the first record that the shard ever had."""

    def whole_before(self, shard_id: str, position: int) -> int | None:
        """The position itself; within records that share a sequence number that of the one before.

        None: there is none before them.
        """

    def sequence_number_of(self, position: int) -> str:
        """The sequence number at a position, as users know it."""

    def open(self, shard_id: str, on_put: Callable[[], None]) -> ShardReader:
        """A reader; `on_put` is called after every put or close of the shard."""


@runtime_checkable
class CountedSource(Source, Protocol):
    """A stream that knows all its records, so that what is left of them can be counted."""

    @property
    def record_count(self) -> int:
        """How many records were ever put."""

    def count_after(self, shard_id: str, place: After) -> int:
        """How many records the shard has behind a place, whether it still holds them or not."""


class LiveSource(Source, Protocol):
    """A stream behind an endpoint. Whatever asks it may wait, and runs in a thread of its own.

    A reader never raises for what the world does: it answers PollFailed.
    """

    @property
    def incarnation(self) -> str:
        """Tells a stream from one of the same name before it."""

    def describe(self) -> None:
        """Make sure that it is there. Raises SourceUnavailable."""

    def look_at_retention(self) -> None:
        """See whether somebody has changed how long records are kept; raises SourceUnavailable."""


class RecordFilter(Protocol):
    """A mapping's FilterCriteria, compiled."""

    def split(self, shard_id: str, records: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        """Those that a filter matches, and the others; each in the order of the read."""

    def explain(self, shard_id: str, record: Any) -> Sequence[Explanation]:
        """What decided, for each of the filters."""


class Payloads(Protocol):
    """The events of one mapping, for its source's kind of record."""

    @property
    def event_source_arn(self) -> str:
        """What the events say."""

    def build(self, shard_id: str, records: Sequence[Any]) -> dict[str, Any]:
        """The event, fresh."""

    def identifiers(self, records: Sequence[Any]) -> list[Any]:
        """What a partial batch response may name, in batch order."""

    def batch_info(
        self, shard_id: str, records: Sequence[Any], stream_arn: str
    ) -> tuple[str, dict[str, Any]]:
        """What an invocation record says of a batch's records, and under which name."""

    def envelope(self, shard_id: str) -> Envelope:
        """The weight of an event beside its records' sizes."""


class Destination(Protocol):
    """An on-failure destination."""

    @property
    def arn(self) -> str:
        """SQS queue, SNS topic or S3 bucket ARN."""

    @property
    def wants_payload(self) -> bool:
        """Whether the invocation record must hold the event itself (S3)."""

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Take one invocation record; `key` is its object key in S3. Raises DeliveryFailed."""


class DeliveryFailed(Exception):
    """A destination refused or could not be reached. `fatal`: trying again will not help."""

    def __init__(self, message: str, *, fatal: bool = False) -> None:
        super().__init__(message)
        self.fatal = fatal


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`position`: everything in the shard up to it is resolved. `pinned`: LATEST's own place.

    `window`: the tumbling window that is open there, with its state. `pinned_at_ms`: the place is
    no record's but an instant, where the source has no other word for it; `position` is 0 then.
    """

    position: int
    pinned: bool = False
    window: TumblingWindow | None = None
    pinned_at_ms: int | None = None


class StoreUnavailable(Exception):
    """Checkpoints cannot be written now; none is lost, the next `commit` writes them all."""


class CheckpointStore(Protocol):
    """Keeps checkpoints by (mapping, stream, shard)."""

    def load(self, mapping: str, stream: str) -> dict[str, Checkpoint]:
        """By shard id."""

    def save(self, mapping: str, stream: str, shard_id: str, checkpoint: Checkpoint) -> None:
        """Never moves back; at the same place the newer one counts."""

    def commit(self) -> None:
        """Make what was saved durable, as far as that is possible. Raises StoreUnavailable."""


class TaskTimedOut(Exception):
    """The function ran into its timeout."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"Task timed out after {timeout_seconds:.2f} seconds")


class FunctionResult(msgspec.Struct, frozen=True):
    """What an invocation came to, before the mapping reads it.

    `payload` is the parsed JSON of the response; `error` what the function raised (the payload
    is then None); `throttled`: the function was never reached. `duration_ms` is virtual or real.
    """

    payload: Any = None
    error: BaseException | None = None
    throttled: bool = False
    timed_out: bool = False
    duration_ms: int = 0


class Invoker(Protocol):
    """Calls a function."""

    def invoke(self, event: dict[str, Any], request_id: str, start_ms: int) -> FunctionResult:
        """One synchronous invocation that starts at `start_ms`."""
