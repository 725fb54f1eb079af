"""The state machine of one shard: reads it, batches, invokes, retries, discards, checkpoints.

A shard has as many lanes as ParallelizationFactor says, each with at most one invocation in flight:

    IDLE ──take──▶ INVOKING ──failed──▶ BACKING_OFF ──due──▶ INVOKING
      ▲               │ delivered              quota or age │
      └───────────────┴────────── DISCARDING ◀──────────────┘

Order: within a lane by position, so per partition key; nothing later of a lane is touched before
its oldest batch is resolved. With tumbling windows there is one lane and, from a window's first
record to its final call, an open `window`. The rules stand in `polling`, `batching`, `failure`,
`retention`, `window` and `watermark`; here the books are kept, and in `shard_windows` and
`shard_discards`, which take a machine's lanes through windows and through what is given up.
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import assert_never

from esm.core import batching, failure, shard_discards, shard_windows
from esm.core import window as tumbling
from esm.core.failure import Batch
from esm.core.lane import Discard, Lane, LaneState
from esm.core.messages import (
    CadenceInput,
    CloseShard,
    DeadlineReached,
    DestinationDelivered,
    DestinationFailed,
    Failed,
    GetRecords,
    IllegalInput,
    Invoke,
    LaneInput,
    Outcome,
    PartlyFailed,
    PollFailed,
    PollsResumed,
    PollsSkipped,
    PollsSuspended,
    RecordsArrived,
    Resolved,
    SaveCheckpoint,
    ShardCommand,
    ShardInput,
    Stopped,
    Succeeded,
    Throttled,
)
from esm.core.model import (
    After,
    Cause,
    Condition,
    DiscardInfo,
    Envelope,
    Fate,
    Policy,
    Position,
    Record,
    TumblingWindow,
)
from esm.core.polling import Poller
from esm.core.watermark import Watermark

_position = attrgetter("position")

# The state that a lane must be in for an answer to make sense.
EXPECTED_STATE: dict[type[LaneInput], LaneState] = {
    Succeeded: LaneState.INVOKING,
    PartlyFailed: LaneState.INVOKING,
    Failed: LaneState.INVOKING,
    Throttled: LaneState.INVOKING,
    DestinationDelivered: LaneState.DISCARDING,
    DestinationFailed: LaneState.DISCARDING,
}


@dataclass(slots=True)
class ShardMachine:
    """Everything that a mapping does with one shard. `handle` is the only way in.

    Plain data throughout: it can be printed, compared, copied and pickled at any moment.
    """

    shard_id: str
    policy: Policy
    envelope: Envelope
    retention_ms: int | None
    poller: Poller
    lanes: list[Lane]
    watermark: Watermark = field(default_factory=Watermark)
    windows_end_ms: int = 0
    next_batch: int = 1
    closed: bool = False
    stopped: bool = False

    @classmethod
    def open(
        cls,
        shard_id: str,
        policy: Policy,
        envelope: Envelope,
        start: Position,
        retention_ms: int | None,
        now_ms: int,
        window: TumblingWindow | None = None,
    ) -> ShardMachine:
        """A machine that will read its shard from `start`, for the first time now.

        `window` is what the checkpoint at `start` says was open there.
        """
        lanes = [Lane(index, now_ms) for index in range(policy.parallelization_factor)]
        watermark = Watermark(start.position if isinstance(start, After) else None)
        poller = Poller(start, now_ms, now_ms)
        lanes[0].window = tumbling.resumed(window, policy)
        return cls(shard_id, policy, envelope, retention_ms, poller, lanes, watermark)

    @property
    def window(self) -> TumblingWindow | None:
        """The open tumbling window."""
        return self.lanes[0].window

    @property
    def timer_ms(self) -> int | None:
        """When a window closes or a retry is due, polls aside."""
        if len(self.lanes) == 1 and self.lanes[0].window is None:  # asked for after every input
            return self.lanes[0].due_ms
        dues = [self.closing_ms, *[lane.due_ms for lane in self.lanes]]
        return min([due_ms for due_ms in dues if due_ms is not None], default=None)

    @property
    def closing_ms(self) -> int | None:
        """When the open window closes if no more records come."""
        lane = self.lanes[0]
        window = lane.window
        if window is None or self.stopped or lane.state is not LaneState.IDLE:
            return None
        if window.closing is not None:  # the checkpoint says that a closing call is still owed
            return window.start_ms
        if lane.buffer or not self.poller.caught_up:
            return None
        return tumbling.closes_ms(window, self.policy, shard_ended=self.poller.ended)

    @property
    def deadline_ms(self) -> int | None:
        """Call with DeadlineReached at this instant if nothing happens first."""
        timer_ms, poll_ms = self.timer_ms, self.poller.due_ms
        if timer_ms is None or poll_ms is None:
            return poll_ms if timer_ms is None else timer_ms
        return min(timer_ms, poll_ms)

    @property
    def must_catch_up(self) -> bool:
        """Whether a poll counts even if it is empty: a window's end waits for what was missed."""
        return self.lanes[0].window is not None and not self.poller.caught_up

    @property
    def is_quiet(self) -> bool:
        """Whether no answer is awaited."""
        return not self.poller.reading and all(lane.in_flight is None for lane in self.lanes)

    def handle(self, message: ShardInput, now_ms: int) -> list[ShardCommand]:
        """Take one input at this instant and answer with commands, in order.

        Raises IllegalInput, and changes nothing, when the input does not fit the state.
        """
        out: list[ShardCommand] = []
        match message:
            case DeadlineReached():
                deadline_ms = self.deadline_ms
                self._require(message, fits=deadline_ms is not None and deadline_ms <= now_ms)
                self._deadline(now_ms, out)
            case Succeeded() | PartlyFailed() | Failed() | Throttled():
                self._settle(self._lane_awaiting(message), message, now_ms, out)
            case RecordsArrived():
                self._require(message, fits=self.poller.reading)
                self._arrive(message, now_ms, out)
            case PollsSuspended() | PollsSkipped() | PollsResumed():
                self._pace(message)
            case PollFailed():
                self._require(message, fits=self.poller.reading)
                self.poller.failed(message, self.policy, now_ms)
            case DestinationDelivered() | DestinationFailed():
                lane = self._lane_awaiting(message)
                delivered = isinstance(message, DestinationDelivered)
                shard_discards.resolve_discard(self, lane, out, delivered=delivered)
                self._proceed(lane, now_ms, out)
            case Stopped():
                self._stop()
            case _:
                assert_never(message)
        self.poller.plan(now_ms, wanted=not self.stopped and not self._has_read_far_enough())
        if self.poller.ended:
            self._close_if_done(out)
        return out

    def _pace(self, message: CadenceInput) -> None:
        poller = self.poller
        match message:
            case PollsSuspended(caught_up=caught_up):
                self._require(message, fits=poller.due_ms is not None)
                poller.suspend(caught_up=caught_up)
            case PollsSkipped(count=count):
                self._require(message, fits=poller.suspended or poller.due_ms is not None)
                poller.skip(count, self.policy)
            case PollsResumed():
                self._require(message, fits=poller.suspended)
                poller.suspended = False
            case _:
                assert_never(message)

    # --- reading -----------------------------------------------------------------------------

    def _deadline(self, now_ms: int, out: list[ShardCommand]) -> None:
        poll_ms = self.poller.due_ms
        if poll_ms is not None and poll_ms <= now_ms:
            # The read goes first: records read just as a window ends go with it. What else is due
            # now comes with its answer.
            self.poller.reading = True
            out.append(GetRecords(self.poller.position, self.policy.read_limit))
            return
        self._proceed_all(now_ms, out)

    def _arrive(self, read: RecordsArrived, now_ms: int, out: list[ShardCommand]) -> None:
        self.poller.arrived(read, self.policy, now_ms)
        if read.lost:
            out.append(Resolved(None, None, read.lost, Fate.EXPIRED))
        if read.filtered:
            self.watermark.read(sorted([*read.records, *read.filtered], key=_position))
        elif read.records:
            self.watermark.read(read.records)
        self._distribute(read.records)
        if read.filtered:
            # What is filtered out is done with, but the checkpoint waits for what came before it.
            out.append(Resolved(None, None, read.filtered, Fate.FILTERED))
            self._save(out)
        self._proceed_all(now_ms, out)

    def _proceed_all(self, now_ms: int, out: list[ShardCommand]) -> None:
        # In the order of lanes, whether they have got records or are due: an empty read changes
        # nothing.
        for lane in self.lanes:
            if lane.state is LaneState.IDLE and lane.buffer:
                self._proceed(lane, now_ms, out)
            elif lane.due_ms is not None and lane.due_ms <= now_ms:
                lane.due_ms = None
                self._proceed(lane, now_ms, out)
        closing_ms = self.closing_ms if self.lanes[0].window is not None else None
        if closing_ms is not None and closing_ms <= now_ms:
            self._proceed(self.lanes[0], now_ms, out)

    def _distribute(self, records: Sequence[Record]) -> None:
        factor = self.policy.parallelization_factor
        if factor == 1:
            self.lanes[0].buffer.extend(records)
            return
        add = [lane.buffer.append for lane in self.lanes]
        lane_of = batching.lane_of
        for record in records:
            add[lane_of(record.key, factor)](record)

    def _has_read_far_enough(self) -> bool:
        # Every lane may hold a full batch; beyond that the read-ahead is bounded, so that a stuck
        # lane stops the shard in the end.
        policy, read = self.policy, self.watermark
        if read.span < policy.read_ahead_records and read.span_bytes < policy.read_ahead_bytes:
            return False
        factor = policy.parallelization_factor
        most_records = policy.read_ahead_records + factor * policy.batch_size
        most_bytes = policy.read_ahead_bytes + factor * policy.payload_limit_bytes
        return read.span >= most_records or read.span_bytes >= most_bytes

    # --- a lane at work ----------------------------------------------------------------------

    def _proceed(self, lane: Lane, now_ms: int, out: list[ShardCommand]) -> None:
        """Take a lane as far as it goes without an answer from outside."""
        while True:
            if lane.discards:
                if not shard_discards.hand_over(self, lane, out):
                    return
            elif self.stopped:
                lane.state = LaneState.IDLE
                return
            elif lane.window is not None and lane.owes_closing_call:
                lane.work.append(self.new_batch((), Cause.WINDOW))
            elif not lane.work:
                if not self._take(lane, now_ms):
                    return
            elif shard_discards.drop_outdated(self, lane, now_ms, out):
                continue
            elif lane.window is None or not shard_windows.cut_to_fit(self, lane):
                self._invoke(lane, out)
                return

    def _take(self, lane: Lane, now_ms: int) -> bool:
        """Move a batch from the buffer to the stack if one is due; else note when it will be.

        With tumbling windows the open window may have to be closed instead.
        """
        if lane.state is not LaneState.IDLE:
            # The next window begins as soon as the previous invocation is over.
            lane.state = LaneState.IDLE
            lane.window_start_ms = now_ms
        front = shard_windows.front(self, lane)
        if not front:
            return shard_windows.close_if_over(self, lane, now_ms)
        envelope = tumbling.weighed(self.envelope, lane.window)
        if not self._batch_is_due(lane, front, envelope, now_ms):
            return False
        count = batching.take(front, self.policy, envelope)
        lane.work.append(self.new_batch(lane.buffer[:count], Cause.BATCH))
        del lane.buffer[:count]
        lane.window_start_ms = now_ms
        lane.due_ms = None
        return True

    def _batch_is_due(
        self, lane: Lane, front: Sequence[Record], envelope: Envelope, now_ms: int
    ) -> bool:
        window_ms, window = self.policy.maximum_batching_window_ms, lane.window
        if window_ms == 0 or self.poller.ended:  # what a closed shard leaves does not wait
            return True
        if batching.is_full(front, self.policy, envelope):
            return True
        if lane.due_ms is None:
            lane.due_ms = batching.window_due_ms(lane.window_start_ms, now_ms, window_ms)
        if window is not None:
            # The end of a tumbling window ends a batching window, too.
            is_over = len(front) < len(lane.buffer)
            lane.due_ms = now_ms if is_over else min(lane.due_ms, window.end_ms)
        return lane.due_ms <= now_ms

    def new_batch(
        self, records: Sequence[Record], cause: Cause, parent: int | None = None
    ) -> Batch:
        """A batch with the next number."""
        batch = Batch(self.next_batch, records, cause, parent)
        self.next_batch += 1
        return batch

    def _invoke(self, lane: Lane, out: list[ShardCommand]) -> None:
        batch = lane.work[-1]
        cause = Cause.RETRY if batch.attempts else batch.cause
        attempt = batch.attempts + 1
        lane.state = LaneState.INVOKING
        out.append(
            Invoke(lane.index, batch.id, batch.records, attempt, cause, batch.parent, lane.window)
        )

    def _settle(self, lane: Lane, outcome: Outcome, now_ms: int, out: list[ShardCommand]) -> None:
        batch = lane.work.pop()
        records = batch.records
        match failure.decide(batch, outcome, self.policy):
            case failure.Complete() if batch.cause is Cause.WINDOW:
                shard_windows.close(self, lane, out)
            case failure.Complete():
                if lane.window is not None:
                    shard_windows.keep_state(self, lane, outcome)
                self.resolve(lane, batch.id, records, Fate.DELIVERED, out)
            case failure.Progress(delivered=count, delay_ms=delay_ms):
                if lane.window is not None:
                    shard_windows.keep_state(self, lane, outcome)
                lane.work.append(self.new_batch(records[count:], Cause.REMAINDER, batch.id))
                self.resolve(lane, batch.id, records[:count], Fate.DELIVERED, out)
                self._back_off(lane, now_ms + delay_ms)
                return
            case failure.Bisect(left=count):
                # The left half first, and wholly, so that order is kept.
                left = self.new_batch(records[:count], Cause.BISECT, batch.id)
                right = self.new_batch(records[count:], Cause.BISECT, batch.id)
                lane.work += [right, left]
            case failure.Retry(attempts=attempts, throttles=throttles, delay_ms=delay_ms):
                lane.work.append(batch.after(attempts, throttles))
                self._back_off(lane, now_ms + delay_ms)
                return
            case failure.Exhausted() if batch.cause is Cause.WINDOW:
                shard_windows.drop_state(self, lane, batch, out)
            case failure.Exhausted(attempts=attempts):
                error = outcome.function_error if isinstance(outcome, Failed) else None
                condition = Condition.RETRY_ATTEMPTS_EXHAUSTED
                info = DiscardInfo(condition, attempts, error, invoked=True)
                lane.discards += (Discard(batch.id, list(records), info, lane.window),)
            case _ as never:
                assert_never(never)
        self._proceed(lane, now_ms, out)

    def _back_off(self, lane: Lane, due_ms: int) -> None:
        lane.state = LaneState.BACKING_OFF
        lane.due_ms = None if self.stopped else due_ms

    # --- the books ---------------------------------------------------------------------------

    def resolve(
        self,
        lane: Lane,
        batch: int,
        records: Sequence[Record],
        fate: Fate,
        out: list[ShardCommand],
        info: DiscardInfo | None = None,
    ) -> None:
        """Note the fate of records that have left the lane's books, and move the checkpoint."""
        out.append(Resolved(lane.index, batch, records, fate, info))
        self._save(out)

    def _save(self, out: list[ShardCommand]) -> None:
        """Move the checkpoint up to the first record that is open on any lane."""
        opens = [p for p in [each.lowest_open for each in self.lanes] if p is not None]
        if self.watermark.advance(min(opens, default=None)):
            assert self.watermark.position is not None
            out.append(SaveCheckpoint(self.watermark.position, self.lanes[0].window))

    # --- the end, and what must not happen ---------------------------------------------------

    def _stop(self) -> None:
        self.stopped = True
        for lane in self.lanes:
            lane.due_ms = None

    def _close_if_done(self, out: list[ShardCommand]) -> None:
        if self.closed or self.stopped:
            return
        if self.window is None and all(lane.lowest_open is None for lane in self.lanes):
            self.closed = True
            out.append(CloseShard())

    def _lane_awaiting(self, message: LaneInput) -> Lane:
        if 0 <= message.lane < len(self.lanes):
            lane = self.lanes[message.lane]
            fits = lane.state is EXPECTED_STATE[type(message)] and lane.in_flight == message.batch
            if isinstance(message, PartlyFailed):
                fits = fits and 0 <= message.failed_from < len(lane.work[-1].records)
            if fits:
                return lane
        raise self._illegal(message)

    def _require(self, message: ShardInput, *, fits: bool) -> None:
        if not fits:
            raise self._illegal(message)

    def _illegal(self, message: ShardInput) -> IllegalInput:
        lanes = "; ".join(
            f"lane {lane.index} {lane.state}, batch {lane.in_flight}" for lane in self.lanes
        )
        state = "reading" if self.poller.reading else f"deadline {self.deadline_ms}"
        return IllegalInput(f"{self.shard_id} ({state}; {lanes}) cannot take {message!r}")
