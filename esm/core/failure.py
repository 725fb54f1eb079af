"""What happens to a batch after an invocation: the retry policy of stream mappings.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-errors.html (retries, bisect, quota)
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (partial)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from esm.core.messages import Failed, Outcome, PartlyFailed, Succeeded, Throttled
from esm.core.model import INFINITE, Cause, Policy, Record


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are invoked together until they are resolved or split.

    `attempts` counts the invocations of exactly this batch that reached the function, `throttles`
    the ones since then that did not. `cause` is why its first attempt happens. Only the closing
    call of a tumbling window has no records.
    """

    id: int
    records: Sequence[Record]
    cause: Cause = Cause.BATCH
    parent: int | None = None
    attempts: int = 0
    throttles: int = 0

    def after(self, attempts: int, throttles: int) -> Batch:
        """The same batch with its counters moved on."""
        return Batch(self.id, self.records, self.cause, self.parent, attempts, throttles)

    def with_records(self, records: Sequence[Record]) -> Batch:
        """The same batch with fewer records."""
        return Batch(self.id, records, self.cause, self.parent, self.attempts, self.throttles)


@dataclass(frozen=True, slots=True)
class Complete:
    """Every record of the batch is delivered."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The first `delivered` records are delivered; the rest is a new batch, due after a while."""

    delivered: int
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Bisect:
    """Two new batches: the first `left` records, and then the rest. Due at once."""

    left: int


@dataclass(frozen=True, slots=True)
class Retry:
    """The same batch again, after a while."""

    attempts: int
    throttles: int
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The quota is used up after this many attempts: discard the batch."""

    attempts: int


Decision = Complete | Progress | Bisect | Retry | Exhausted


def decide(batch: Batch, outcome: Outcome, policy: Policy) -> Decision:
    """What to do with a batch after this outcome."""
    match outcome:
        case Succeeded():
            return Complete()
        case Throttled():
            # A batch that does not reach the function uses no attempt and is never split.
            throttles = batch.throttles + 1
            delay_ms = backoff_ms(throttles, policy.throttle_first_ms, policy.throttle_cap_ms)
            return Retry(batch.attempts, throttles, delay_ms)
        case PartlyFailed(failed_from=index) if index > 0:
            # Progress: what is left is another batch, with its whole quota before it.
            return Progress(index, backoff_ms(1, policy.backoff_first_ms, policy.backoff_cap_ms))
        case PartlyFailed() | Failed():
            return _after_failure(batch, policy)
        case _:
            assert_never(outcome)


def _after_failure(batch: Batch, policy: Policy) -> Decision:
    # Splitting uses no attempt, so it also happens when none are left.
    if policy.bisect_batch_on_function_error and len(batch.records) > 1:
        odd = len(batch.records) % 2 if policy.bisect_midpoint_upper else 0
        return Bisect(len(batch.records) // 2 + odd)
    attempts = batch.attempts + 1
    if policy.maximum_retry_attempts != INFINITE and attempts > policy.maximum_retry_attempts:
        return Exhausted(attempts)
    return Retry(attempts, 0, backoff_ms(attempts, policy.backoff_first_ms, policy.backoff_cap_ms))


def backoff_ms(attempt: int, first_ms: int, cap_ms: int) -> int:
    """The wait after attempt n: doubling from `first_ms`, never above `cap_ms`. Ours, not AWS's."""
    # A retry that goes on for weeks must not raise 2 to the power of its count.
    return int(min(first_ms << min(attempt - 1, 32), cap_ms))


def is_too_old(arrived_ms: int, policy: Policy, now_ms: int) -> bool:
    """Whether a record is past MaximumRecordAgeInSeconds; at exactly the limit it is not."""
    limit_ms = policy.maximum_record_age_ms
    return limit_ms != INFINITE and now_ms - arrived_ms > limit_ms


def separate(
    records: Sequence[Record], dropped: Sequence[Record]
) -> tuple[list[Record], list[list[Record]]]:
    """What stays of `records`, and `dropped` in runs: cut where a record between them stays."""
    positions = {record.position for record in dropped}
    kept: list[Record] = []
    runs: list[list[Record]] = []
    in_run = False
    for record in records:
        if record.position not in positions:
            kept.append(record)
            in_run = False
        elif in_run:
            runs[-1].append(record)
        else:
            runs.append([record])
            in_run = True
    return kept, runs
