"""What a machine is told (inputs) and what it answers (commands).

All are frozen and hold plain data, so that a run can be written down, compared and replayed.
`lane` and `batch` name the batch that an answer belongs to: one that does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from esm.core.model import (
    Cause,
    DiscardInfo,
    Fate,
    Position,
    Record,
    Shard,
    TumblingWindow,
)


class IllegalInput(Exception):
    """An input that does not fit the machine's state: our bug, not the user's."""


class PollFailure(StrEnum):
    """Why a read failed, as far as it changes what happens next."""

    EXPIRED_ITERATOR = "ExpiredIteratorException"
    THROTTLED = "ProvisionedThroughputExceededException"
    UNAVAILABLE = "Unavailable"


# --- inputs of a shard ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecordsArrived:
    """A read came back. `end_of_shard`: closed, and this was its last read.

    `lost`: records that the source forgot before they could be read, where it knows them.
    `filtered`: those of the read that FilterCriteria removed; `records` are the others.
    Of records that a producer has aggregated: `aggregates` is how many are among these as they
    are; `strays` how many parts of unpacked ones the service has dropped. `trimmed`: the source
    does not know what it forgot, only that the place to read on from is gone.
    """

    records: Sequence[Record]
    millis_behind: int = 0
    end_of_shard: bool = False
    lost: Sequence[Record] = ()
    filtered: Sequence[Record] = ()
    aggregates: int = 0
    strays: int = 0
    trimmed: bool = False


@dataclass(frozen=True, slots=True)
class PollFailed:
    """A read failed; nothing was read."""

    reason: PollFailure
    error: str = ""


@dataclass(frozen=True, slots=True)
class PollsSuspended:
    """The source has nothing, and will say when it has: no polls until PollsResumed.

    Where it pushes, and in virtual time, as the next two; they change when a shard is polled by
    nothing at all. `caught_up`: it is known to have nothing. A source behind an endpoint, which may
    be away, has just not said anything yet; whether more is to come its last answer tells.
    """

    caught_up: bool = True


@dataclass(frozen=True, slots=True)
class PollsSkipped:
    """`count` polls of the cadence would have been empty and were not made."""

    count: int


@dataclass(frozen=True, slots=True)
class PollsResumed:
    """The source may have something: polls go on with the cadence."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The function took the whole batch.

    `state`: the JSON that it returned for the open tumbling window.
    """

    lane: int
    batch: int
    state: str | None = None


@dataclass(frozen=True, slots=True)
class PartlyFailed:
    """The function reported failures; `failed_from` is the index of the lowest one.

    `state`, as in Succeeded, covers the records before it.
    """

    lane: int
    batch: int
    failed_from: int
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The whole batch failed. `function_error` is None when the response itself said so."""

    lane: int
    batch: int
    function_error: str | None = "Unhandled"
    error: str = ""


@dataclass(frozen=True, slots=True)
class Throttled:
    """The batch did not reach the function: a throttle or an error of the service."""

    lane: int
    batch: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class DestinationDelivered:
    """The on-failure destination has the batch."""

    lane: int
    batch: int


@dataclass(frozen=True, slots=True)
class DestinationFailed:
    """Delivery was given up; the batch counts as dropped."""

    lane: int
    batch: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """`deadline_ms` has come and nothing else happened first."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Start nothing new; what is in flight may finish."""


Outcome = Succeeded | PartlyFailed | Failed | Throttled
LaneInput = Outcome | DestinationDelivered | DestinationFailed
CadenceInput = PollsSuspended | PollsSkipped | PollsResumed
ShardInput = RecordsArrived | PollFailed | CadenceInput | LaneInput | DeadlineReached | Stopped

# --- commands of a shard -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetRecords:
    """Read on from `position`. Answer: RecordsArrived or PollFailed."""

    position: Position
    limit: int


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call the function with these records. Answer: an Outcome.

    `parent` is the batch that a half or a remainder came from; `attempt` counts from 1; `window`
    is there in a mapping with tumbling windows, whose closing calls have no records.
    """

    lane: int
    batch: int
    records: Sequence[Record]
    attempt: int
    cause: Cause
    parent: int | None = None
    window: TumblingWindow | None = None


@dataclass(frozen=True, slots=True)
class SendToDestination:
    """Hand a discarded batch to the destination. Answer: DestinationDelivered or -Failed."""

    lane: int
    batch: int
    records: Sequence[Record]
    info: DiscardInfo
    window: TumblingWindow | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """These records have met their fate. To be written in the books; no answer."""

    lane: int | None
    batch: int | None
    records: Sequence[Record]
    fate: Fate
    info: DiscardInfo | None = None


@dataclass(frozen=True, slots=True)
class SaveCheckpoint:
    """Everything in the shard up to and including `position` is resolved. No answer.

    `window`: the open tumbling window, whose state covers just these records.
    """

    position: int
    window: TumblingWindow | None = None


@dataclass(frozen=True, slots=True)
class StateDropped:
    """A closing call has used up its quota or age: the window's state reached nobody. No answer."""

    lane: int
    batch: int
    window: TumblingWindow


@dataclass(frozen=True, slots=True)
class CloseShard:
    """The shard is read to its end and everything in it is resolved. No answer."""


ShardCommand = (
    GetRecords | Invoke | SendToDestination | Resolved | SaveCheckpoint | StateDropped | CloseShard
)

# --- the stream above its shards -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShardsListed:
    """All shards that the source has now, closed ones included."""

    shards: Sequence[Shard]


@dataclass(frozen=True, slots=True)
class ShardDone:
    """A shard's machine has said CloseShard."""

    shard_id: str


@dataclass(frozen=True, slots=True)
class ListShards:
    """Ask the source for its shards. Answer: ShardsListed."""


@dataclass(frozen=True, slots=True)
class OpenShard:
    """Start reading a shard at `position`, unless a checkpoint says where to go on."""

    shard_id: str
    position: Position


StreamInput = ShardsListed | ShardDone
StreamCommand = ListShards | OpenShard
