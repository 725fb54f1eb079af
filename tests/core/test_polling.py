"""When a shard is read, and from where."""

from __future__ import annotations

from typing import Any

import pytest
from driver import Rec

from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Policy, TrimHorizon
from esm.core.polling import Poller

NOW = 50_000
EMPTY = RecordsArrived([])
TWO = [Rec(7), Rec(9)]


def reading(**fields: Any) -> Poller:
    return Poller(TrimHorizon(), NOW, None, reading=True, **fields)


@pytest.mark.parametrize(
    ("read", "wait"),
    [
        pytest.param(EMPTY, 1_000, id="an empty read: once a second"),
        pytest.param(RecordsArrived(TWO), 1_000, id="records, and the shard is read up"),
        pytest.param(RecordsArrived(TWO, millis_behind=1), 0, id="more is there: at once"),
        pytest.param(RecordsArrived([], millis_behind=900), 200, id="a gap: soon, five a second"),
        pytest.param(
            RecordsArrived([], millis_behind=1, filtered=TWO), 0, id="more, and all were filtered"
        ),
    ],
)
def test_when_the_next_read_is_due(read: RecordsArrived, wait: int) -> None:
    poller = reading()
    poller.arrived(read, Policy(), NOW)
    poller.plan(NOW, wanted=True)
    assert poller.due_ms == NOW + wait


def test_the_cadence_is_a_setting() -> None:
    poller = reading()
    poller.arrived(EMPTY, Policy(poll_interval_ms=200), NOW)
    assert poller.next_ms == NOW + 200


def test_a_gap_is_passed_no_slower_than_the_cadence() -> None:
    poller = reading()
    poller.arrived(RecordsArrived([], millis_behind=900), Policy(poll_interval_ms=50), NOW)
    assert poller.next_ms == NOW + 50


@pytest.mark.parametrize(
    ("read", "position"),
    [
        pytest.param(RecordsArrived(TWO), After(9), id="after the last record read"),
        pytest.param(EMPTY, AtTimestamp(3), id="an empty read stays where it was"),
        pytest.param(RecordsArrived([], filtered=TWO), After(9), id="after the last filtered one"),
        pytest.param(
            RecordsArrived([Rec(8)], filtered=TWO), After(9), id="the last was filtered, others not"
        ),
        pytest.param(
            RecordsArrived(TWO, filtered=[Rec(8)]), After(9), id="the last was not filtered"
        ),
    ],
)
def test_where_reading_goes_on(read: RecordsArrived, position: object) -> None:
    poller = Poller(AtTimestamp(3), NOW, None, reading=True)
    poller.arrived(read, Policy(), NOW)
    assert poller.position == position


@pytest.mark.parametrize(
    ("read", "caught_up"),
    [
        pytest.param(EMPTY, True, id="nothing is left"),
        pytest.param(RecordsArrived(TWO), True, id="nothing is left behind these"),
        pytest.param(RecordsArrived(TWO, millis_behind=1), False, id="more is there"),
        pytest.param(RecordsArrived([], millis_behind=1), False, id="more is there, none came"),
        pytest.param(
            RecordsArrived([], millis_behind=1, end_of_shard=True), True, id="the end, whatever"
        ),
    ],
)
def test_whether_a_read_has_left_something_behind(read: RecordsArrived, caught_up: bool) -> None:
    poller = reading(caught_up=not caught_up)
    poller.arrived(read, Policy(), NOW)
    assert poller.caught_up is caught_up


def test_what_came_during_a_failing_read_is_not_known() -> None:
    poller = reading(caught_up=True)
    poller.failed(PollFailed(PollFailure.THROTTLED), Policy(), NOW)
    assert poller.caught_up is False


def test_a_poller_knows_of_nothing_that_is_left_only_after_a_read() -> None:
    assert Poller(After(1), NOW, NOW).caught_up is False


def test_polls_are_not_made_because_nothing_is_there() -> None:
    skipping, suspended = Poller(After(1), NOW, NOW), Poller(After(1), NOW, NOW)
    skipping.skip(1, Policy())
    suspended.suspend()
    assert skipping.caught_up is suspended.caught_up is True


def test_a_closed_shard_is_read_to_its_end_once() -> None:
    poller = reading()
    poller.arrived(RecordsArrived(TWO, end_of_shard=True), Policy(), NOW)
    poller.plan(NOW, wanted=True)
    assert poller.ended
    assert poller.due_ms is None


@pytest.mark.parametrize(
    ("reason", "failures_before", "wait"),
    [
        pytest.param(PollFailure.EXPIRED_ITERATOR, 0, 0, id="expired: a new iterator at once"),
        pytest.param(PollFailure.EXPIRED_ITERATOR, 1, 2_000, id="expired again: back off"),
        pytest.param(PollFailure.THROTTLED, 0, 1_000, id="throttled: a second"),
        pytest.param(PollFailure.UNAVAILABLE, 0, 1_000, id="unavailable: a second"),
        pytest.param(PollFailure.THROTTLED, 3, 8_000, id="doubling"),
        pytest.param(PollFailure.UNAVAILABLE, 30, 30_000, id="30 s at most"),
    ],
)
def test_a_failed_read_is_tried_again(reason: PollFailure, failures_before: int, wait: int) -> None:
    poller = reading(failures=failures_before)
    poller.failed(PollFailed(reason), Policy(), NOW)
    poller.plan(NOW, wanted=True)
    assert poller.due_ms == NOW + wait
    assert poller.position == TrimHorizon()
    assert poller.failures == failures_before + 1
    assert poller.reading is False


def test_the_back_off_is_a_setting() -> None:
    poller = reading()
    policy = Policy(poll_failure_first_ms=30, poll_failure_cap_ms=50)
    waits = []
    for _ in range(3):
        poller.failed(PollFailed(PollFailure.THROTTLED), policy, NOW)
        waits.append(poller.next_ms - NOW)
    assert waits == [30, 50, 50]


def test_a_read_that_comes_back_ends_the_back_off() -> None:
    poller = reading(failures=5)
    poller.arrived(EMPTY, Policy(), NOW)
    assert (poller.failures, poller.reading) == (0, False)
    poller.failed(PollFailed(PollFailure.THROTTLED), Policy(), NOW)
    assert poller.next_ms == NOW + 1_000


@pytest.mark.parametrize(
    ("poller", "wanted", "due_ms"),
    [
        pytest.param(Poller(After(1), NOW, NOW), True, NOW, id="a plan is kept"),
        pytest.param(Poller(After(1), NOW + 9, None), True, NOW + 9, id="at its time"),
        pytest.param(Poller(After(1), NOW - 9, None), True, NOW, id="at once when it is past"),
        pytest.param(Poller(After(1), NOW - 9, NOW - 9), True, NOW - 9, id="late, but kept"),
        pytest.param(Poller(After(1), NOW, NOW), False, None, id="not while nothing is wanted"),
        pytest.param(Poller(After(1), NOW, NOW, reading=True), True, None, id="one at a time"),
        pytest.param(Poller(After(1), NOW, NOW, ended=True), True, None, id="not after the end"),
    ],
)
def test_planning_the_next_read(poller: Poller, wanted: bool, due_ms: int | None) -> None:
    poller.plan(NOW, wanted=wanted)
    assert poller.due_ms == due_ms


def test_skipped_polls_leave_the_cadence_as_it_was() -> None:
    poller = Poller(After(1), NOW, NOW)
    poller.skip(3, Policy(poll_interval_ms=200))
    assert poller.due_ms == NOW + 600
    poller.plan(NOW, wanted=False)
    poller.plan(NOW, wanted=True)
    assert poller.due_ms == NOW + 600


def test_skipped_polls_end_a_row_of_failures() -> None:
    poller = Poller(After(1), NOW, NOW, failures=1)
    poller.skip(1, Policy())
    assert poller.failures == 0


def test_a_poll_that_is_not_planned_cannot_be_skipped() -> None:
    with pytest.raises(AssertionError):
        Poller(After(1), NOW, None).skip(1, Policy())


def test_a_suspended_cadence_goes_on_where_it_would_have_been() -> None:
    poller = Poller(After(1), NOW, NOW + 200)
    poller.suspend()
    poller.plan(NOW, wanted=True)
    assert (poller.due_ms, poller.suspended) == (None, True)
    poller.skip(3, Policy(poll_interval_ms=200))
    assert (poller.due_ms, poller.next_ms) == (None, NOW + 800)
    poller.suspended = False
    poller.plan(NOW + 700, wanted=True)
    assert poller.due_ms == NOW + 800


def test_only_a_planned_poll_can_be_suspended() -> None:
    with pytest.raises(AssertionError):
        Poller(After(1), NOW, None).suspend()
