"""One lane without a batching window as plain code that blocks: an oracle for the machine.

It shares no code with the engine, only the words of `Policy` and of the outcomes. The world it
knows is simple: the shard is read every second on the second, and an invocation takes `TAKES_MS`.
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

    def run(self, todo: list[Rec]) -> None:
        while todo:
            self.now_ms = max(self.now_ms, read_ms(todo[0]))
            batch = [todo.pop(0)]
            while todo and read_ms(todo[0]) <= self.now_ms and self.fits([*batch, todo[0]]):
                batch.append(todo.pop(0))
            self.run_batch(batch)

    def run_batch(self, batch: list[Rec]) -> None:
        policy, throttles = self.policy, 0
        work = [(batch, 0)]
        while work:
            recs, attempts = work.pop()
            recs = self.drop(recs, attempts + 1)
            if not recs:
                continue
            self.note("invoke", recs, attempts + 1)
            outcome = self.invoke(recs)
            throttles = throttles + 1 if isinstance(outcome, Throttled) else 0
            self.now_ms += TAKES_MS
            if throttles:
                self.now_ms += min(1_000 * 2 ** (throttles - 1), 30_000)
                work.append((recs, attempts))
            elif isinstance(outcome, PartlyFailed) and outcome.failed_from > 0:
                self.now_ms += 500
                work.append((recs[outcome.failed_from :], 0))
            elif isinstance(outcome, Succeeded):
                continue
            elif policy.bisect_batch_on_function_error and len(recs) > 1:
                middle = len(recs) // 2
                work += [(recs[middle:], 0), (recs[:middle], 0)]
            elif policy.maximum_retry_attempts in range(attempts + 1):
                self.note("RetryAttemptsExhausted", recs, attempts + 1)
            else:
                self.now_ms += min(500 * 2**attempts, 60_000)
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

    def fits(self, recs: list[Rec]) -> bool:
        size = self.envelope.event_bytes + sum(r.size + self.envelope.record_bytes for r in recs)
        return len(recs) <= self.policy.batch_size and size <= self.policy.payload_limit_bytes

    def note(self, what: str, recs: list[Rec], count: int) -> None:
        self.calls.append((what, [r.position for r in recs], count))


def read_ms(record: Rec) -> int:
    return -(-record.arrived_ms // 1_000) * 1_000
