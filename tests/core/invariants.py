"""What holds in every run, checked over the log that `driver.Loop` leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from driver import Entry, Rec
from window_books import WindowBooks

from esm.core import messages as m
from esm.core.model import Condition, Envelope, Fate, Policy, TumblingWindow


@dataclass
class Watch:
    """The books of one shard, kept apart from the machine's own."""

    policy: Policy
    envelope: Envelope = field(default_factory=Envelope)
    retention_ms: int | None = None
    start: int = -1  # the checkpoint of the run before
    window: TumblingWindow | None = None  # and what was open there
    open: dict[int, Rec] = field(default_factory=dict)  # read and not resolved, in read order
    fates: dict[int, Fate] = field(default_factory=dict)
    lane_of_key: dict[str, int] = field(default_factory=dict)
    awaited: dict[int, int] = field(default_factory=dict)  # lane -> batch
    attempts: dict[int, int] = field(default_factory=dict)  # batch -> invocations that counted
    checkpoint: int = field(init=False)
    read: list[int] = field(default_factory=list)
    reading: bool = False
    caught_up: bool = False
    ended: bool = False
    closed: bool = False
    books: WindowBooks | None = None

    def __post_init__(self) -> None:
        self.checkpoint = self.start
        if self.policy.tumbling_window_ms:
            self.books = WindowBooks(self.policy, self.window, self.window)

    def see(self, entry: Entry) -> None:
        assert not self.closed, f"after the end: {entry}"
        if isinstance(entry.message, m.ShardInput):
            self.rest()
            self.hear(entry.message)
        else:
            self.obey(entry.message, entry.at_ms)

    def hear(self, message: m.ShardInput) -> None:
        match message:
            case m.RecordsArrived(records=records, lost=lost, filtered=filtered):
                self.reading = False
                self.caught_up = message.millis_behind == 0
                self.ended = message.end_of_shard
                read = sorted([*records, *filtered], key=lambda r: r.position)
                self.read += [r.position for r in read]
                self.open |= {r.position: r for r in [*lost, *read]}
            case m.PollFailed():
                self.reading = self.caught_up = False
            case m.PartlyFailed(batch=batch) | m.Failed(batch=batch):
                self.answered(message)
                self.attempts[batch] += 1
            case m.DeadlineReached() | m.Stopped():
                pass
            case m.PollsSuspended() | m.PollsSkipped() | m.PollsResumed():
                pass
            case answer:
                self.answered(answer)

    def obey(self, command: m.ShardCommand, at_ms: int) -> None:
        match command:
            case m.GetRecords():
                assert not self.reading
                assert len(self.open) < self.most_open
                self.reading = True
            case m.Invoke():
                self.invoke(command, at_ms)
            case m.SendToDestination(lane=lane, batch=batch):
                self.await_answer(lane, batch)
                assert command.window == self.open_window()
            case m.Resolved():
                self.resolve(command)
            case m.SaveCheckpoint():
                self.save(command)
            case m.StateDropped():
                self.drop_state(command, at_ms)
            case m.CloseShard():
                assert not self.open
                assert not self.awaited
                self.closed = True

    @property
    def most_open(self) -> int:
        policy = self.policy
        return policy.read_ahead_records + policy.parallelization_factor * policy.batch_size

    def await_answer(self, lane: int, batch: int) -> None:
        assert lane not in self.awaited, f"lane {lane} does two things at once"
        self.awaited[lane] = batch

    def answered(self, message: m.LaneInput) -> None:
        assert self.awaited.pop(message.lane) == message.batch
        if self.books:
            self.books.answered(message)

    @property
    def first_open(self) -> Rec | None:
        return self.open[min(self.open)] if self.open else None

    def open_window(self) -> TumblingWindow | None:
        """The window that the first open record belongs to, or goes with."""
        if self.books is None:
            return None
        if self.first_open is not None:
            self.books.touch(self.first_open)
        return self.books.window

    def invoke(self, command: m.Invoke, at_ms: int) -> None:
        """No batch too big, too old or out of order, and none whose quota is used up."""
        policy, records = self.policy, command.records
        self.await_answer(command.lane, command.batch)
        self.show_window(command, at_ms)
        assert len(records) <= policy.batch_size
        size = self.envelope.event_bytes + sum(r.size + self.envelope.record_bytes for r in records)
        if command.window is not None:
            size += self.envelope.window_bytes + len(command.window.state)
        assert size <= policy.payload_limit_bytes or not records
        attempts = self.attempts.setdefault(command.batch, 0)
        assert command.attempt == attempts + 1
        if policy.maximum_retry_attempts != -1:
            assert attempts <= policy.maximum_retry_attempts
        for record in records:
            age_ms = at_ms - record.arrived_ms
            assert policy.maximum_record_age_ms == -1 or age_ms <= policy.maximum_record_age_ms
            assert self.retention_ms is None or age_ms <= self.retention_ms
            assert self.lane_of_key.setdefault(record.key, command.lane) == command.lane
        for key in {r.key for r in records}:
            mine = [r.position for r in records if r.key == key]
            first = [r.position for r in self.open.values() if r.key == key][: len(mine)]
            assert mine == first, f"key {key} is delivered out of order"

    def show_window(self, command: m.Invoke, at_ms: int) -> None:
        """Only closing calls have no records, and only mappings with windows have those."""
        window = self.open_window()
        if self.books is None:
            assert command.records
            assert command.window is window is None
            return
        if not command.records:
            self.books.may_close(self.first_open, at_ms, caught_up=self.caught_up, ended=self.ended)
        self.books.invoked(command)

    def resolve(self, command: m.Resolved) -> None:
        assert command.records
        if command.lane is not None:
            self.open_window()
        for record in command.records:
            del self.open[record.position]
            assert record.position not in self.fates, "a record has two fates"
            self.fates[record.position] = command.fate
        assert (command.info is not None) is (command.fate is Fate.DISCARDED)
        if command.info is not None:
            assert command.batch is not None
            attempts = self.attempts.get(command.batch, 0)
            assert command.info.invoked is (attempts > 0)
            exhausted = command.info.condition is Condition.RETRY_ATTEMPTS_EXHAUSTED
            assert command.info.approximate_invoke_count == attempts + (0 if exhausted else 1)
            if exhausted:
                assert attempts == self.policy.maximum_retry_attempts + 1

    def save(self, command: m.SaveCheckpoint) -> None:
        """The checkpoint only goes up, and never past an open record."""
        position = command.position
        if self.books is None:
            assert command.window is None
            assert position > self.checkpoint
        else:
            assert position > self.checkpoint or command.window != self.books.saved
            assert position >= self.checkpoint
            self.books.save(command.window, self.first_open)
        assert all(p > position for p in self.open)
        self.checkpoint = position

    def drop_state(self, command: m.StateDropped, at_ms: int) -> None:
        """A closing call has no more attempts, or its window ended too long ago for another."""
        assert self.books is not None
        assert command.window == self.books.window
        tried, age_ms = command.batch in self.attempts, at_ms - command.window.end_ms
        limit_ms = self.policy.maximum_record_age_ms
        is_exhausted = self.attempts.get(command.batch) == self.policy.maximum_retry_attempts + 1
        assert is_exhausted or (tried and -1 < limit_ms < age_ms)
        self.books.close()

    def rest(self) -> None:
        """When the machine has answered, the checkpoint stands as high as it may."""
        below = [p for p in self.read if p < min(self.open, default=p + 1)]
        assert self.checkpoint == max(below, default=self.start)
        if self.books:
            self.books.rest()

    def end(self, records: Sequence[Rec]) -> None:
        """Nothing is left over, and no record was forgotten."""
        assert self.closed
        assert self.fates.keys() == {r.position for r in records}
        self.rest()
        if self.books:
            self.books.end()


def watched(log: Sequence[Entry], watch: Watch) -> Watch:
    for entry in log:
        watch.see(entry)
    return watch
