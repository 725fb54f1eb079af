"""What happens to a batch after an invocation, and which records are too old."""

from __future__ import annotations

from typing import Any

import pytest
from driver import Rec

from esm.core import failure
from esm.core.failure import Batch, Bisect, Complete, Decision, Exhausted, Progress, Retry
from esm.core.messages import Failed, Outcome, PartlyFailed, Succeeded, Throttled
from esm.core.model import Cause, Policy

FIVE = [Rec(n) for n in range(1, 6)]
SUCCEEDED, FAILED, THROTTLED = Succeeded(0, 1), Failed(0, 1), Throttled(0, 1)
BISECT = {"bisect_batch_on_function_error": True}


def from_index(index: int) -> PartlyFailed:
    return PartlyFailed(0, 1, index)


def batch(records: int = 5, attempts: int = 0, throttles: int = 0) -> Batch:
    return Batch(1, FIVE[:records], attempts=attempts, throttles=throttles)


@pytest.mark.parametrize(
    ("before", "outcome", "settings", "decision"),
    [
        pytest.param(batch(), SUCCEEDED, {}, Complete(), id="success completes the batch"),
        pytest.param(batch(attempts=3), SUCCEEDED, BISECT, Complete(), id="at any attempt"),
        pytest.param(batch(), FAILED, {}, Retry(1, 0, 500), id="a failure is tried again"),
        pytest.param(
            batch(attempts=1), FAILED, {}, Retry(2, 0, 1_000), id="and again, after twice as long"
        ),
        pytest.param(
            batch(attempts=9_999), FAILED, {}, Retry(10_000, 0, 60_000), id="-1 never gives up"
        ),
        pytest.param(
            batch(),
            FAILED,
            {"maximum_retry_attempts": 0},
            Exhausted(1),
            id="0 retries is exactly one attempt",
        ),
        pytest.param(
            batch(attempts=1),
            FAILED,
            {"maximum_retry_attempts": 2},
            Retry(2, 0, 1_000),
            id="2 retries: a third attempt follows the second",
        ),
        pytest.param(
            batch(attempts=2),
            FAILED,
            {"maximum_retry_attempts": 2},
            Exhausted(3),
            id="2 retries: the third attempt is the last",
        ),
        pytest.param(
            batch(attempts=2, throttles=4),
            FAILED,
            {},
            Retry(3, 0, 2_000),
            id="a failure forgets the throttles before it",
        ),
        pytest.param(
            batch(),
            THROTTLED,
            {"maximum_retry_attempts": 0},
            Retry(0, 1, 1_000),
            id="a throttle uses no attempt",
        ),
        pytest.param(
            batch(attempts=2, throttles=2),
            THROTTLED,
            {"maximum_retry_attempts": 2},
            Retry(2, 3, 4_000),
            id="throttles have a back-off of their own",
        ),
        pytest.param(
            batch(throttles=9),
            THROTTLED,
            {},
            Retry(0, 10, 30_000),
            id="throttles wait 30 s at most",
        ),
        pytest.param(batch(), THROTTLED, BISECT, Retry(0, 1, 1_000), id="a throttle never splits"),
        pytest.param(
            batch(),
            from_index(2),
            {},
            Progress(2, 500),
            id="a partial response delivers what stands before the lowest failure",
        ),
        pytest.param(
            batch(attempts=3),
            from_index(1),
            {"maximum_retry_attempts": 3},
            Progress(1, 500),
            id="progress counts, also at the last attempt",
        ),
        pytest.param(
            batch(),
            from_index(2),
            BISECT,
            Progress(2, 500),
            id="with bisect the split is at the reported record",
        ),
        pytest.param(
            batch(),
            from_index(0),
            {},
            Retry(1, 0, 500),
            id="a partial response from the first record is no progress",
        ),
        pytest.param(
            batch(attempts=1),
            from_index(0),
            {"maximum_retry_attempts": 1},
            Exhausted(2),
            id="and uses the quota up with the whole batch",
        ),
        pytest.param(
            batch(), from_index(0), BISECT, Bisect(2), id="or splits the batch, as a failure does"
        ),
        pytest.param(batch(), FAILED, BISECT, Bisect(2), id="bisect: the first n // 2 go left"),
        pytest.param(batch(4), FAILED, BISECT, Bisect(2), id="bisect: an even batch in the middle"),
        pytest.param(batch(2), FAILED, BISECT, Bisect(1), id="bisect: down to single records"),
        pytest.param(
            batch(3),
            FAILED,
            BISECT | {"bisect_midpoint_upper": True},
            Bisect(2),
            id="our setting puts the odd record left",
        ),
        pytest.param(
            batch(4),
            FAILED,
            BISECT | {"bisect_midpoint_upper": True},
            Bisect(2),
            id="our setting changes nothing for an even batch",
        ),
        pytest.param(
            batch(attempts=2),
            FAILED,
            BISECT | {"maximum_retry_attempts": 2},
            Bisect(2),
            id="bisect uses no attempt, so it happens when none are left",
        ),
        pytest.param(batch(1), FAILED, BISECT, Retry(1, 0, 500), id="a single record is not split"),
        pytest.param(
            batch(1),
            FAILED,
            BISECT | {"maximum_retry_attempts": 0},
            Exhausted(1),
            id="a single record has the usual quota",
        ),
    ],
)
def test_what_follows_an_outcome(
    before: Batch, outcome: Outcome, settings: dict[str, Any], decision: Decision
) -> None:
    assert failure.decide(before, outcome, Policy(**settings)) == decision


def test_the_curves_are_settings() -> None:
    curves = Policy(backoff_first_ms=7, backoff_cap_ms=20, throttle_first_ms=3, throttle_cap_ms=10)
    waits = [failure.decide(batch(attempts=n), FAILED, curves) for n in range(3)]
    assert waits == [Retry(1, 0, 7), Retry(2, 0, 14), Retry(3, 0, 20)]
    throttled = [failure.decide(batch(throttles=n), THROTTLED, curves) for n in range(3)]
    assert throttled == [Retry(0, 1, 3), Retry(0, 2, 6), Retry(0, 3, 10)]
    assert failure.decide(batch(), from_index(1), curves) == Progress(1, 7)
    capped = Policy(backoff_first_ms=70, backoff_cap_ms=20)
    assert failure.decide(batch(), from_index(1), capped) == Progress(1, 20)


def test_an_outcome_that_is_none_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="succeeded"):
        failure.decide(batch(), "succeeded", Policy())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attempt", "wait"),
    [(1, 500), (2, 1_000), (3, 2_000), (7, 32_000), (8, 60_000), (9, 60_000), (10**9, 60_000)],
)
def test_the_wait_doubles_up_to_its_cap(attempt: int, wait: int) -> None:
    assert failure.backoff_ms(attempt, 500, 60_000) == wait


def test_the_wait_can_double_32_times_and_no_more() -> None:
    uncapped = 2**80
    assert failure.backoff_ms(32, 1, uncapped) == 2**31
    assert failure.backoff_ms(33, 1, uncapped) == 2**32
    assert failure.backoff_ms(34, 1, uncapped) == 2**32


def test_seven_failures_fit_into_a_minute() -> None:
    # AWS reported 8 for a record of 60 s that failed all the time: seven invocations and one.
    assert sum(failure.backoff_ms(n, 500, 60_000) for n in range(1, 7)) == 31_500
    assert sum(failure.backoff_ms(n, 500, 60_000) for n in range(1, 8)) == 63_500


@pytest.mark.parametrize(
    ("limit", "now", "too_old"),
    [
        pytest.param(60_000, 60_099, False, id="younger than the limit"),
        pytest.param(60_000, 60_100, False, id="exactly as old as the limit"),
        pytest.param(60_000, 60_101, True, id="one millisecond older"),
        pytest.param(-1, 10**12, False, id="-1 is no limit"),
    ],
)
def test_a_record_is_too_old_after_its_limit(limit: int, now: int, too_old: bool) -> None:
    policy = Policy(maximum_record_age_ms=limit)
    assert failure.is_too_old(100, policy, now) is too_old


@pytest.mark.parametrize(
    ("dropped", "kept", "runs"),
    [
        pytest.param([], [1, 2, 3, 4, 5], [], id="nothing is dropped"),
        pytest.param([1], [2, 3, 4, 5], [[1]], id="the first"),
        pytest.param([1, 2], [3, 4, 5], [[1, 2]], id="neighbours are one run"),
        pytest.param([1, 3, 4], [2, 5], [[1], [3, 4]], id="cut where a record between them stays"),
        pytest.param([2, 4], [1, 3, 5], [[2], [4]], id="every second one"),
        pytest.param([1, 2, 3, 4, 5], [], [[1, 2, 3, 4, 5]], id="all of them are one run"),
    ],
)
def test_dropped_records_leave_in_runs(
    dropped: list[int], kept: list[int], runs: list[list[int]]
) -> None:
    stays, goes = failure.separate(FIVE, [r for r in FIVE if r.position in dropped])
    assert [r.position for r in stays] == kept
    assert [[r.position for r in run] for run in goes] == runs


def test_a_batch_keeps_its_identity_when_its_counters_move() -> None:
    half = Batch(7, FIVE, Cause.BISECT, parent=3, attempts=1, throttles=2)
    assert half.after(4, 5) == Batch(7, FIVE, Cause.BISECT, 3, 4, 5)


def test_a_batch_keeps_its_identity_when_it_loses_records() -> None:
    half = Batch(7, FIVE, Cause.BISECT, parent=3, attempts=1, throttles=2)
    assert half.with_records(FIVE[1:]) == Batch(7, FIVE[1:], Cause.BISECT, 3, 1, 2)


def test_a_new_batch_is_unattempted_and_nobodys_child() -> None:
    assert Batch(1, FIVE) == Batch(1, FIVE, Cause.BATCH, None, 0, 0)
