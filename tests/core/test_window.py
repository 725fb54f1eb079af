"""Which tumbling window a record belongs to, what a batch may hold, when a window closes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driver import Rec

from esm.core.model import Closing, Envelope, Policy, TumblingWindow
from esm.core.window import (
    after_call,
    after_closing,
    belonging,
    closes_ms,
    resumed,
    weighed,
    window_of,
)

MINUTE = Policy(tumbling_window_ms=60_000, state_limit_bytes=10)
WINDOW = TumblingWindow(60_000, 120_000, "old")


def arriving(*instants_ms: int) -> list[Rec]:
    return [Rec(number, arrived_ms=ms) for number, ms in enumerate(instants_ms, 1)]


@pytest.mark.parametrize(
    ("arrived_ms", "floor_ms", "start_ms"),
    [
        pytest.param(0, 0, 0, id="the epoch begins a window"),
        pytest.param(59_999, 0, 0, id="a window does not begin with its first record"),
        pytest.param(60_000, 0, 60_000, id="the start belongs to the window"),
        pytest.param(1_607_497_475_000, 0, 1_607_497_440_000, id="AWS's example, in minutes"),
        pytest.param(130_000, 60_000, 120_000, id="a window without records is skipped"),
        pytest.param(30_000, 60_000, 60_000, id="a record of a closed window goes to the next one"),
        pytest.param(60_000, 60_000, 60_000, id="windows follow each other without a gap"),
        pytest.param(1_000, 90_000, 60_000, id="a longer window closed before an update"),
    ],
)
def test_the_window_of_a_record(arrived_ms: int, floor_ms: int, start_ms: int) -> None:
    window = window_of(arrived_ms, floor_ms, MINUTE)
    assert window == TumblingWindow(start_ms, start_ms + 60_000, "{}", None)
    assert window.end_ms > floor_ms


def test_the_window_of_the_example_of_aws() -> None:
    policy = Policy(tumbling_window_ms=120_000)
    window = window_of(1_607_497_475_000, 0, policy)
    # 2020-12-09T07:04:00Z to 07:06:00Z
    assert (window.start_ms, window.end_ms) == (1_607_497_440_000, 1_607_497_560_000)


@pytest.mark.parametrize(
    ("instants_ms", "batch_size", "count"),
    [
        pytest.param((), 9, 0, id="of nothing nothing"),
        pytest.param((60_000, 119_999), 9, 2, id="all of the window"),
        pytest.param((60_000, 120_000), 9, 1, id="the end belongs to the next window"),
        pytest.param((120_000,), 9, 0, id="nothing when the first is of a later window"),
        pytest.param((60_000, 130_000, 70_000), 9, 1, id="nothing overtakes: order is kept"),
        pytest.param((10_000, 60_000, 0), 9, 3, id="late records go with the open window"),
        pytest.param((60_000, 60_000, 60_000), 2, 2, id="no more than a batch is looked at"),
    ],
)
def test_what_a_batch_of_the_window_may_hold(
    instants_ms: tuple[int, ...], batch_size: int, count: int
) -> None:
    policy = replace(MINUTE, batch_size=batch_size)
    assert belonging(arriving(*instants_ms), WINDOW, policy) == count


@pytest.mark.parametrize(
    ("grace_ms", "poll_ms", "shard_ended", "closes"),
    [
        pytest.param(120_000, 1_000, False, 240_000, id="two minutes after its end"),
        pytest.param(5_000, 1_000, False, 125_000, id="the wait is a setting"),
        pytest.param(0, 250, False, 120_250, id="a poll at least: the last second is to be read"),
        pytest.param(0, 0, False, 120_000, id="a source that pushes has nothing to be polled for"),
        pytest.param(120_000, 1_000, True, 60_000, id="at once at the end of the shard"),
    ],
)
def test_when_a_window_closes_without_a_later_record(
    grace_ms: int, poll_ms: int, shard_ended: bool, closes: int
) -> None:
    policy = Policy(tumbling_idle_grace_ms=grace_ms, poll_interval_ms=poll_ms)
    assert closes_ms(WINDOW, policy, shard_ended=shard_ended) == closes


EARLY, FINAL = (replace(WINDOW, closing=closing) for closing in (Closing.EARLY, Closing.FINAL))


@pytest.mark.parametrize(
    ("window", "policy", "opened"),
    [
        pytest.param(None, MINUTE, None, id="none was open"),
        pytest.param(None, Policy(), None, id="there were never any"),
        pytest.param(WINDOW, MINUTE, WINDOW, id="the window goes on"),
        pytest.param(EARLY, MINUTE, EARLY, id="its closing call is still owed"),
        pytest.param(WINDOW, Policy(), FINAL, id="a mapping without windows ends it"),
        pytest.param(EARLY, Policy(), FINAL, id="for good, whatever was owed"),
    ],
)
def test_the_window_of_a_checkpoint(
    window: TumblingWindow | None, policy: Policy, opened: TumblingWindow | None
) -> None:
    assert resumed(window, policy) == opened


@pytest.mark.parametrize(
    ("state", "hands_over", "after"),
    [
        pytest.param("new", False, replace(WINDOW, state="new"), id="the state takes the place"),
        pytest.param("0123456789", False, replace(WINDOW, state="0123456789"), id="the limit"),
        pytest.param("0123456789x", False, EARLY, id="too large: the last that was not, early"),
        pytest.param(
            "0123456789x", True, replace(EARLY, state="0123456789x"), id="or the one that was"
        ),
        pytest.param("ééééé", False, replace(WINDOW, state="ééééé"), id="ten bytes, five letters"),
        pytest.param("éééééé", False, EARLY, id="bytes count, not letters"),
    ],
)
def test_the_state_that_a_function_returns(
    state: str, hands_over: bool, after: TumblingWindow
) -> None:
    policy = replace(MINUTE, hands_over_oversize_state=hands_over)
    assert after_call(WINDOW, state, policy) == after


@pytest.mark.parametrize(
    ("window", "after"),
    [
        pytest.param(FINAL, None, id="final: it is over"),
        pytest.param(EARLY, TumblingWindow(60_000, 120_000), id="early: it begins afresh"),
    ],
)
def test_what_is_open_after_a_closing_call(
    window: TumblingWindow, after: TumblingWindow | None
) -> None:
    assert after_closing(window) == after


def test_the_state_counts_towards_the_size_of_an_event() -> None:
    envelope = Envelope(event_bytes=100, record_bytes=7, window_bytes=20)
    assert weighed(envelope, replace(WINDOW, state="é1")) == Envelope(123, 7, 20)
    assert weighed(envelope, None) == envelope
