"""One lane without a batching window as plain code that blocks: an oracle for the machine.

It shares no code with the engine, only the words of `Policy` and of the outcomes. The world it
knows is simple: the shard is read every second on the second, and an invocation takes `TAKES_MS`.
What FilterCriteria remove never gets here. The state of a tumbling window is a list of records.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from driver import Rec

from esm.core.messages import PartlyFailed, Succeeded, Throttled
from esm.core.model import Envelope, Policy

TAKES_MS = 1  # so short that no answer falls on the second of a read
Invoke = Callable[[list[Rec]], object]


@dataclass
class Lane:
    policy: Policy
    envelope: Envelope
    retention_ms: int | None
    invoke: Invoke
    now_ms: int = 0
    calls: list[tuple[str, list[int], int]] = field(default_factory=list)  # what, positions, count
    start_ms: int = 0
    end_ms: int = 0  # of the last tumbling window
    state: list[int] | None = None  # of the open one
    kept: list[int] | None = None  # a state that a call without records has yet to take

    def run(self, todo: list[Rec], ended_ms: int) -> None:
        while todo:
            self.wait(read_ms(todo[0]))
            if self.policy.tumbling_window_ms:
                self.enter_window(todo[0])
            batch = [todo.pop(0)]
            while todo and self.is_here(todo[0]) and self.fits([*batch, todo[0]]):
                batch.append(todo.pop(0))
            self.run_batch(batch)
        self.wait(ended_ms)
        self.close_window()

    def wait(self, until_ms: int) -> None:
        """Nothing comes until then, which closes a tumbling window after a while."""
        wait_ms = max(self.policy.tumbling_idle_grace_ms, 1_000)
        if max(self.now_ms, self.end_ms + wait_ms) < until_ms and self.state is not None:
            self.now_ms = max(self.now_ms, self.end_ms + wait_ms)
            self.close_window()
        self.now_ms = max(self.now_ms, until_ms)

    def enter_window(self, first: Rec) -> None:
        if first.arrived_ms >= self.end_ms:
            self.close_window()
        if self.state is None:
            length_ms = self.policy.tumbling_window_ms
            number = max(first.arrived_ms, self.end_ms) // length_ms
            self.start_ms, self.end_ms = number * length_ms, (number + 1) * length_ms
            self.state = []

    def close_window(self) -> None:
        if self.state is not None:
            self.hand_over("final")
        self.state = None

    def hand_over(self, what: str, state: list[int] | None = None) -> None:
        """A call without records, until it succeeds or its quota is used up."""
        attempts = throttles = 0
        while True:
            self.note(self.name(what, state), [], attempts + 1)
            outcome = self.invoke([])
            self.now_ms += TAKES_MS
            if isinstance(outcome, Succeeded):
                return
            throttles = throttles + 1 if isinstance(outcome, Throttled) else 0
            if throttles:
                self.now_ms += throttled_ms(throttles)
            elif self.policy.maximum_retry_attempts in range(attempts + 1):
                self.note("dropped", [], 0)
                return
            else:
                self.now_ms += failed_ms(attempts)
                attempts += 1
            if -1 < self.policy.maximum_record_age_ms < self.now_ms - self.end_ms:
                self.note("dropped", [], 0)
                return

    def take(self, recs: list[Rec]) -> None:
        """The function has taken these records; its state may be too large."""
        if self.state is None:
            return
        state = self.state + [r.position for r in recs]
        if len(shown(state)) > self.policy.state_limit_bytes:
            self.kept = state if self.policy.hands_over_oversize_state else self.state
            state = []
        self.state = state

    def run_batch(self, batch: list[Rec]) -> None:
        policy, throttles = self.policy, 0
        work = [(batch, 0)]
        while work or self.kept is not None:
            if self.kept is not None:
                self.hand_over("early", self.kept)
                self.kept = None
                continue
            recs, attempts = work.pop()
            recs = self.drop(recs, attempts + 1)
            if not recs:
                continue
            count = max(n for n in range(1, len(recs) + 1) if n == 1 or self.fits(recs[:n]))
            if count < len(recs):  # the state has grown since
                work += [(recs[count:], 0), (recs[:count], 0)]
                continue
            self.note(self.name("invoke"), recs, attempts + 1)
            outcome = self.invoke(recs)
            throttles = throttles + 1 if isinstance(outcome, Throttled) else 0
            self.now_ms += TAKES_MS
            if throttles:
                self.now_ms += throttled_ms(throttles)
                work.append((recs, attempts))
            elif isinstance(outcome, PartlyFailed) and outcome.failed_from > 0:
                self.take(recs[: outcome.failed_from])
                self.now_ms += 500
                work.append((recs[outcome.failed_from :], 0))
            elif isinstance(outcome, Succeeded):
                self.take(recs)
            elif policy.bisect_batch_on_function_error and len(recs) > 1:
                middle = len(recs) // 2
                work += [(recs[middle:], 0), (recs[:middle], 0)]
            elif policy.maximum_retry_attempts in range(attempts + 1):
                self.note("RetryAttemptsExhausted", recs, attempts + 1)
            else:
                self.now_ms += failed_ms(attempts)
                work.append((recs, attempts + 1))

    def drop(self, recs: list[Rec], count: int) -> list[Rec]:
        """What is left of a batch just before an invocation."""
        retention_ms, limit_ms = self.retention_ms, self.policy.maximum_record_age_ms
        ages = {r: self.now_ms - r.arrived_ms for r in recs}
        gone = [r for r in recs if retention_ms is not None and ages[r] > retention_ms]
        if gone:
            self.note("expired", gone, 0)
        recs = [r for r in recs if r not in gone]
        for is_old, run in groupby(recs, lambda r: limit_ms != -1 and ages[r] > limit_ms):
            if is_old:
                self.note("RecordAgeExceeded", list(run), count)
        recs = [r for r in recs if limit_ms == -1 or ages[r] <= limit_ms]
        if len(recs) == 1 and not self.fits(recs):
            self.note("MaximumPayloadSizeExceeded", recs, count)
            return []
        return recs

    def is_here(self, record: Rec) -> bool:
        if self.state is not None and record.arrived_ms >= self.end_ms:
            return False
        return read_ms(record) <= self.now_ms

    def fits(self, recs: list[Rec]) -> bool:
        size = self.envelope.event_bytes + sum(r.size + self.envelope.record_bytes for r in recs)
        if self.state is not None:
            size += self.envelope.window_bytes + len(shown(self.state))
        return len(recs) <= self.policy.batch_size and size <= self.policy.payload_limit_bytes

    def name(self, what: str, state: list[int] | None = None) -> str:
        """With the window and the state that a call shows, if there is one."""
        state = self.state if state is None else state
        return what if state is None else f"{what} {self.start_ms} {shown(state)}"

    def note(self, what: str, recs: list[Rec], count: int) -> None:
        self.calls.append((what, [r.position for r in recs], count))


def shown(state: list[int]) -> str:
    return " ".join(map(str, state)) or "{}"


def throttled_ms(throttles: int) -> int:
    return min(1_000 * 2 ** (throttles - 1), 30_000)


def failed_ms(attempts: int) -> int:
    return min(500 * 2**attempts, 60_000)


def read_ms(record: Rec) -> int:
    return -(-record.arrived_ms // 1_000) * 1_000
