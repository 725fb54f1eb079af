"""When a shard is read, and from where.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-polling-and-batching.html
"""

from __future__ import annotations

from dataclasses import dataclass

from esm.core.failure import backoff_ms
from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, Policy, Position

# Ours: Kinesis gives a shard five reads a second, and says nothing of how many a gap takes.
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
GAP_MS = 200


@dataclass(slots=True)
class Poller:
    """`due_ms`: when to read next; None while a read is under way, none is wanted or all is read.

    `position` is where reading goes on, also with a new shard iterator; `next_ms` the tick of the
    cadence that comes next. `suspended`: the source has nothing and will tell when it has.
    `caught_up`: the last read left nothing behind.
    """

    position: Position
    next_ms: int
    due_ms: int | None
    failures: int = 0
    reading: bool = False
    suspended: bool = False
    ended: bool = False
    caught_up: bool = False

    def arrived(self, read: RecordsArrived, policy: Policy, now_ms: int) -> None:
        """A read came back."""
        # Lambda polls a shard about once a second, and without waiting while there is more.
        seen = [each[-1].position for each in (read.records, read.filtered) if each]
        self.reading = False
        self.failures = 0
        if not read.millis_behind:
            self.next_ms = now_ms + policy.poll_interval_ms
        elif seen:
            self.next_ms = now_ms
        else:
            # An empty read that is behind has passed over a gap in the shard.
            self.next_ms = now_ms + min(policy.poll_interval_ms, GAP_MS)
        self.ended = read.end_of_shard
        self.caught_up = read.end_of_shard or read.millis_behind == 0
        if seen:
            self.position = After(max(seen))

    def failed(self, message: PollFailed, policy: Policy, now_ms: int) -> None:
        """A read failed: retry counters and records are not touched by that."""
        self.reading = self.caught_up = False
        self.failures += 1
        if message.reason is PollFailure.EXPIRED_ITERATOR and self.failures == 1:
            # A new iterator is all it takes.
            self.next_ms = now_ms
            return
        self.next_ms = now_ms + backoff_ms(
            self.failures, policy.poll_failure_first_ms, policy.poll_failure_cap_ms
        )

    def suspend(self, *, caught_up: bool = True) -> None:
        """Keep the next tick in mind, but do not read at it."""
        assert self.due_ms is not None
        self.next_ms, self.due_ms = self.due_ms, None
        self.suspended = True
        self.caught_up |= caught_up

    def skip(self, count: int, policy: Policy) -> None:
        """So many polls of the cadence were not made, because they would have been empty."""
        self.failures = 0
        self.caught_up = True
        tick_ms = self.next_ms if self.suspended else self.due_ms
        assert tick_ms is not None
        self.next_ms = tick_ms + count * policy.poll_interval_ms
        if not self.suspended:
            self.due_ms = self.next_ms

    def plan(self, now_ms: int, *, wanted: bool) -> None:
        """Decide whether and when to read next."""
        if self.reading or self.suspended or self.ended or not wanted:
            self.due_ms = None
        elif self.due_ms is None:
            self.due_ms = max(self.next_ms, now_ms)
