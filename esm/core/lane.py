"""One lane of a shard: what it holds and where it stands. The rules are in `shard`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from esm.core.failure import Batch
from esm.core.model import Cause, DiscardInfo, Record, TumblingWindow


class LaneState(StrEnum):
    """What a lane is waiting for."""

    IDLE = "idle"  # records, or the end of the batching window
    INVOKING = "invoking"  # the outcome of an invocation
    BACKING_OFF = "backing off"  # the instant of a retry
    DISCARDING = "discarding"  # the destination


@dataclass(frozen=True, slots=True)
class Discard:
    """Records on their way to the destination."""

    batch: int
    records: list[Record]
    info: DiscardInfo
    window: TumblingWindow | None = None


@dataclass(slots=True)
class Lane:
    """One of ParallelizationFactor concurrent batches of a shard.

    `work` is a stack: its last batch is the oldest unresolved one. `discards` are given up and not
    yet handed over, oldest first. `due_ms` is when the batching window closes (IDLE) or the retry
    is due (BACKING_OFF). `window` is the open tumbling window, on the first lane only: others go on
    while one is closed that the mapping had before an update.
    """

    index: int
    window_start_ms: int
    state: LaneState = LaneState.IDLE
    due_ms: int | None = None
    buffer: list[Record] = field(default_factory=list)
    work: list[Batch] = field(default_factory=list)
    discards: tuple[Discard, ...] = ()
    window: TumblingWindow | None = None

    @property
    def lowest_open(self) -> int | None:
        """Position of the first record here that is not resolved."""
        # Records given up for their age may lie behind some that are still to be invoked.
        lowest = self.discards[0].records[0].position if self.discards else None
        for batch in reversed(self.work):
            if batch.records:
                first = batch.records[0].position
                return first if lowest is None else min(first, lowest)
        if lowest is None and self.buffer:
            return self.buffer[0].position
        return lowest

    @property
    def in_flight(self) -> int | None:
        """The batch that an answer is awaited for."""
        match self.state:
            case LaneState.INVOKING:
                return self.work[-1].id
            case LaneState.DISCARDING:
                return self.discards[0].batch
            case _:
                return None

    @property
    def owes_closing_call(self) -> bool:
        """Whether the function has to take the window's state before all else, and is not asked."""
        if self.window is None or self.window.closing is None:
            return False
        return not self.work or self.work[-1].cause is not Cause.WINDOW

    def keep(self, records: list[Record]) -> None:
        """Leave only these records of the oldest batch, which stays the same batch."""
        batch = self.work.pop()
        if records:
            self.work.append(batch.with_records(records))
