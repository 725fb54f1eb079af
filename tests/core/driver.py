"""Drives shard machines through virtual time: a scripted shard, scripted answers, one heap.

No IO, and nothing from the engine but the machines themselves.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count, takewhile
from random import Random
from typing import Protocol

from esm.core import messages as m
from esm.core.model import After, AtTimestamp, Position, TrimHorizon, TumblingWindow
from esm.core.retention import is_trimmed
from esm.core.shard import ShardMachine


@dataclass(frozen=True, slots=True)
class Rec:
    position: int
    key: str = "k"
    arrived_ms: int = 0
    size: int = 1


@dataclass
class ScriptedShard:
    """Gives each record from its arrival on. Closes at `closes_ms`; None: it stays open.

    `filtered`: positions of records that FilterCriteria remove.
    """

    records: Sequence[Rec]
    closes_ms: int | None = 0
    retention_ms: int | None = None
    filtered: frozenset[int] = frozenset()
    told_lost: set[int] = field(default_factory=set)

    def read(self, position: Position, limit: int, now_ms: int) -> m.RecordsArrived:
        after = position.position if isinstance(position, After) else -1
        since_ms = position.timestamp_ms if isinstance(position, AtTimestamp) else -1
        arrived = list(takewhile(lambda r: r.arrived_ms <= now_ms, self.records))
        there = [r for r in arrived if r.position > after and r.arrived_ms >= since_ms]
        kept = [r for r in there if not is_trimmed(r.arrived_ms, self.retention_ms, now_ms)]
        lost = [r for r in there if r not in kept and r.position not in self.told_lost]
        self.told_lost |= {r.position for r in lost}
        more = len(kept) > limit
        closed = self.closes_ms is not None and now_ms >= self.closes_ms
        end = closed and not more and len(arrived) == len(self.records)
        read = kept[:limit]
        matching = [r for r in read if r.position not in self.filtered]
        filtered = [r for r in read if r.position in self.filtered]
        return m.RecordsArrived(matching, 1 if more else 0, end, lost, filtered)


class Answers(Protocol):
    """What the world says to a command, and after how many milliseconds."""

    def to_read(self, now_ms: int) -> tuple[int, m.PollFailed | None]: ...

    def to_invoke(self, command: m.Invoke, now_ms: int) -> tuple[int, m.Outcome]: ...

    def to_send(self, command: m.SendToDestination, now_ms: int) -> tuple[int, m.LaneInput]: ...


def state_after(command: m.Invoke, taken: int) -> str | None:
    """What a function returns that lists in its state which records it has taken."""
    if command.window is None:
        return None
    before = "" if command.window.state == "{}" else command.window.state
    return f"{before} {' '.join(str(r.position) for r in command.records[:taken])}".strip()


@dataclass
class RandomAnswers:
    """Every fault there is until `faults_until_ms`, then none; latencies always vary."""

    seed: int
    faults_until_ms: int
    slowest_ms: int = 1_500
    rng: Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)

    def to_read(self, now_ms: int) -> tuple[int, m.PollFailed | None]:
        delay_ms = self.rng.choice((0, 0, 1, 40, 700))
        if now_ms < self.faults_until_ms and self.rng.random() < 0.2:
            return delay_ms, m.PollFailed(self.rng.choice(list(m.PollFailure)))
        return delay_ms, None

    def to_invoke(self, command: m.Invoke, now_ms: int) -> tuple[int, m.Outcome]:
        delay_ms = self.rng.randrange(self.slowest_ms)
        lane, batch, size = command.lane, command.batch, len(command.records)
        succeeded = m.Succeeded(lane, batch, state_after(command, size))
        if now_ms >= self.faults_until_ms:
            return delay_ms, succeeded
        index = self.rng.randrange(max(size, 1))
        partly = m.PartlyFailed(lane, batch, index, state_after(command, index))
        failed = m.Failed(lane, batch)
        outcomes: list[m.Outcome] = [
            succeeded,
            partly if size else failed,  # a closing call has no record to report
            failed,
            m.Throttled(lane, batch),
        ]
        return delay_ms, self.rng.choices(outcomes, weights=(4, 2, 3, 1))[0]

    def to_send(self, command: m.SendToDestination, now_ms: int) -> tuple[int, m.LaneInput]:
        delay_ms = self.rng.randrange(self.slowest_ms)
        if now_ms < self.faults_until_ms and self.rng.random() < 0.3:
            return delay_ms, m.DestinationFailed(command.lane, command.batch)
        return delay_ms, m.DestinationDelivered(command.lane, command.batch)


@dataclass
class Actor:
    """A machine with its surroundings."""

    machine: ShardMachine
    shard: ScriptedShard
    answers: Answers


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log: an input or a command of a shard."""

    at_ms: int
    shard_id: str
    message: m.ShardInput | m.ShardCommand


@dataclass
class Loop:
    """The runner in small: every machine, every pending answer, one clock."""

    now_ms: int = 0
    late_ms: Callable[[], int] = lambda: 0  # how late a deadline is noticed, as by a busy clock
    on_close: Callable[[str], None] = lambda _: None
    each_step: Callable[[Actor], None] = lambda _: None
    actors: dict[str, Actor] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    commands: int = 0
    _agenda: list[tuple[int, int, str, m.ShardInput | None]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def add(self, machine: ShardMachine, shard: ScriptedShard, answers: Answers) -> None:
        self.actors[machine.shard_id] = Actor(machine, shard, answers)
        self._schedule_deadline(machine)

    def run(self, *, until_ms: int = 10**9, most_commands: int | None = None) -> Loop:
        """Until nothing is pending, `until_ms`, or a crash after so many commands."""
        for _ in range(100_000):
            if not self._agenda or self._agenda[0][0] > until_ms:
                return self
            due_ms, _, shard_id, message = heappop(self._agenda)
            self.now_ms = due_ms
            machine = self.actors[shard_id].machine
            if message is None:
                if machine.deadline_ms is None or machine.deadline_ms > due_ms:
                    continue
                message = m.DeadlineReached()
            if not self._tell(shard_id, message, most_commands):
                return self
        raise AssertionError("the loop does not come to an end")

    def _tell(self, shard_id: str, message: m.ShardInput, most_commands: int | None) -> bool:
        actor = self.actors[shard_id]
        self.log.append(Entry(self.now_ms, shard_id, message))
        for command in actor.machine.handle(message, self.now_ms):
            if self.commands == most_commands:
                return False
            self.commands += 1
            self.log.append(Entry(self.now_ms, shard_id, command))
            self._perform(actor, command)
        self.each_step(actor)
        self._schedule_deadline(actor.machine)
        return True

    def _perform(self, actor: Actor, command: m.ShardCommand) -> None:
        now_ms, shard_id = self.now_ms, actor.machine.shard_id
        match command:
            case m.GetRecords(position=position, limit=limit):
                delay_ms, failure = actor.answers.to_read(now_ms)
                self._schedule(
                    delay_ms, shard_id, failure or actor.shard.read(position, limit, now_ms)
                )
            case m.Invoke():
                delay_ms, outcome = actor.answers.to_invoke(command, now_ms)
                self._schedule(delay_ms, shard_id, outcome)
            case m.SendToDestination():
                delay_ms, answer = actor.answers.to_send(command, now_ms)
                self._schedule(delay_ms, shard_id, answer)
            case m.CloseShard():
                self.on_close(shard_id)
            case m.Resolved() | m.SaveCheckpoint() | m.StateDropped():
                pass

    def _schedule(self, delay_ms: int, shard_id: str, message: m.ShardInput | None) -> None:
        entry = (self.now_ms + delay_ms, next(self._order), shard_id, message)
        heappush(self._agenda, entry)

    def _schedule_deadline(self, machine: ShardMachine) -> None:
        if machine.deadline_ms is not None:
            wait_ms = max(0, machine.deadline_ms - self.now_ms)
            self._schedule(wait_ms + self.late_ms(), machine.shard_id, None)


def last_checkpoint(log: Sequence[Entry]) -> tuple[Position, TumblingWindow | None]:
    """Where a new machine goes on after the run that left this log, and its open window there."""
    saved = [e.message for e in log if isinstance(e.message, m.SaveCheckpoint)]
    return (After(saved[-1].position), saved[-1].window) if saved else (TrimHorizon(), None)


def copied(actor: Actor) -> None:
    """A step for `Loop.each_step`: put a copy that went through pickle in the machine's place."""
    copy = pickle.loads(pickle.dumps(actor.machine))
    assert copy == actor.machine
    actor.machine = copy
