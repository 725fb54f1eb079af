"""Every state of a shard machine against every input: what fits, and that the rest changes nothing.

A cell that is not in the table is refused. `-> 1000` is the deadline after the commands.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
from driver import Rec
from story import Story

from esm.core import messages as m
from esm.core.lane import LaneState
from esm.core.model import After, Closing, TumblingWindow

# Two lanes: "d" goes to lane 0, "a" to lane 1. The tables tell of lane 0.
D1, D2, D3 = Rec(1, "d"), Rec(2, "d"), Rec(3, "d")


def shard(**settings: object) -> Story:
    defaults = {
        "parallelization_factor": 2,
        "batch_size": 2,
        "maximum_retry_attempts": 0,
        "has_destination": True,
    }
    return Story(**(defaults | settings))


def not_yet_read() -> Story:
    return shard()


def reading() -> Story:
    story = shard()
    story.wait()
    return story


def idle() -> Story:
    story = shard()
    story.read()
    return story


def suspended() -> Story:
    story = idle()
    story.tell(m.PollsSuspended())
    return story


def collecting() -> Story:
    story = shard(maximum_batching_window_ms=700)
    story.read(D1)
    return story


def invoking() -> Story:
    story = shard()
    story.read(D1, D2)
    return story


def invoking_and_reading() -> Story:
    story = invoking()
    story.wait()
    return story


def invoking_and_read_far_ahead() -> Story:
    story = shard(read_ahead_records=0, batch_size=1)
    story.read(D1, D2)
    return story


def invoking_at_the_end() -> Story:
    story = shard()
    story.read(D1, D2, end_of_shard=True)
    return story


def backing_off() -> Story:
    story = shard(maximum_retry_attempts=1)
    story.read(D1, D2)
    story.fail()
    return story


def discarding() -> Story:
    story = shard()
    story.read(D1, D2)
    story.fail()
    return story


def stopped() -> Story:
    story = backing_off()
    story.tell(m.Stopped())
    return story


def stopped_while_invoking() -> Story:
    story = invoking()
    story.tell(m.Stopped())
    return story


def stopped_and_at_rest() -> Story:
    story = stopped_while_invoking()
    story.succeed()
    return story


def stopped_while_reading() -> Story:
    story = reading()
    story.tell(m.Stopped())
    return story


def windowed(closing: Closing | None = None, **settings: object) -> Story:
    """Just begun again, with a window open that has seen record 1."""
    window = TumblingWindow(0, 4_000, "s", closing)
    return shard(
        **{"parallelization_factor": 1, "tumbling_window_ms": 4_000}
        | {"tumbling_idle_grace_ms": 2_000, "start": After(1), "window": window}
        | settings
    )


def with_an_open_window() -> Story:
    story = windowed()
    story.read()
    return story


def closing_a_window() -> Story:
    story = windowed()
    story.read(at=6_000)
    return story


def retrying_to_close_a_window() -> Story:
    story = windowed(maximum_retry_attempts=1)
    story.read(at=6_000)
    story.fail()
    return story


def owing_a_closing_call() -> Story:
    return windowed(Closing.EARLY)


def closed() -> Story:
    story = shard()
    story.read(end_of_shard=True)
    return story


STATES: dict[str, Callable[[], Story]] = {
    make.__name__.replace("_", " "): make
    for make in (
        not_yet_read,
        reading,
        idle,
        suspended,
        collecting,
        invoking,
        invoking_and_reading,
        invoking_and_read_far_ahead,
        invoking_at_the_end,
        backing_off,
        discarding,
        stopped,
        stopped_while_invoking,
        stopped_and_at_rest,
        stopped_while_reading,
        with_an_open_window,
        closing_a_window,
        retrying_to_close_a_window,
        owing_a_closing_call,
        closed,
    )
}

INPUTS: dict[str, m.ShardInput] = {
    "records": m.RecordsArrived([D3]),
    "no records": m.RecordsArrived([]),
    "filtered records": m.RecordsArrived([], filtered=[D3]),
    "the end": m.RecordsArrived([], end_of_shard=True),
    "read failed": m.PollFailed(m.PollFailure.UNAVAILABLE),
    "polls suspended": m.PollsSuspended(),
    "polls skipped": m.PollsSkipped(2),
    "polls resumed": m.PollsResumed(),
    "succeeded": m.Succeeded(0, 1),
    "failed from 0": m.PartlyFailed(0, 1, 0),
    "failed from 1": m.PartlyFailed(0, 1, 1),
    "failed": m.Failed(0, 1),
    "throttled": m.Throttled(0, 1),
    "delivered": m.DestinationDelivered(0, 1),
    "not delivered": m.DestinationFailed(0, 1),
    "the deadline": m.DeadlineReached(),
    "stop": m.Stopped(),
    # These fit no state at all.
    "failed from past the end": m.PartlyFailed(0, 1, 2),
    "failed from before the start": m.PartlyFailed(0, 1, -1),
    "another batch": m.Succeeded(0, 2),
    "another lane": m.Succeeded(1, 1),
    "a lane that there is not": m.Succeeded(2, 1),
    "a lane before the first": m.Succeeded(-2, 1),
    "another batch delivered": m.DestinationDelivered(0, 2),
    "delivered on a lane that there is not": m.DestinationDelivered(2, 1),
}

# Why a batch is discarded: the function raised, or its response said so.
ERROR = "RetryAttemptsExhausted x1 Unhandled invoked"
RESPONSE = "RetryAttemptsExhausted x1 invoked"

TABLE: dict[str, dict[str, list[str]]] = {
    "not yet read": {
        "polls suspended": ["-> None"],
        "polls skipped": ["-> 2000"],
        "the deadline": ["read 10000 from the trim horizon", "-> None"],
        "stop": ["-> None"],
    },
    "reading": {
        "records": ["0: invoke #1 [3] batch 1", "-> 1000"],
        "no records": ["-> 1000"],
        "filtered records": ["[3] filtered", "checkpoint 3", "-> 1000"],
        "the end": ["close", "-> None"],
        "read failed": ["-> 1000"],
        "stop": ["-> None"],
    },
    "idle": {
        "polls suspended": ["-> None"],
        "polls skipped": ["-> 3000"],
        "the deadline": ["read 10000 from the trim horizon", "-> None"],
        "stop": ["-> None"],
    },
    "suspended": {
        "polls skipped": ["-> None"],
        "polls resumed": ["-> 1000"],
        "stop": ["-> None"],
    },
    "collecting": {
        "polls suspended": ["-> 700"],
        "polls skipped": ["-> 700"],
        "the deadline": ["0: invoke #1 [1] batch 1", "-> 1000"],
        "stop": ["-> None"],
    },
    "invoking": {
        "polls suspended": ["-> None"],
        "polls skipped": ["-> 3000"],
        "succeeded": ["0: #1 [1 2] delivered", "checkpoint 2", "-> 1000"],
        "failed from 0": [f"0: send #1 [1 2] {RESPONSE}", "-> 1000"],
        "failed from 1": ["0: #1 [1] delivered", "checkpoint 1", "-> 500"],
        "failed": [f"0: send #1 [1 2] {ERROR}", "-> 1000"],
        "throttled": ["-> 1000"],
        "the deadline": ["read 10000 after 2", "-> None"],
        "stop": ["-> None"],
    },
    "invoking and reading": {
        "records": ["-> 2000"],
        "no records": ["-> 2000"],
        "filtered records": ["[3] filtered", "-> 2000"],
        "the end": ["-> None"],
        "read failed": ["-> 2000"],
        "succeeded": ["0: #1 [1 2] delivered", "checkpoint 2", "-> None"],
        "failed from 0": [f"0: send #1 [1 2] {RESPONSE}", "-> None"],
        "failed from 1": ["0: #1 [1] delivered", "checkpoint 1", "-> 1500"],
        "failed": [f"0: send #1 [1 2] {ERROR}", "-> None"],
        "throttled": ["-> 2000"],
        "stop": ["-> None"],
    },
    "invoking and read far ahead": {
        "succeeded": ["0: #1 [1] delivered", "checkpoint 1", "0: invoke #2 [2] batch 1", "-> 1000"],
        "failed from 0": [f"0: send #1 [1] {RESPONSE}", "-> None"],
        "failed": [f"0: send #1 [1] {ERROR}", "-> None"],
        "throttled": ["-> 1000"],
        "stop": ["-> None"],
    },
    "invoking at the end": {
        "succeeded": ["0: #1 [1 2] delivered", "checkpoint 2", "close", "-> None"],
        "failed from 0": [f"0: send #1 [1 2] {RESPONSE}", "-> None"],
        "failed from 1": ["0: #1 [1] delivered", "checkpoint 1", "-> 500"],
        "failed": [f"0: send #1 [1 2] {ERROR}", "-> None"],
        "throttled": ["-> 1000"],
        "stop": ["-> None"],
    },
    "backing off": {
        "polls suspended": ["-> 500"],
        "polls skipped": ["-> 500"],
        "the deadline": ["0: invoke #1 [1 2] retry 2", "-> 1000"],
        "stop": ["-> None"],
    },
    "discarding": {
        "polls suspended": ["-> None"],
        "polls skipped": ["-> 3000"],
        "delivered": [f"0: #1 [1 2] discarded {ERROR} handed over", "checkpoint 2", "-> 1000"],
        "not delivered": [f"0: #1 [1 2] discarded {ERROR}", "checkpoint 2", "-> 1000"],
        "the deadline": ["read 10000 after 2", "-> None"],
        "stop": ["-> None"],
    },
    "stopped": {
        "stop": ["-> None"],
    },
    "stopped while invoking": {
        "succeeded": ["0: #1 [1 2] delivered", "checkpoint 2", "-> None"],
        "failed from 0": [f"0: send #1 [1 2] {RESPONSE}", "-> None"],
        "failed from 1": ["0: #1 [1] delivered", "checkpoint 1", "-> None"],
        "failed": [f"0: send #1 [1 2] {ERROR}", "-> None"],
        "throttled": ["-> None"],
        "stop": ["-> None"],
    },
    "stopped and at rest": {
        "stop": ["-> None"],
    },
    "stopped while reading": {
        "records": ["-> None"],
        "no records": ["-> None"],
        "filtered records": ["[3] filtered", "checkpoint 3", "-> None"],
        "the end": ["-> None"],
        "read failed": ["-> None"],
        "stop": ["-> None"],
    },
    "with an open window": {
        "polls suspended": ["-> 6000"],
        "polls skipped": ["-> 3000"],
        "the deadline": ["read 10000 after 1", "-> 6000"],
        "stop": ["-> None"],
    },
    "closing a window": {
        "polls suspended": ["-> None"],
        "polls skipped": ["-> 9000"],
        "succeeded": ["checkpoint 1", "-> 7000"],
        "failed": ["0: #1 state dropped | 0-4000 s final", "checkpoint 1", "-> 7000"],
        "throttled": ["-> 7000"],
        "the deadline": ["read 10000 after 1", "-> None"],
        "stop": ["-> None"],
    },
    "retrying to close a window": {
        "polls suspended": ["-> 6500"],
        "polls skipped": ["-> 6500"],
        "the deadline": ["0: invoke #1 [] retry 2 | 0-4000 s final", "-> 7000"],
        "stop": ["-> None"],
    },
    "owing a closing call": {
        "polls suspended": ["-> 0"],
        "polls skipped": ["-> 0"],
        "the deadline": ["read 10000 after 1", "-> 0"],
        "stop": ["-> None"],
    },
    "closed": {
        "stop": ["-> None"],
    },
}


def answer(story: Story, given: str) -> list[str]:
    """What a machine says at this very instant, or to its deadline when that has come."""
    if given == "the deadline" and story.deadline_ms is not None:
        story.now_ms = max(story.now_ms, story.deadline_ms)
    return [*story.tell(INPUTS[given]), f"-> {story.deadline_ms}"]


LEGAL = [(state, given) for state, row in TABLE.items() for given in row]
ILLEGAL = [
    (state, given) for state in STATES for given in INPUTS if given not in TABLE.get(state, ())
]


@pytest.mark.parametrize(("state", "given"), LEGAL)
def test_an_input_that_fits(state: str, given: str) -> None:
    assert answer(STATES[state](), given) == TABLE[state][given]


@pytest.mark.parametrize(("state", "given"), ILLEGAL)
def test_an_input_that_does_not_fit_changes_nothing(state: str, given: str) -> None:
    story = STATES[state]()
    before = deepcopy(story.machine)
    with pytest.raises(m.IllegalInput) as caught:
        answer(story, given)
    assert story.machine == before
    lane = story.machine.lanes[0]
    assert f"lane 0 {lane.state}, batch {lane.in_flight}" in str(caught.value)
    assert str(caught.value).endswith(f"cannot take {INPUTS[given]!r}")


@pytest.mark.parametrize("state", [s for s, make in STATES.items() if make().deadline_ms])
def test_a_call_before_the_deadline_is_refused(state: str) -> None:
    story = STATES[state]()
    before = deepcopy(story.machine)
    assert story.deadline_ms is not None
    with pytest.raises(m.IllegalInput):
        story.tell(m.DeadlineReached(), at=story.deadline_ms - 1)
    assert story.machine == before


def test_the_table_has_every_state_of_a_lane() -> None:
    assert {make().machine.lanes[0].state for make in STATES.values()} == set(LaneState)
    assert set(TABLE) == set(STATES)
