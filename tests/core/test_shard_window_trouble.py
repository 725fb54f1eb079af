"""Stories of one shard with tumbling windows in trouble: failures and too large states."""

from __future__ import annotations

from typing import Any

import pytest
from driver import Rec
from story import Story

from esm.core import messages as m
from esm.core.model import TumblingWindow

WINDOW = TumblingWindow(0, 10_000, "a")
TOO_LARGE = "0123456789x"


def windowed(**settings: Any) -> Story:
    """Windows of ten seconds, which wait five for more records."""
    defaults = {
        "tumbling_window_ms": 10_000, "tumbling_idle_grace_ms": 5_000, "state_limit_bytes": 10,
    }  # fmt: skip
    return Story(**(defaults | settings))


def opened(**settings: Any) -> Story:
    """Record 1 of the window [0, 10000) is delivered; the function's state is "a"."""
    shard = windowed(**settings)
    shard.read(1)
    shard.succeed(state="a")
    return shard


class TestBatches:
    def test_a_failed_call_gets_the_same_state_again(self) -> None:
        shard = opened()
        shard.read(2)
        assert shard.fail() == []
        assert shard.wait() == ["0: invoke #2 [2] retry 2 | 0-10000 a"]
        assert shard.throttle() == []
        assert shard.machine.window == WINDOW

    def test_a_partial_failure_keeps_the_state_of_what_was_taken(self) -> None:
        shard = opened()
        shard.read(2, 3, 4)
        assert shard.fail_from(1, state="ab") == [
            "0: #2 [2] delivered", "checkpoint 2 | 0-10000 ab",
        ]  # fmt: skip
        assert shard.wait() == ["0: invoke #3 [3 4] remainder 1 of #2 | 0-10000 ab"]

    def test_a_partial_failure_of_everything_changes_no_state(self) -> None:
        shard = opened()
        shard.read(2, 3)
        assert shard.fail_from(0, state="ab") == []
        assert shard.wait() == ["0: invoke #2 [2 3] retry 2 | 0-10000 a"]

    def test_halves_are_invoked_with_the_running_state(self) -> None:
        shard = opened(bisect_batch_on_function_error=True)
        shard.read(2, 3, 4)
        assert shard.fail() == ["0: invoke #3 [2] bisect 1 of #2 | 0-10000 a"]
        assert shard.succeed(state="ab") == [
            "0: #3 [2] delivered",
            "checkpoint 2 | 0-10000 ab",
            "0: invoke #4 [3 4] bisect 1 of #2 | 0-10000 ab",
        ]

    def test_a_discarded_batch_leaves_the_last_good_state(self) -> None:
        shard = opened(maximum_retry_attempts=0, has_destination=True)
        shard.read(2)
        assert shard.fail() == [
            "0: send #2 [2] RetryAttemptsExhausted x1 Unhandled invoked | 0-10000 a"
        ]
        assert shard.deliver()[-1] == "checkpoint 2 | 0-10000 a"
        assert shard.read(3) == ["0: invoke #3 [3] batch 1 | 0-10000 a"]

    def test_so_does_a_batch_that_is_too_old(self) -> None:
        shard = opened(maximum_record_age_ms=1_000, has_destination=True)
        got = shard.read(Rec(2, arrived_ms=0), Rec(3, arrived_ms=2_000), at=2_000)
        assert got == ["0: send #2 [2] RecordAgeExceeded x1 | 0-10000 a"]
        assert shard.deliver()[-2:] == [
            "checkpoint 2 | 0-10000 a",
            "0: invoke #2 [3] batch 1 | 0-10000 a",
        ]

    def test_records_of_the_next_window_wait_for_a_batch_that_fails(self) -> None:
        shard = opened()
        shard.read(2, at=8_500)
        shard.fail(after=1_400)
        assert shard.read(3, at=10_000) == []
        assert shard.wait() == ["0: invoke #2 [2] retry 2 | 0-10000 a"]
        assert shard.succeed(state="b")[-1] == "0: invoke #3 [] window 1 | 0-10000 b final"

    def test_a_window_whose_records_are_all_lost_is_closed_all_the_same(self) -> None:
        shard = windowed(retention_ms=2_000)
        assert shard.read(Rec(1, arrived_ms=0), at=3_000) == [
            "0: #1 [1] expired",
            "checkpoint 1 | 0-10000 {}",
        ]
        assert shard.read(2, at=10_000) == ["0: invoke #2 [] window 1 | 0-10000 {} final"]


class TestClosingCalls:
    def closing(self, **settings: Any) -> Story:
        shard = opened(**settings)
        shard.read(2, at=10_000)
        return shard

    def test_a_closing_call_that_fails_is_retried_with_back_off(self) -> None:
        shard = self.closing()
        assert shard.fail() == []
        assert shard.deadline_ms == 10_500
        assert shard.wait() == ["0: invoke #2 [] retry 2 | 0-10000 a final"]
        assert shard.fail() == []
        assert shard.machine.timer_ms == 11_500
        assert shard.read(at=11_500) == ["0: invoke #2 [] retry 3 | 0-10000 a final"]
        assert shard.succeed()[-1] == "0: invoke #3 [2] batch 1 | 10000-20000 {}"

    def test_nothing_later_is_touched_meanwhile(self) -> None:
        shard = self.closing()
        shard.fail(after=900)
        assert shard.read(3, end_of_shard=True, at=11_000) == []
        assert shard.deadline_ms == 11_400

    def test_a_closing_call_that_is_throttled_uses_no_attempt(self) -> None:
        shard = self.closing(maximum_retry_attempts=0)
        assert shard.throttle() == []
        assert shard.machine.timer_ms == 11_000
        assert shard.read(at=11_000) == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_one_that_uses_up_its_quota_drops_the_state(self) -> None:
        shard = self.closing(maximum_retry_attempts=1, has_destination=True)
        shard.fail()
        shard.wait()
        assert shard.fail() == [
            "0: #2 state dropped | 0-10000 a final",
            "checkpoint 1",
            "0: invoke #3 [2] batch 1 | 10000-20000 {}",
        ]

    def test_the_end_of_the_shard_waits_for_it(self) -> None:
        shard = opened(maximum_retry_attempts=0)
        shard.read(end_of_shard=True)
        assert shard.throttle() == []
        assert not shard.machine.closed
        assert shard.wait() == ["0: invoke #2 [] window 1 | 0-10000 a final"]
        assert shard.fail() == ["0: #2 state dropped | 0-10000 a final", "checkpoint 1", "close"]

    def test_it_is_never_bisected_and_outlives_its_source(self) -> None:
        shard = self.closing(bisect_batch_on_function_error=True, retention_ms=60_000)
        shard.fail(after=100_000)
        assert shard.read(at=110_500) == ["0: invoke #2 [] retry 2 | 0-10000 a final"]

    @pytest.mark.parametrize(
        ("waited_ms", "told"),
        [
            pytest.param(
                59_500, "0: invoke #2 [] retry 2 | 0-10000 a final", id="as old as it may be"
            ),
            pytest.param(59_501, "0: #2 state dropped | 0-10000 a final", id="a millisecond older"),
        ],
    )
    def test_its_age_counts_from_its_windows_end(self, waited_ms: int, told: str) -> None:
        shard = self.closing(maximum_record_age_ms=60_000)
        shard.fail(after=waited_ms)
        assert shard.read(at=10_500 + waited_ms)[0] == told

    def test_a_throttle_does_not_keep_it_alive(self) -> None:
        shard = self.closing(maximum_record_age_ms=60_000)
        shard.throttle(after=100_000)
        assert shard.read(at=111_000)[0] == "0: #2 state dropped | 0-10000 a final"

    def test_the_first_attempt_is_made_at_any_age(self) -> None:
        shard = opened(maximum_record_age_ms=60_000)
        shard.read(2, at=1_000)
        shard.succeed(state="a")
        assert shard.read(at=300_000) == ["0: invoke #3 [] window 1 | 0-10000 a final"]

    def test_no_record_of_it_can_be_reported_as_failed(self) -> None:
        shard = self.closing()
        with pytest.raises(m.IllegalInput):
            shard.fail_from(0)


class TestTooLargeStates:
    def test_a_state_over_the_limit_ends_the_window_early(self) -> None:
        shard = opened()
        shard.read(2, 3)
        assert shard.succeed(state=TOO_LARGE) == [
            "0: #2 [2 3] delivered",
            "checkpoint 3 | 0-10000 a early",
            "0: invoke #3 [] window 1 | 0-10000 a early",
        ]
        assert shard.succeed(state="ignored") == ["checkpoint 3 | 0-10000 {}"]

    def test_the_same_window_goes_on_with_a_fresh_state(self) -> None:
        shard = opened()
        shard.read(2)
        shard.succeed(state=TOO_LARGE)
        shard.succeed()
        assert shard.read(3) == ["0: invoke #4 [3] batch 1 | 0-10000 {}"]
        shard.succeed(state="c")
        assert shard.read(4, at=10_000) == ["0: invoke #5 [] window 1 | 0-10000 c final"]

    def test_the_state_that_was_too_large_may_be_handed_over_instead(self) -> None:
        shard = opened(hands_over_oversize_state=True)
        shard.read(2)
        assert shard.succeed(state=TOO_LARGE)[1:] == [
            f"checkpoint 2 | 0-10000 {TOO_LARGE} early",
            f"0: invoke #3 [] window 1 | 0-10000 {TOO_LARGE} early",
        ]
        assert shard.succeed() == ["checkpoint 2 | 0-10000 {}"]

    def test_it_is_handed_over_though_nothing_fits_beside_it(self) -> None:
        shard = opened(hands_over_oversize_state=True, payload_limit_bytes=10)
        shard.read(2)
        assert shard.succeed(state=TOO_LARGE)[-1].endswith(
            f"[] window 1 | 0-10000 {TOO_LARGE} early"
        )
        assert shard.succeed() == ["checkpoint 2 | 0-10000 {}"]

    def test_the_limit_itself_is_allowed(self) -> None:
        shard = opened()
        shard.read(2)
        assert shard.succeed(state="0123456789")[-1] == "checkpoint 2 | 0-10000 0123456789"

    def test_it_is_handed_over_before_the_window_is_closed(self) -> None:
        shard = opened()
        shard.read(2, Rec(3, arrived_ms=10_000))
        assert shard.succeed(state=TOO_LARGE)[-1] == "0: invoke #3 [] window 1 | 0-10000 a early"
        assert shard.succeed() == [
            "checkpoint 2 | 0-10000 {}",
            "0: invoke #4 [] window 1 | 0-10000 {} final",
        ]

    def test_a_remainder_waits_for_it(self) -> None:
        shard = opened()
        shard.read(2, 3)
        assert shard.fail_from(1, state=TOO_LARGE)[-1] == "checkpoint 2 | 0-10000 a early"
        assert shard.wait() == ["0: invoke #4 [] window 1 | 0-10000 a early"]
        assert shard.succeed() == [
            "checkpoint 2 | 0-10000 {}",
            "0: invoke #3 [3] remainder 1 of #2 | 0-10000 {}",
        ]

    def test_halves_below_a_dropped_state_go_on(self) -> None:
        shard = opened(bisect_batch_on_function_error=True, maximum_retry_attempts=0)
        shard.read(2, 3, 4, 5)
        shard.fail()
        assert shard.succeed(state=TOO_LARGE)[-1] == "0: invoke #5 [] window 1 | 0-10000 a early"
        assert shard.fail() == [
            "0: #5 state dropped | 0-10000 a early",
            "checkpoint 3 | 0-10000 {}",
            "0: invoke #4 [4 5] bisect 1 of #2 | 0-10000 {}",
        ]
        assert shard.succeed(state="b")[:2] == ["0: #4 [4 5] delivered", "checkpoint 5 | 0-10000 b"]
