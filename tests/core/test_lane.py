"""What a lane holds, and its first open record."""

from __future__ import annotations

import pytest
from driver import Rec

from esm.core.failure import Batch
from esm.core.lane import Discard, Lane, LaneState
from esm.core.model import Cause, Closing, Condition, DiscardInfo, TumblingWindow

INFO = DiscardInfo(Condition.RECORD_AGE_EXCEEDED, 1)
CLOSING = TumblingWindow(0, 10, closing=Closing.FINAL)


def records(*positions: int) -> list[Rec]:
    return [Rec(position) for position in positions]


def batch(number: int, *positions: int) -> Batch:
    return Batch(number, records(*positions))


def discard(number: int, *positions: int) -> Discard:
    return Discard(number, records(*positions), INFO)


@pytest.mark.parametrize(
    ("lane", "lowest"),
    [
        pytest.param(Lane(0, 0), None, id="an empty lane has none"),
        pytest.param(Lane(0, 0, buffer=records(5, 6)), 5, id="the first of the buffer"),
        pytest.param(
            Lane(0, 0, work=[batch(1, 3, 4)], buffer=records(5)), 3, id="the batch before it"
        ),
        pytest.param(
            Lane(0, 0, work=[batch(3, 4, 5), batch(2, 2, 3)]), 2, id="the last batch is the oldest"
        ),
        pytest.param(
            Lane(0, 0, discards=(discard(1, 1, 2),), buffer=records(5)),
            1,
            id="a discard on its way is open",
        ),
        pytest.param(
            Lane(
                0,
                0,
                discards=(
                    discard(1, 1),
                    discard(1, 3),
                ),
                work=[batch(1, 2)],
            ),
            1,
            id="a discard before the batch it came from",
        ),
        pytest.param(
            Lane(0, 0, discards=(discard(1, 3),), work=[batch(1, 2, 4)]),
            2,
            id="a discard from inside the batch it came from",
        ),
        pytest.param(
            Lane(0, 0, work=[batch(1, 3, 4), batch(2)]), 3, id="a closing call holds nothing up"
        ),
        pytest.param(
            Lane(0, 0, work=[batch(1)], buffer=records(5)), 5, id="what comes after a closing call"
        ),
        pytest.param(Lane(0, 0, work=[batch(1)]), None, id="a closing call has no record"),
    ],
)
def test_the_first_open_record_of_a_lane(lane: Lane, lowest: int | None) -> None:
    assert lane.lowest_open == lowest


@pytest.mark.parametrize(
    ("state", "in_flight"),
    [
        pytest.param(LaneState.IDLE, None, id="idle: none"),
        pytest.param(LaneState.INVOKING, 2, id="invoking: the oldest batch"),
        pytest.param(LaneState.BACKING_OFF, None, id="backing off: none"),
        pytest.param(LaneState.DISCARDING, 9, id="discarding: the first discard's batch"),
    ],
)
def test_the_batch_that_an_answer_is_awaited_for(state: LaneState, in_flight: int | None) -> None:
    lane = Lane(
        0,
        0,
        state,
        work=[batch(3, 4), batch(2, 2)],
        discards=(
            discard(9, 1),
            discard(8, 5),
        ),
    )
    assert lane.in_flight == in_flight


def test_a_batch_goes_on_with_the_records_that_are_kept() -> None:
    oldest = Batch(2, records(1, 2), Cause.BISECT, parent=1, attempts=4)
    lane = Lane(0, 0, work=[batch(3, 3), oldest])
    lane.keep(records(2))
    assert lane.work == [batch(3, 3), Batch(2, records(2), Cause.BISECT, parent=1, attempts=4)]


def test_a_batch_that_keeps_no_record_is_gone() -> None:
    lane = Lane(0, 0, work=[batch(3, 3), batch(2, 1, 2)])
    lane.keep([])
    assert lane.work == [batch(3, 3)]


@pytest.mark.parametrize(
    ("window", "work", "owed"),
    [
        pytest.param(None, [], False, id="no window"),
        pytest.param(TumblingWindow(0, 10), [], False, id="a window that is open"),
        pytest.param(CLOSING, [], True, id="a window that is over"),
        pytest.param(CLOSING, [batch(1, 5)], True, id="halves that wait behind it"),
        pytest.param(CLOSING, [batch(1, 5), Batch(2, (), Cause.WINDOW)], False, id="asked"),
    ],
)
def test_a_closing_call_is_owed_until_it_is_on_the_stack(
    window: TumblingWindow | None, work: list[Batch], owed: bool
) -> None:
    assert Lane(0, 0, window=window, work=work).owes_closing_call is owed
