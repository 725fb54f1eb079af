"""Reads one shard as an enhanced fan-out consumer: a thread takes in what is pushed.

A subscription ends after five minutes, and is renewed; so is one that breaks.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from threading import Lock, Thread
from typing import Any, Protocol

from esm.clock import SystemClock
from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import Position
from esm.sources.kinesis_subscription_inbox import Inbox, Pushed
from esm.sources.kinesis_subscription_pace import IN_USE, Pace, Renewals
from esm.sources.kinesis_subscription_place import Parts, Progress
from esm.sources.kinesis_subscription_wire import PushedEvent, cut, events_in, records_in
from esm.sources.live_calls import NOT_FOUND, CallFailed

# What a place is refused with that the shard does not have any more.
_NO_SUCH_PLACE = frozenset({"InvalidArgumentException", "ValidationException"})


class Consumer(Protocol):
    """What a reader needs of its source; all of it raises CallFailed."""

    def subscribe(self, shard_id: str, start: dict[str, Any]) -> Any:
        """One SubscribeToShard; gives the stream."""

    def has_shard(self, shard_id: str) -> bool:
        """Whether the shard is listed yet."""

    def is_closed(self, shard_id: str) -> bool:
        """Whether the shard was listed as closed, not long ago."""


class SubscriptionReader:
    """A `ShardReader` with a thread, which begins at the first position that it is told.

    `progress` makes the way from there. Aggregates come whole, so that every read ends with a
    sequence number. A subscription that has brought something is renewed without a word.
    """

    def __init__(
        self,
        consumer: Consumer,
        shard_id: str,
        progress: Callable[[Position], Progress],
        parts: Parts,
        pace: Pace,
    ) -> None:
        self.inbox = Inbox()
        self._consumer = consumer
        self._shard_id = shard_id
        self._progress = progress
        self._parts = parts
        self._pace = pace
        self._clock = SystemClock()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._stream: Any = None
        self._is_known_closed = False

    @property
    def must_poll(self) -> bool:
        """Nobody polls."""
        return False

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        """At once, if something waits or has failed; else the inbox's `on_put` will tell."""
        self.start(partial(self._begin, position))
        return None if self.inbox.is_empty else now_ms

    def idle_until(self, instant_ms: int) -> None:
        """A subscription renews itself."""

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        """What waits, up to `limit` records or one aggregate; never blocks."""
        self.start(partial(self._begin, position))
        return self.inbox.take(limit)

    def close(self) -> None:
        """Cut the connection; the thread ends by itself."""
        self.inbox.close()
        with self._lock:
            if self._stream is not None:
                cut(self._stream)

    def _begin(self, position: Position) -> Progress:
        self._parts.begin(position)
        return self._progress(position)

    def start(self, begin: Callable[[], Progress], stream: Any = None) -> None:
        """Begin, unless it has: with a subscription that is there already, or a new one."""
        with self._lock:
            if self._thread is not None or self.inbox.is_closed:
                return
            name, args = f"esm-{self._shard_id}", (begin(), stream)
            self._thread = Thread(target=self._work, args=args, name=name, daemon=True)
        self._thread.start()

    # --- in the thread ---------------------------------------------------------------------------

    def _work(self, progress: Progress, stream: Any) -> None:
        """What the world does is told; a mistake of ours is raised where it is read."""
        try:
            self._run(progress, stream)
        except Exception as bug:
            self.inbox.break_down(bug)

    def _run(self, progress: Progress, stream: Any) -> None:
        """Subscribe again and again, until the end of the shard or of the reader."""
        intake = _Intake(self.inbox, self._parts, progress, self._clock, self._shard_id)
        renewals = Renewals(self._pace)
        while True:
            renewals.begin()
            seen = intake.events
            failed = self._follow(progress, intake, stream)
            if intake.is_over or self.inbox.is_closed:
                return
            told = renewals.end(failed, brought=intake.events > seen)
            if told is not None:
                intake.fail(told)
            stream = None
            if not self.inbox.wait(renewals.wait_ms / 1000):
                return

    def _follow(self, progress: Progress, intake: _Intake, stream: Any) -> CallFailed | None:
        """One subscription; gives what it has failed with."""
        seen, was_closed = intake.events, self._is_known_closed
        try:
            if stream is None:
                stream = self._subscribe(progress)
            with closing(self._events(stream)) as events:
                for event in events:
                    intake.take(event)
                    if self._is_end(event, intake, was_closed=was_closed):
                        return None
        except CallFailed as failed:
            if failed.code == NOT_FOUND and self._is_gone():
                intake.end(trimmed=True)
            return failed
        nothing = CallFailed("the subscription ended before anything came")
        return nothing if intake.events == seen else None

    def _subscribe(self, progress: Progress) -> Any:
        start = progress.next_start(self._clock.now_ms())
        try:
            return self._consumer.subscribe(self._shard_id, start)
        except CallFailed as failed:
            if failed.code not in _NO_SUCH_PLACE or "SequenceNumber" not in start:
                raise
            progress.begin_at_horizon()
            start = progress.next_start(self._clock.now_ms())
            return self._consumer.subscribe(self._shard_id, start)

    def _events(self, stream: Any) -> Generator[PushedEvent, None, None]:
        """The stream's events; `close` can reach it meanwhile."""
        with self._lock:
            self._stream = stream
        try:
            if not self.inbox.is_closed:
                yield from events_in(stream)
        finally:
            with self._lock:
                self._stream = None
            stream.close()

    def _is_end(self, event: PushedEvent, intake: _Intake, *, was_closed: bool) -> bool:
        """Whether the subscription is to end here.

        Some servers do not say that a shard is closed. Where the stream lists it as closed, a new
        subscription, whose events are younger than that, shows whether it is read to its end.
        """
        if not (event.records or event.millis_behind_latest or intake.is_over):
            if was_closed:
                intake.end(trimmed=False)
            elif self._is_listed_closed():
                self._is_known_closed = True
                return True
        return intake.is_over or not self.inbox.wait_for_room()

    def _is_listed_closed(self) -> bool:
        try:
            return self._consumer.is_closed(self._shard_id)
        except CallFailed:
            return False  # the subscription goes on, and will tell when it does not

    def _is_gone(self) -> bool:
        """Whether the shard is past retention, whatever was still in it."""
        try:
            return not self._consumer.has_shard(self._shard_id)
        except CallFailed:
            return False  # the failure before this one is told


class _Intake:
    """Turns events into what waits. `events` counts them; `is_over`: there will be no more."""

    def __init__(
        self, inbox: Inbox, parts: Parts, progress: Progress, clock: SystemClock, shard_id: str
    ) -> None:
        self.events = 0
        self.is_over = False
        self._inbox = inbox
        self._parts = parts
        self._progress = progress
        self._clock = clock
        self._shard_id = shard_id
        self._is_caught_up: bool | None = None

    def take(self, event: PushedEvent) -> None:
        """Take in one event. Those without news are not passed on: they keep a connection alive."""
        whole, behind_ms = records_in(event, self._shard_id), event.millis_behind_latest
        self._parts.prepare(whole)
        # Nothing fails from here on, where the event begins to count as taken.
        new, trimmed = self._progress.take(event, whole, self._clock.now_ms())
        records, strays = self._parts.unpack(new)
        self.events += 1
        self.is_over = bool(event.child_shards)
        is_caught_up = not behind_ms
        if records or strays or trimmed or self.is_over or is_caught_up is not self._is_caught_up:
            self._is_caught_up = is_caught_up
            self._inbox.put(Pushed(records, behind_ms, strays, trimmed, self.is_over))

    def fail(self, failed: CallFailed) -> None:
        """Tell of a failure, and afterwards that it is over."""
        self._is_caught_up = None
        # Another subscription that is still alive is a limit like others.
        is_limit = failed.code == IN_USE
        told = PollFailed(PollFailure.THROTTLED, failed.text) if is_limit else failed.poll_failed
        self._inbox.put(told)

    def end(self, *, trimmed: bool) -> None:
        """The shard is over, though no event has said so."""
        self.is_over = True
        self._inbox.put(Pushed((), trimmed=trimmed, is_end=True))
