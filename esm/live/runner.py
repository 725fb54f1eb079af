"""The loop in real time: it asks the world in threads, and hears of the answers here.

Machines, books and trace are touched by the loop's own thread only. Reads of one mapping share up
to 16 threads, each destination and each function has one; so nobody waits for anybody else's world.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from threading import Event
from typing import NoReturn, Protocol

from esm.agenda import OpenedShard
from esm.core.failure import backoff_ms
from esm.core.lane import LaneState
from esm.core.messages import (
    DestinationDelivered,
    DestinationFailed,
    GetRecords,
    Invoke,
    OpenShard,
    PollFailed,
    PollFailure,
    RecordsArrived,
    SendToDestination,
    ShardsListed,
    Throttled,
)
from esm.core.model import Shard
from esm.live.clock import LiveClock
from esm.live.listings import Listings, Places
from esm.live.workers import Workers
from esm.pipeline import Pipeline
from esm.ports import (
    CheckpointStore,
    DeliveryFailed,
    FunctionResult,
    SourceUnavailable,
    StoreUnavailable,
)
from esm.runner import Ended, Runner, is_empty
from esm.trace import Idle, NotSaved, SavedAgain, Trace

POLL_THREADS = 16
_PUSH_QUIET_MS = 2_000
"""So long after the last record a pushed source counts as idle: it says nothing while it is."""
_LONGEST_HOLD_MS = 5
_DOZES, _LONGEST_DOZE_MS = 100, 10
"""The loop may be late for a poll by a hundredth of the pace, and by no more than 10 ms."""
_RETRY_MS = (1_000, 30_000)
"""Back-off for checkpoints that cannot be written: the first wait, and the longest."""
_LAST_DELIVERIES_MS = 2_000
"""So long after a stop, destinations may take what they have in hand."""


class LiveInvoker(Protocol):
    """A function that runs by itself, one invocation at a time."""

    @property
    def deadline_ms(self) -> int | None:
        """When the running invocation has used up its timeout."""

    def submit(
        self,
        build_event: Callable[[], dict[str, object]],
        request_id: str,
        done: Callable[[FunctionResult], None],
    ) -> None:
        """Queue an invocation; `done` is called once, by whatever thread, the caller's too."""

    def expire(self, now_ms: int) -> None:
        """Give up an invocation that is past its deadline."""

    def stop(self) -> None:
        """Begin nothing new: what is queued is answered as throttled."""


@dataclass(frozen=True, slots=True)
class _Held:
    """An invocation that waits until the checkpoints before it are durable."""

    shard: OpenedShard
    command: Invoke
    request_id: str
    since_ms: int


class LiveRunner(Runner):
    """Runs pipelines in real time. `functions` are those that their mappings invoke."""

    def __init__(self, clock: LiveClock, trace: Trace, store: CheckpointStore) -> None:
        super().__init__(clock, trace, nullcontext, skip_idle_polls=False)
        self.functions: dict[Pipeline, LiveInvoker] = {}
        self.holds = 0
        """How many others, such as somebody who feeds a stream, keep the run from being idle."""
        self.is_stopping = False
        self.begun = Event()
        """Set when the place from which each mapping reads is fixed, or the run is stopped."""
        self._clock = clock
        self._store = store
        self._pollers: dict[Pipeline, Workers] = {}
        self._targets: dict[str, Workers] = {}
        self._held: list[_Held] = []
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._turns = count()
        self._listings = Listings(clock, self)
        self._left_for_later: set[tuple[OpenedShard, int]] = set()
        self._deliveries_end_ms: int | None = None
        self._save_failures = 0
        self._save_ms = 0
        self._stirs = 0
        """Counts whatever has happened; a read that began after it and was empty saw nothing."""
        self._stirred_ms = 0
        self._seen: dict[OpenedShard, int] = {}
        self._caught_up: set[OpenedShard] = set()
        """Those whose source said, when they were read last, that nothing is left behind that."""
        self._reads = 0
        """How many are under way."""
        self._doze_ms = 0
        """An empty read need not wake the loop, which looks after so long anyway."""
        self._on_wake = self._post_wake

    @property
    def is_saved(self) -> bool:
        """Whether the last checkpoints could be written."""
        return not self._save_failures

    def post(self, happened: Callable[[], None]) -> None:
        """Have something done in the loop's thread."""
        self._clock.post(happened)

    def stop_all(self) -> None:
        """Poll no more and invoke no more; the run ends when what is in flight has."""
        if self.is_stopping:
            return
        self.is_stopping = True
        self.begun.set()
        now_ms = self.clock.now_ms()
        self._deliveries_end_ms = now_ms + _LAST_DELIVERIES_MS
        for held in self._held:
            unasked = Throttled(held.command.lane, held.command.batch, error="stopped")
            self._agenda.add_answer(held.shard, unasked, now_ms)
        self._held.clear()
        for pipeline in list(self._shards):
            self.stop(pipeline)
        for function in set(self.functions.values()):
            function.stop()

    def close(self) -> None:
        """Let go of readers and threads."""
        for shards in self._shards.values():
            for shard in shards:
                shard.is_gone = True
                shard.reader.close()
        for workers in (*self._pollers.values(), *self._targets.values()):
            workers.close()

    # --- waiting -----------------------------------------------------------------------------

    def _wait(self, until_ms: int, *, to_idle: bool) -> Ended | None:
        """Return when an entry is due, meanwhile doing what has been posted."""
        while True:
            self._clock.take_posted()
            now_ms = self.clock.now_ms()
            self._do_what_is_late(now_ms)
            due_ms = self._next_due_ms() if self._starts else self._agenda.next_due_ms()
            if due_ms is not None and due_ms <= min(now_ms, until_ms):
                if self._held and self._held[0].since_ms + _LONGEST_HOLD_MS <= now_ms:
                    self._commit(now_ms)
                return None
            self._commit(now_ms)
            ended = self._ended(now_ms, until_ms, to_idle=to_idle)
            if ended is not None:
                return ended
            alarms = [each for each in (due_ms, *self._alarms()) if each and each > now_ms]
            self.clock.wait_until(self._awake_ms(now_ms, min([until_ms, *alarms])))

    def _awake_ms(self, now_ms: int, alarm_ms: int) -> int:
        """When to go on if nothing is posted: many idle shards share one awakening."""
        if not self._doze_ms:
            return alarm_ms
        soon_ms = now_ms + self._doze_ms
        return soon_ms if self._reads else max(alarm_ms, soon_ms)

    def _ended(self, now_ms: int, until_ms: int, *, to_idle: bool) -> Ended | None:
        if self.is_stopping and not self._is_at_work():
            if self._save_failures:
                self._save_ms = now_ms  # nobody will try again later
                self._commit(now_ms)
            return Ended.STOPPED
        if to_idle and self._nothing_follows(now_ms):
            return Ended.IDLE
        return Ended.LIMIT if now_ms >= until_ms else None

    def _alarms(self) -> list[int | None]:
        """When something is to be done that no machine knows of; some may be past."""
        alarms = [each.deadline_ms for each in self.functions.values()]
        alarms += [each[0] for each in self._later[:1]]
        alarms += [self._save_ms, self._stirred_ms + _PUSH_QUIET_MS, self._deliveries_end_ms]
        return alarms

    def _do_what_is_late(self, now_ms: int) -> None:
        while self._later and self._later[0][0] <= now_ms and not self.is_stopping:
            heappop(self._later)[2]()
        for function in self.functions.values():
            deadline_ms = function.deadline_ms
            if deadline_ms is not None and deadline_ms <= now_ms:
                function.expire(now_ms)
        if self._deliveries_end_ms is not None and self._deliveries_end_ms <= now_ms:
            self._leave_deliveries()

    def _leave_deliveries(self) -> None:
        """A destination that does not answer is not waited for: the next run begins with them."""
        self._left_for_later |= {
            (shard, lane.index)
            for shards in self._shards.values()
            for shard in shards
            for lane in shard.machine.lanes
            if lane.state is LaneState.DISCARDING
        }

    def do_at(self, instant_ms: int, what: Callable[[], None]) -> None:
        """Have something done at an instant, unless the run is being stopped."""
        heappush(self._later, (instant_ms, next(self._turns), what))

    # --- whether anything is left to do ------------------------------------------------------

    def _is_at_work(self) -> bool:
        """Whether somebody has a batch in hand: a function, or a destination."""
        return any(
            lane.in_flight is not None and (shard, lane.index) not in self._left_for_later
            for shards in self._shards.values()
            for shard in shards
            for lane in shard.machine.lanes
        )

    def _nothing_follows(self, now_ms: int) -> bool:
        """Whether each shard was read once more after the last thing that happened, in vain."""
        if self.holds or self._held or self._starts or self._listings.is_busy:
            return False
        if self._save_failures:
            return False
        return not self._is_at_work() and all(
            shard.machine.timer_ms is None and self._is_seen(shard, now_ms)
            for shards in self._shards.values()
            for shard in shards
        )

    def _is_seen(self, shard: OpenedShard, now_ms: int) -> bool:
        if self._is_polled(shard):
            return self._seen.get(shard) == self._stirs
        is_quiet = now_ms - self._stirred_ms >= _PUSH_QUIET_MS
        return is_quiet and shard.machine.poller.suspended and shard in self._caught_up

    def _is_polled(self, shard: OpenedShard) -> bool:
        return shard.machine.policy.poll_interval_ms > 0

    def stir(self) -> None:
        """Something has happened: what was read before may have missed what follows from it."""
        self._stirs += 1
        self._stirred_ms = self.clock.now_ms()

    # --- checkpoints, and the calls that wait for them ---------------------------------------

    def _commit(self, now_ms: int) -> None:
        """Make checkpoints durable, then let the invocations go that were held until then."""
        if now_ms < self._save_ms:
            return
        try:
            self._store.commit()
        except StoreUnavailable as error:
            self._save_failures += 1
            self._save_ms = now_ms + backoff_ms(self._save_failures, *_RETRY_MS)
            self.trace.add(now_ms, "", None, NotSaved(str(error)))
            return
        if self._save_failures:
            self._save_failures = 0
            self.trace.add(now_ms, "", None, SavedAgain())
        if not self.begun.is_set() and self._have_all_begun():
            self.begun.set()  # not before the places are saved from which mappings read
        held, self._held = self._held, []
        for each in held:
            self._submit(each.shard, each.command, each.request_id)

    # --- commands ----------------------------------------------------------------------------

    def _read(self, shard: OpenedShard, command: GetRecords, now_ms: int) -> None:
        self._reads += 1
        job = partial(self._ask, shard, command, self._stirs)
        self._pollers[shard.pipeline].submit(job)

    def _ask(self, shard: OpenedShard, command: GetRecords, stirs: int) -> None:
        """In a thread: one read."""
        read = shard.reader.read(command.position, command.limit, self.clock.now_ms())
        read = shard.pipeline.filtered(shard.machine.shard_id, read)
        happened = partial(self._have_read, shard, command, read, stirs)
        if self._doze_ms and is_empty(read):
            self._clock.post_quietly(happened)
        else:
            self.post(happened)

    def _have_read(
        self,
        shard: OpenedShard,
        command: GetRecords,
        read: RecordsArrived | PollFailed,
        stirs: int,
    ) -> None:
        self._reads -= 1
        if shard.is_gone:
            return
        now_ms = self.clock.now_ms()
        is_nothing = is_empty(read)
        self._agenda.note_read(
            shard, refused=isinstance(read, PollFailed) and read.reason is PollFailure.THROTTLED
        )
        is_caught_up = isinstance(read, RecordsArrived) and not read.millis_behind
        message = Idle(1) if is_nothing and is_caught_up else command
        self.trace.add(now_ms, shard.pipeline.name, shard.machine.shard_id, message)
        if is_caught_up:
            self._caught_up.add(shard)
        else:
            self._caught_up.discard(shard)
        if is_nothing and is_caught_up:
            self._seen[shard] = stirs
        elif isinstance(read, RecordsArrived):
            self.stir()
        self._agenda.add_answer(shard, read, now_ms)

    def _invoke(self, shard: OpenedShard, command: Invoke, request_id: str, now_ms: int) -> None:
        self._held.append(_Held(shard, command, request_id, now_ms))

    def _submit(self, shard: OpenedShard, command: Invoke, request_id: str) -> None:
        event = partial(self._event, shard, command)
        done = partial(self._returned, shard, command, request_id)
        self.functions[shard.pipeline].submit(event, request_id, done)

    def _event(self, shard: OpenedShard, command: Invoke) -> dict[str, object]:
        """In the function's thread; a mistake of ours is none of the function's."""
        try:
            return shard.pipeline.event(shard.machine.shard_id, command)
        except Exception as error:
            self._failed(error)
            raise

    def _returned(
        self, shard: OpenedShard, command: Invoke, request_id: str, result: FunctionResult
    ) -> None:
        """In the function's thread."""
        self.post(partial(self._have_returned, shard, command, request_id, result))

    def _have_returned(
        self, shard: OpenedShard, command: Invoke, request_id: str, result: FunctionResult
    ) -> None:
        if shard.is_gone:
            return
        self.stir()
        now_ms = self.clock.now_ms()
        shard_id, began_ms = shard.machine.shard_id, now_ms - result.duration_ms
        outcome, _ = shard.pipeline.concluded(shard_id, command, request_id, result, began_ms)
        self._agenda.add_answer(shard, outcome, now_ms)

    def _send(self, shard: OpenedShard, command: SendToDestination, now_ms: int) -> None:
        arn = shard.pipeline.destination_arn or ""
        if arn not in self._targets:
            self._targets[arn] = Workers(arn.rpartition(":")[2], 1, self._failed)
        self._targets[arn].submit(partial(self._deliver, shard, command, now_ms))

    def _deliver(self, shard: OpenedShard, command: SendToDestination, now_ms: int) -> None:
        """In the destination's thread."""
        answer: DestinationDelivered | DeliveryFailed
        try:
            answer = shard.pipeline.deliver(shard.machine.shard_id, command, now_ms)
        except DeliveryFailed as error:
            answer = error
        self.post(partial(self._have_delivered, shard, command, answer))

    def _have_delivered(
        self,
        shard: OpenedShard,
        command: SendToDestination,
        answer: DestinationDelivered | DeliveryFailed,
    ) -> None:
        self.stir()
        if isinstance(answer, DestinationDelivered):
            told: DestinationDelivered | DestinationFailed = answer
        elif self.is_stopping and not answer.fatal:
            self._left_for_later.add((shard, command.lane))
            return  # it is not given up: the next run begins with it
        else:
            told = DestinationFailed(command.lane, command.batch, str(answer))
        if not shard.is_gone:
            self._agenda.add_answer(shard, told, self.clock.now_ms())

    # --- shards ------------------------------------------------------------------------------

    def pollers(self, pipeline: Pipeline) -> Workers:
        """The threads that ask a mapping's source."""
        if pipeline not in self._pollers:
            self._pollers[pipeline] = Workers(pipeline.name, POLL_THREADS, self._failed)
        return self._pollers[pipeline]

    def _list_shards(self, pipeline: Pipeline, now_ms: int) -> None:
        if pipeline.begun_ms is None:
            self._listings.watch_retention(pipeline)
        self._listings.ask(pipeline)

    def not_listed(self, pipeline: Pipeline, error: SourceUnavailable) -> None:
        """The source could not be asked, and will be again."""
        failed = PollFailed(PollFailure.UNAVAILABLE, str(error))
        self.trace.add(self.clock.now_ms(), pipeline.name, None, failed)

    def listed(self, pipeline: Pipeline, places: Places | None, shards: Sequence[Shard]) -> None:
        """These shards there are; the first time also where they begin."""
        if self.is_stopping:
            return
        now_ms = self.clock.now_ms()
        if places is not None:
            pipeline.note_places(places, now_ms)
        self._tell_stream(pipeline, ShardsListed(shards), now_ms)

    def retention_seen(self, pipeline: Pipeline) -> None:
        """A stuck shard, too, keeps its records for as long as the source does now."""
        for shard in self._shards.get(pipeline, []):
            shard.machine.retention_ms = pipeline.source.retention_ms

    def _open(self, pipeline: Pipeline, command: OpenShard, now_ms: int) -> None:
        super()._open(pipeline, command, now_ms)
        pipeline.note_start(command.shard_id)
        paces = [each.terms.policy.poll_interval_ms for each in self._shards]
        doze_ms = min([ms // _DOZES for ms in paces if ms], default=0)
        self._doze_ms = min(doze_ms, _LONGEST_DOZE_MS) if doze_ms > 1 else 0

    def _have_all_begun(self) -> bool:
        return not self._starts and all(each.begun_ms is not None for each in self._shards)

    def _forget(self, shard: OpenedShard) -> None:
        super()._forget(shard)
        self._seen.pop(shard, None)
        self._caught_up.discard(shard)
        shard.pipeline.forget(shard.machine.shard_id)

    def _post_wake(self, shard: OpenedShard) -> None:
        """From a reader's own thread."""
        self.post(partial(self._wake, shard))

    def _failed(self, error: BaseException) -> None:
        """In a thread: our own mistake, which ends the run."""
        self.post(partial(_raise, error))


def _raise(error: BaseException) -> NoReturn:
    raise error
