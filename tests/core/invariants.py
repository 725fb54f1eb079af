"""What holds in every run, checked over the log that `driver.Loop` leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from driver import Entry, Rec

from esm.core import messages as m
from esm.core.model import Condition, Envelope, Fate, Policy


@dataclass
class Watch:
    """The books of one shard, kept apart from the machine's own."""

    policy: Policy
    envelope: Envelope = field(default_factory=Envelope)
    retention_ms: int | None = None
    start: int = -1  # the checkpoint of the run before
    open: dict[int, Rec] = field(default_factory=dict)  # read and not resolved, in read order
    fates: dict[int, Fate] = field(default_factory=dict)
    lane_of_key: dict[str, int] = field(default_factory=dict)
    awaited: dict[int, int] = field(default_factory=dict)  # lane -> batch
    attempts: dict[int, int] = field(default_factory=dict)  # batch -> invocations that counted
    checkpoint: int = field(init=False)
    read: list[int] = field(default_factory=list)
    reading: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        self.checkpoint = self.start

    def see(self, entry: Entry) -> None:
        assert not self.closed, f"after the end: {entry}"
        if isinstance(entry.message, m.ShardInput):
            self.rest()
            self.hear(entry.message)
        else:
            self.obey(entry.message, entry.at_ms)

    def hear(self, message: m.ShardInput) -> None:
        match message:
            case m.RecordsArrived(records=records, lost=lost):
                self.reading = False
                self.read += [r.position for r in records]
                self.open |= {r.position: r for r in [*lost, *records]}
            case m.PollFailed():
                self.reading = False
            case m.PartlyFailed(lane=lane, batch=batch) | m.Failed(lane=lane, batch=batch):
                self.answered(lane, batch)
                self.attempts[batch] += 1
            case m.DeadlineReached() | m.Stopped():
                pass
            case m.PollsSuspended() | m.PollsSkipped() | m.PollsResumed():
                pass
            case answer:
                self.answered(answer.lane, answer.batch)

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
            case m.Resolved():
                self.resolve(command)
            case m.SaveCheckpoint(position=position):
                self.save(position)
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

    def answered(self, lane: int, batch: int) -> None:
        assert self.awaited.pop(lane) == batch

    def invoke(self, command: m.Invoke, at_ms: int) -> None:
        """No batch too big, too old or out of order, and none whose quota is used up."""
        policy, records = self.policy, command.records
        self.await_answer(command.lane, command.batch)
        assert 1 <= len(records) <= policy.batch_size
        size = self.envelope.event_bytes + sum(r.size + self.envelope.record_bytes for r in records)
        assert size <= policy.payload_limit_bytes
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

    def resolve(self, command: m.Resolved) -> None:
        assert command.records
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

    def save(self, position: int) -> None:
        """The checkpoint only goes up, and never past an open record."""
        assert position > self.checkpoint
        assert all(p > position for p in self.open)
        self.checkpoint = position

    def rest(self) -> None:
        """When the machine has answered, the checkpoint stands as high as it may."""
        below = [p for p in self.read if p < min(self.open, default=p + 1)]
        assert self.checkpoint == max(below, default=self.start)

    def end(self, records: Sequence[Rec]) -> None:
        """Nothing is left over, and no record was forgotten."""
        assert self.closed
        assert self.fates.keys() == {r.position for r in records}
        self.rest()


def watched(log: Sequence[Entry], watch: Watch) -> Watch:
    for entry in log:
        watch.see(entry)
    return watch
