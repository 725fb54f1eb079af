"""What a story is made of: batches with their attempts and ends, and the moments of a run.

Attempts of a batch that came to the same stand together, however many they were.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Protocol

from esm.core.model import Cause, DiscardInfo, Fate, TumblingWindow

_position = attrgetter("position")


class Numbered(Protocol):
    """What a story tells of a record: its place in its shard, and its number in its source."""

    @property
    def position(self) -> int:
        """Read order."""

    @property
    def ordinal(self) -> int:
        """Counts from 1 in the order of putting."""


class Came(StrEnum):
    """What attempts came to, as a story says it."""

    SUCCEEDED = "succeeded"
    PARTLY_FAILED = "partly failed"
    FAILED = "failed"
    THROTTLED = "throttled"
    IN_FLIGHT = "in flight"


@dataclass(slots=True, eq=False)
class Attempts:
    """Attempts of one batch in a row that came to the same: numbers `first` to `last`.

    `failed_from` is the index of the first record that was reported; `checkpoint` the record up to
    which their success resolved the shard. `count` 0: told of by the attempts before.
    """

    batch: Batch
    first: int
    last: int
    started_ms: int
    ended_ms: int
    count: int = 1
    came: Came = Came.IN_FLIGHT
    error: str = ""
    failed_from: int = 0
    checkpoint: Numbered | None = None

    def continues(self, before: Attempts) -> bool:
        """Whether these tell nothing that those before do not."""
        return (
            self.came is before.came
            and self.came in (Came.FAILED, Came.THROTTLED, Came.PARTLY_FAILED)
            and (self.error, self.failed_from) == (before.error, before.failed_from)
        )


@dataclass(slots=True, eq=False)
class End:
    """Records that were given up or lost. `batch` is None for those that were never read."""

    at_ms: int
    shard_id: str
    batch: Batch | None
    records: Sequence[Numbered]
    fate: Fate
    info: DiscardInfo | None
    destination: str | None = None
    error: str = ""
    checkpoint: Numbered | None = None


@dataclass(slots=True, eq=False)
class Batch:
    """A batch, a half or a remainder; `is_thrown_away`: by a restart, before its end.

    The closing call of a tumbling window, `window`, has no records.
    """

    shard_id: str
    lane: int
    number: int
    records: Sequence[Numbered]
    cause: Cause = Cause.BATCH
    parent: Batch | None = None
    attempts: list[Attempts] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    children: list[Batch] = field(default_factory=list)
    resolved: int = 0
    is_thrown_away: bool = False
    window: TumblingWindow | None = None
    destination: str | None = None
    delivery_error: str = ""

    @property
    def is_troubled(self) -> bool:
        """Whether anything else happened to it than success at the first attempt."""
        return bool(self.ends) or any(a.came is not Came.SUCCEEDED for a in self.attempts)

    @property
    def error(self) -> str | None:
        """What its attempts failed with last."""
        errors = [attempts.error for attempts in self.attempts if attempts.error]
        return errors[-1] if errors else None

    @property
    def untried(self) -> Sequence[Numbered]:
        """Records that are to be invoked as another batch, which has not happened yet."""
        if self.children:
            place = max(child.records[-1].position for child in self.children)
            return self.records[bisect_right(self.records, place, key=_position) :]
        last = self.attempts[-1] if self.attempts else None
        if last is not None and last.came is Came.PARTLY_FAILED and last.failed_from:
            return self.records[last.failed_from :]
        return ()

    @property
    def is_open(self) -> bool:
        """Whether records of it wait for another attempt of this very batch, or for an outcome."""
        return not self.children and not self.untried and self.resolved < len(self.records)


@dataclass(frozen=True, slots=True)
class Opened:
    """A shard is read from here on; `place` as in "at LATEST"."""

    place: str


@dataclass(frozen=True, slots=True)
class Read:
    """A read that found something, after so many that did not; `filtered` of it went no further.

    `strays`: parts of aggregates that belong to other shards.
    """

    records: Sequence[Numbered]
    filtered: int
    strays: int
    empty_polls: int
    is_last: bool


@dataclass(slots=True)
class ReadFailures:
    """Reads in a row that failed alike."""

    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class StateLost:
    """The state of a tumbling window that no call could hand over."""

    window: TumblingWindow


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a user did, or the end of a shard."""

    text: str


Happening = Attempts | End | Opened | Read | ReadFailures | StateLost | Note


@dataclass(frozen=True, slots=True)
class Moment:
    """When and in which shard something happened, or began."""

    at_ms: int
    shard_id: str | None
    what: Happening
