"""What is due when, and which polls need not be made at all.

At one instant answers come first, in the order in which they were scheduled; then deadlines, in
the order in which their shards were opened. That order does not depend on empty polls, so in
virtual time those are not made: a reader says when it next has something, the poll falls on the
first tick of the cadence from there, and the machine is told how many ticks it has passed over.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from esm.core.messages import (
    DeadlineReached,
    PollsResumed,
    PollsSkipped,
    PollsSuspended,
    ShardInput,
)
from esm.core.shard import ShardMachine
from esm.pipeline import Pipeline
from esm.ports import ShardReader

# What an entry is; at one instant answers come before deadlines.
ANSWER, DEADLINE = 0, 1
DEADLINE_REACHED = DeadlineReached()


@dataclass(slots=True, eq=False)
class OpenedShard:
    """A shard that is being read. `due_ms`: its deadline on the agenda; `tick_ms`: its next poll.

    Polls that would be empty are not planned; while nobody puts anything, the machine's are
    suspended. `order` is its turn among the deadlines of one instant; `refused`, below all orders,
    the one that it has instead while a limit refuses its reads.
    """

    wake: Callable[[OpenedShard], None]
    pipeline: Pipeline
    machine: ShardMachine
    order: int
    reader: ShardReader = field(init=False)
    due_ms: int | None = None
    tick_ms: int | None = None
    refused: int | None = None
    is_gone: bool = False

    def woken(self) -> None:
        """Something was put into the shard, or it was closed."""
        self.wake(self)


Entry = tuple[int, int, int, int, OpenedShard, ShardInput]


class Agenda:
    """A heap of (due_ms, kind, turn, order of scheduling, shard, message)."""

    def __init__(self, *, skip_idle_polls: bool) -> None:
        self.orders = itertools.count()
        self._skip = skip_idle_polls
        self._entries: list[Entry] = []
        self._passed = (-1, -1)  # an instant, and the last turn of it that is over
        self._refusals = itertools.count(-(1 << 62))

    def add_answer(self, shard: OpenedShard, message: ShardInput, due_ms: int) -> None:
        """An answer is known at this instant."""
        count = next(self.orders)
        heappush(self._entries, (due_ms, ANSWER, count, count, shard, message))

    def note_read(self, shard: OpenedShard, *, refused: bool) -> None:
        """Let a shard whose reads are refused go first, the longest refused before others.

        Pollers on AWS drift apart. These keep step, and the last of them would never get to read.
        """
        if not refused:
            shard.refused = None
        elif shard.refused is None:
            shard.refused = next(self._refusals)

    def next_due_ms(self) -> int | None:
        """When the next entry is due, if there is any."""
        entries = self._entries
        while entries:
            due_ms, kind, _, _, shard, _ = entries[0]
            if not shard.is_gone and (kind == ANSWER or shard.due_ms == due_ms):
                return due_ms
            heappop(entries)  # the shard is gone, or has another deadline by now
        return None

    def take(self, now_ms: int) -> tuple[OpenedShard, ShardInput]:
        """The next entry, which is due now."""
        _, kind, order, _, shard, message = heappop(self._entries)
        if kind == DEADLINE:
            shard.due_ms = None
            passed_ms, passed_order = self._passed
            self._passed = (now_ms, max(order, passed_order) if passed_ms == now_ms else order)
        return shard, message

    def drop_gone(self) -> None:
        """Forget the entries of shards that are gone."""
        self._entries = [entry for entry in self._entries if not entry[4].is_gone]
        heapify(self._entries)

    def has_answers(self) -> bool:
        """Whether an answer is still to come."""
        return any(entry[1] == ANSWER for entry in self._entries)

    # --- the cadence of polls --------------------------------------------------------------------

    def schedule(self, shard: OpenedShard, now_ms: int) -> None:
        """Note the shard's next deadline that is not an empty poll."""
        if shard.is_gone:
            return
        machine = shard.machine
        due_ms = machine.timer_ms
        if machine.poller.due_ms is not None:
            shard.tick_ms = tick_ms = self._next_tick_ms(shard, now_ms)
            if tick_ms is None:
                machine.handle(PollsSuspended(caught_up=self._skip), now_ms)
                due_ms = machine.timer_ms  # a window waits for a read, or for this
            elif due_ms is None or tick_ms < due_ms:
                due_ms = tick_ms
        if due_ms != shard.due_ms:
            shard.due_ms = due_ms
            if due_ms is not None:
                turn = shard.order if shard.refused is None else shard.refused
                entry = (due_ms, DEADLINE, turn, next(self.orders), shard, DEADLINE_REACHED)
                heappush(self._entries, entry)

    def _next_tick_ms(self, shard: OpenedShard, now_ms: int) -> int | None:
        """When to poll: at the next tick, or with skipping at the first that is not empty.

        A source that pushes has no ticks: it is read just when it has something.
        """
        poller = shard.machine.poller
        tick_ms = poller.due_ms
        assert tick_ms is not None
        interval_ms = shard.machine.policy.poll_interval_ms
        must_poll = not self._skip or shard.reader.must_poll or shard.machine.must_catch_up
        if interval_ms and must_poll:
            return tick_ms
        ready_ms = shard.reader.ready_ms(poller.position, now_ms)
        if ready_ms is None or ready_ms <= tick_ms:
            return None if ready_ms is None else tick_ms
        if not interval_ms:
            return ready_ms
        return tick_ms - (tick_ms - ready_ms) // interval_ms * interval_ms

    def pass_ticks(self, shard: OpenedShard, now_ms: int, *, turn_is_over: bool = False) -> int:
        """Tell the machine of the empty polls that were not made until now; gives their number.

        A tick at this very instant has passed when the shard's turn in it has.
        """
        poller, interval_ms = shard.machine.poller, shard.machine.policy.poll_interval_ms
        turn_is_over |= self._passed[0] == now_ms and shard.order <= self._passed[1]
        last_ms = now_ms if turn_is_over else now_ms - 1
        if poller.suspended:
            tick_ms = poller.next_ms
        elif self._skip and poller.due_ms is not None and shard.tick_ms is not None:
            tick_ms = poller.due_ms
            last_ms = min(last_ms, shard.tick_ms - 1)
        else:
            return 0
        if tick_ms > last_ms or not interval_ms:
            return 0
        count = (last_ms - tick_ms) // interval_ms + 1
        shard.machine.handle(PollsSkipped(count), now_ms)
        shard.reader.idle_until(tick_ms + (count - 1) * interval_ms)
        return count

    def resume_polls(self, shard: OpenedShard, now_ms: int) -> None:
        """The source may have something: plan the polls of a shard anew."""
        if shard.machine.poller.suspended:
            shard.machine.handle(PollsResumed(), now_ms)
        self.schedule(shard, now_ms)
