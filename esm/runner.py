"""The only loop. It knows when, never what: every decision is a machine's.

It takes the next entry of the agenda, tells the machine, and performs the commands that come back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from heapq import heappop, heappush
from typing import assert_never

from esm.agenda import Agenda, OpenedShard
from esm.core.messages import (
    CloseShard,
    DeadlineReached,
    GetRecords,
    Invoke,
    ListShards,
    OpenShard,
    PollFailed,
    PollFailure,
    RecordsArrived,
    Resolved,
    SaveCheckpoint,
    SendToDestination,
    ShardCommand,
    ShardDone,
    ShardInput,
    ShardsListed,
    StateDropped,
    Stopped,
    StreamInput,
    Throttled,
)
from esm.core.shard import ShardMachine
from esm.core.stream import StreamMachine
from esm.feedback import Feedback
from esm.pipeline import Pipeline
from esm.ports import Clock
from esm.trace import Idle, Trace


class Ended(StrEnum):
    """Why `run` came back."""

    IDLE = "idle"  # nothing but empty polls would follow
    LIMIT = "limit"  # the time was up
    DONE = "done"  # the predicate became true
    STOPPED = "stopped"  # somebody has asked for it, and what was in flight has ended


class Runner:
    """Runs pipelines over one clock."""

    def __init__(
        self,
        clock: Clock,
        trace: Trace,
        session: Callable[[], AbstractContextManager[object]],
        *,
        skip_idle_polls: bool = True,
    ) -> None:
        self.clock = clock
        self.trace = trace
        self._session = session
        self._agenda = Agenda(skip_idle_polls=skip_idle_polls)
        self._polls_idly = not skip_idle_polls
        self._starts: list[tuple[int, int, Pipeline]] = []
        self._shards: dict[Pipeline, list[OpenedShard]] = {}
        self._reopening: set[Pipeline] = set()
        self._interrupted: list[tuple[OpenedShard, Sequence[ShardCommand]]] = []
        self._invoking: Pipeline | None = None
        self._idle = Idle(1)  # shared by shards that idle together
        self._on_wake = self._wake  # one for all shards
        self._feedback = Feedback()

    # --- pipelines ---------------------------------------------------------------------------

    def start(self, pipeline: Pipeline) -> None:
        """Open a pipeline's shards, now or after its delay."""
        now_ms = self.clock.now_ms()
        delay_ms = pipeline.start_delay_ms()
        if delay_ms:
            heappush(self._starts, (now_ms + delay_ms, next(self._agenda.orders), pipeline))
        else:
            self._open_pipeline(pipeline, now_ms)

    def stop(self, pipeline: Pipeline) -> None:
        """Start nothing new; what is in flight ends within the run."""
        self._reopening.discard(pipeline)
        now_ms = self.clock.now_ms()
        self._starts = [each for each in self._starts if each[2] is not pipeline]
        for shard in self._shards.get(pipeline, []):
            self._tell(shard, Stopped(), now_ms)

    def crash(self, pipeline: Pipeline) -> None:
        """Throw a pipeline's machines away, and the answers that are on their way to them."""
        self._reopening.discard(pipeline)
        self._starts = [each for each in self._starts if each[2] is not pipeline]
        for shard in self._shards.pop(pipeline, []):
            shard.is_gone = True
            shard.reader.close()
        self._agenda.drop_gone()

    def reopen(self, pipeline: Pipeline) -> None:
        """Begin again from the checkpoints, as soon as what is in flight has ended."""
        if self.is_quiet(pipeline):
            self._reopening.discard(pipeline)
            self.crash(pipeline)
            pipeline.books.expect_redelivery()
            self.start(pipeline)
        else:
            self._reopening.add(pipeline)

    def is_quiet(self, pipeline: Pipeline) -> bool:
        """Whether no answer for this pipeline is under way."""
        return all(shard.machine.is_quiet for shard in self._shards.get(pipeline, []))

    def machines(self, pipeline: Pipeline) -> list[ShardMachine]:
        """The machines of the shards that a pipeline reads now."""
        return [shard.machine for shard in self._shards.get(pipeline, [])]

    # --- the loop ----------------------------------------------------------------------------

    def run(self, until_ms: int, *, to_idle: bool, done: Callable[[], bool] | None = None) -> Ended:
        """Run what is due up to and including `until_ms`; the clock ends there unless idle."""
        with self._session():
            ended = self._loop(until_ms, to_idle=to_idle, done=done)
        if ended is Ended.LIMIT:
            self.clock.wait_until(until_ms)
        if ended is not Ended.DONE:
            self._pass_all_ticks()
        return ended

    def _loop(self, until_ms: int, *, to_idle: bool, done: Callable[[], bool] | None) -> Ended:
        self._resume_interrupted()
        while done is None or not done():
            ended = self._wait(until_ms, to_idle=to_idle)
            if ended is not None:
                return ended
            now_ms = self.clock.now_ms()
            if self._starts and self._starts[0][0] <= now_ms:
                self._open_pipeline(heappop(self._starts)[2], now_ms)
            else:
                self._tell(*self._agenda.take(now_ms), now_ms)
        return Ended.DONE

    def _wait(self, until_ms: int, *, to_idle: bool) -> Ended | None:
        """Go to the instant of what is due next, unless the run ends before."""
        due_ms = self._next_due_ms() if self._starts else self._agenda.next_due_ms()
        if due_ms is None or (self._polls_idly and self._is_idle(due_ms)):
            if to_idle:
                return Ended.IDLE
            if due_ms is None:
                return Ended.LIMIT
        if due_ms > until_ms:
            return Ended.LIMIT
        self.clock.wait_until(due_ms)
        return None

    def _next_due_ms(self) -> int:
        due_ms, start_ms = self._agenda.next_due_ms(), self._starts[0][0]
        return start_ms if due_ms is None else min(start_ms, due_ms)

    def _is_idle(self, due_ms: int) -> bool:
        """Whether nothing but empty polls is left; where all are skipped the agenda is empty."""
        now_ms = self.clock.now_ms()
        if due_ms <= now_ms or self._starts or self._agenda.has_answers():
            return False
        return all(
            shard.machine.timer_ms is None and not _may_read(shard, now_ms)
            for shards in self._shards.values()
            for shard in shards
        )

    def _tell(self, shard: OpenedShard, message: ShardInput, now_ms: int) -> None:
        machine, pipeline = shard.machine, shard.pipeline
        if not machine.poller.suspended:
            self._pass_ticks(shard, now_ms)
        # A deadline is told by what follows from it, an empty read by its Idle.
        is_told = isinstance(message, DeadlineReached)
        if not is_told and not (isinstance(message, RecordsArrived) and is_empty(message)):
            self.trace.add(now_ms, pipeline.name, machine.shard_id, message)
        try:
            commands = machine.handle(message, now_ms)
            if commands:
                self._perform_all(shard, commands, now_ms)
        finally:
            self._agenda.schedule(shard, now_ms)
        if self._reopening and pipeline in self._reopening and self.is_quiet(pipeline):
            self.reopen(pipeline)

    def _perform_all(
        self, shard: OpenedShard, commands: Sequence[ShardCommand], now_ms: int
    ) -> None:
        for done, command in enumerate(commands, start=1):
            if shard.is_gone:
                return
            try:
                self._perform(shard, command, now_ms)
            except BaseException:
                # The test's own, through a handler. What is left to do is done by the next run.
                self._interrupted.append((shard, commands[done:]))
                raise

    def _resume_interrupted(self) -> None:
        now_ms = self.clock.now_ms()
        while self._interrupted:
            shard, commands = self._interrupted.pop(0)
            try:
                self._perform_all(shard, commands, now_ms)
            finally:
                self._agenda.schedule(shard, now_ms)

    # --- commands ----------------------------------------------------------------------------

    def _perform(self, shard: OpenedShard, command: ShardCommand, now_ms: int) -> None:
        pipeline, shard_id = shard.pipeline, shard.machine.shard_id
        match command:
            case GetRecords():
                self._read(shard, command, now_ms)
            case Invoke():
                request_id = pipeline.new_request_id()
                self.trace.add(now_ms, pipeline.name, shard_id, command, request_id)
                self._invoke(shard, command, request_id, now_ms)
            case SendToDestination():
                self.trace.add(now_ms, pipeline.name, shard_id, command, pipeline.destination_arn)
                self._send(shard, command, now_ms)
            case Resolved():
                self.trace.add(now_ms, pipeline.name, shard_id, command)
                pipeline.resolve(shard_id, command, now_ms)
            case SaveCheckpoint():
                saved = pipeline.save(shard_id, command)
                if saved is not None:
                    number = pipeline.number_of(saved) if pipeline.is_live else None
                    self.trace.add(now_ms, pipeline.name, shard_id, saved, number)
            case StateDropped():
                self.trace.add(now_ms, pipeline.name, shard_id, command)
            case CloseShard():
                self.trace.add(now_ms, pipeline.name, shard_id, command)
                self._forget(shard)
                self._tell_stream(pipeline, ShardDone(shard_id), now_ms)
            case _:
                assert_never(command)

    def _read(self, shard: OpenedShard, command: GetRecords, now_ms: int) -> None:
        read = shard.reader.read(command.position, command.limit, now_ms)
        refused = isinstance(read, PollFailed) and read.reason is PollFailure.THROTTLED
        self._agenda.note_read(shard, refused=refused)
        read = shard.pipeline.filtered(shard.machine.shard_id, read)
        message = Idle(1) if is_empty(read) else command
        self.trace.add(now_ms, shard.pipeline.name, shard.machine.shard_id, message)
        self._agenda.add_answer(shard, read, now_ms)

    def _invoke(self, shard: OpenedShard, command: Invoke, request_id: str, now_ms: int) -> None:
        pipeline = shard.pipeline
        self._invoking = pipeline
        try:
            self._feedback.invoked(pipeline.name, pipeline.source.arn, now_ms)
            shard_id = shard.machine.shard_id
            outcome, ended_ms = pipeline.invoke(shard_id, command, request_id, now_ms)
        except BaseException:
            # The test's own, through the handler: the lane must not wait for ever for its answer.
            # It has said nothing about the batch, so it costs no attempt.
            unanswered = Throttled(command.lane, command.batch, error="interrupted")
            self._agenda.add_answer(shard, unanswered, now_ms)
            raise
        finally:
            self._invoking = None
        self._agenda.add_answer(shard, outcome, ended_ms)

    def _send(self, shard: OpenedShard, command: SendToDestination, now_ms: int) -> None:
        answer = shard.pipeline.send(shard.machine.shard_id, command, now_ms)
        self._agenda.add_answer(shard, answer, now_ms)

    # --- shards ------------------------------------------------------------------------------

    def _open_pipeline(self, pipeline: Pipeline, now_ms: int) -> None:
        self._shards[pipeline] = []
        pipeline.take_over()
        pipeline.stream = StreamMachine(pipeline.start)
        self._list_shards(pipeline, now_ms)

    def _list_shards(self, pipeline: Pipeline, now_ms: int) -> None:
        """Have the stream's machine told of the shards that there are."""
        pipeline.begin(now_ms)
        self._tell_stream(pipeline, ShardsListed(pipeline.list_shards(now_ms)), now_ms)

    def _tell_stream(self, pipeline: Pipeline, message: StreamInput, now_ms: int) -> None:
        assert pipeline.stream is not None
        for command in pipeline.stream.handle(message):
            match command:
                case ListShards():
                    self.trace.add(now_ms, pipeline.name, None, command)
                    self._list_shards(pipeline, now_ms)
                case OpenShard():
                    self._open(pipeline, command, now_ms)
                case _:
                    assert_never(command)

    def _open(self, pipeline: Pipeline, command: OpenShard, now_ms: int) -> None:
        shard_id, saved = command.shard_id, pipeline.checkpoint(command.shard_id)
        start = pipeline.start_of(shard_id, saved)
        told = OpenShard(shard_id, start) if saved else command
        self.trace.add(now_ms, pipeline.name, None, told)
        machine = ShardMachine.open(
            shard_id,
            pipeline.terms.policy,
            pipeline.payloads.envelope(shard_id),
            start,
            pipeline.source.retention_ms,
            now_ms,
            saved.window if saved else None,
        )
        shard = OpenedShard(self._on_wake, pipeline, machine, next(self._agenda.orders))
        shard.reader = pipeline.source.open(shard_id, shard.woken)
        self._polls_idly |= shard.reader.must_poll
        self._shards[pipeline].append(shard)
        self._agenda.schedule(shard, now_ms)

    def _forget(self, shard: OpenedShard) -> None:
        shard.is_gone = True
        shard.reader.close()
        self._shards[shard.pipeline].remove(shard)

    # --- polls that need not be made -------------------------------------------------------------

    def _pass_ticks(self, shard: OpenedShard, now_ms: int, *, turn_is_over: bool = False) -> None:
        count = self._agenda.pass_ticks(shard, now_ms, turn_is_over=turn_is_over)
        if count:
            if count != self._idle.polls:
                self._idle = Idle(count)
            self.trace.add(now_ms, shard.pipeline.name, shard.machine.shard_id, self._idle)

    def _pass_all_ticks(self) -> None:
        now_ms = self.clock.now_ms()
        for shards in self._shards.values():
            for shard in shards:
                self._pass_ticks(shard, now_ms, turn_is_over=True)

    def _wake(self, shard: OpenedShard) -> None:
        """A poll that was not planned, or only later, may now find something."""
        now_ms = self.clock.now_ms()
        if self._invoking is not None:
            self._feedback.put(self._invoking.source.arn, shard.pipeline.source.arn, now_ms)
        poller = shard.machine.poller
        is_later = poller.due_ms is not None and poller.due_ms != shard.tick_ms
        if not shard.is_gone and (poller.suspended or is_later):
            self._pass_ticks(shard, now_ms)
            self._agenda.resume_polls(shard, now_ms)


def _may_read(shard: OpenedShard, now_ms: int) -> bool:
    """Whether a poll of the cadence will find something, or is waited for to close a window.

    A stopped shard is not polled.
    """
    poller = shard.machine.poller
    if poller.due_ms is None:
        return False
    return shard.machine.must_catch_up or shard.reader.ready_ms(poller.position, now_ms) is not None


def is_empty(read: RecordsArrived | PollFailed) -> bool:
    """Whether a read has found out nothing."""
    if not isinstance(read, RecordsArrived) or read.trimmed:
        return False
    return not (read.records or read.filtered or read.lost or read.strays or read.end_of_shard)
