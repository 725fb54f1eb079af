"""Stories of one shard with tumbling windows: which records go together, and when a window closes.

Windows of ten seconds, which wait five for more records. Trouble is in its own module.
"""

from __future__ import annotations

from typing import Any

import pytest
from driver import Rec
from story import Story

from esm.core import messages as m
from esm.core.model import After, Envelope, TumblingWindow


def windowed(**settings: Any) -> Story:
    defaults = {"tumbling_window_ms": 10_000, "tumbling_idle_grace_ms": 5_000}
    return Story(**(defaults | settings))


def opened() -> Story:
    """Record 1 of the window [0, 10000) is delivered; the function's state is "a"."""
    shard = windowed()
    shard.read(1)
    shard.succeed(state="a")
    return shard


class TestRecords:
    def test_the_first_record_opens_a_window_that_is_aligned_to_the_epoch(self) -> None:
        shard = windowed(at=23_400)
        assert shard.read(1) == ["0: invoke #1 [1] batch 1 | 20000-30000 {}"]
        assert shard.succeed(state="a") == ["0: #1 [1] delivered", "checkpoint 1 | 20000-30000 a"]

    def test_the_arrival_of_a_record_decides_not_the_clock(self) -> None:
        shard = windowed(at=23_400)
        assert shard.read(Rec(1, arrived_ms=7)) == ["0: invoke #1 [1] batch 1 | 0-10000 {}"]

    def test_without_records_there_is_no_window(self) -> None:
        shard = windowed()
        shard.read()
        assert shard.machine.timer_ms is None
        assert shard.read(at=90_000) == []

    def test_each_batch_gets_the_state_of_the_one_before(self) -> None:
        shard = opened()
        assert shard.read(2, 3) == ["0: invoke #2 [2 3] batch 1 | 0-10000 a"]
        assert shard.succeed(state="ab")[-1] == "checkpoint 3 | 0-10000 ab"
        assert shard.read(4) == ["0: invoke #3 [4] batch 1 | 0-10000 ab"]

    def test_a_batch_never_mixes_windows(self) -> None:
        shard = windowed()
        got = shard.read(Rec(1, arrived_ms=9_999), Rec(2, arrived_ms=10_000))
        assert got == ["0: invoke #1 [1] batch 1 | 0-10000 {}"]
        assert shard.succeed(state="a") == [
            "0: #1 [1] delivered",
            "checkpoint 1 | 0-10000 a",
            "0: invoke #2 [] window 1 | 0-10000 a final",
        ]
        assert shard.succeed(state="ignored") == [
            "checkpoint 1",
            "0: invoke #3 [2] batch 1 | 10000-20000 {}",
        ]

    def test_a_window_may_take_many_batches(self) -> None:
        shard = windowed(batch_size=2)
        shard.read(1, 2, 3, Rec(4, arrived_ms=10_000))
        assert shard.succeed(state="a")[-1] == "0: invoke #2 [3] batch 1 | 0-10000 a"
        assert shard.succeed(state="b")[-1] == "0: invoke #3 [] window 1 | 0-10000 b final"

    def test_windows_without_records_are_passed_over(self) -> None:
        shard = opened()
        got = shard.read(Rec(2, arrived_ms=61_000), at=61_000)
        assert got == ["0: invoke #2 [] window 1 | 0-10000 a final"]
        assert shard.succeed()[-1] == "0: invoke #3 [2] batch 1 | 60000-70000 {}"

    def test_a_late_record_goes_with_the_window_that_is_open(self) -> None:
        shard = windowed(at=23_000)
        shard.read(1)
        shard.succeed(state="a")
        got = shard.read(Rec(2, arrived_ms=19_000), 3)
        assert got == ["0: invoke #2 [2 3] batch 1 | 20000-30000 a"]

    def test_a_record_of_a_closed_window_goes_with_the_next_one(self) -> None:
        shard = opened()
        shard.now_ms = 15_000
        shard.read()
        shard.succeed()
        got = shard.read(Rec(2, arrived_ms=9_000))
        assert got == ["0: invoke #3 [2] batch 1 | 10000-20000 {}"]

    def test_late_records_do_not_open_a_window_twice(self) -> None:
        shard = opened()
        late = [Rec(number, arrived_ms=0) for number in (3, 4)]
        shard.read(Rec(2, arrived_ms=10_000), *late, Rec(5, arrived_ms=10_000), at=10_000)
        assert shard.succeed()[-1] == "0: invoke #3 [2 3 4 5] batch 1 | 10000-20000 {}"


class TestClosing:
    def test_a_later_record_closes_the_window_at_once(self) -> None:
        shard = opened()
        got = shard.read(2, at=10_000)
        assert got == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_without_one_the_window_waits_past_its_end(self) -> None:
        shard = opened()
        assert shard.machine.timer_ms == 15_000
        assert shard.read(at=14_999) == []
        assert shard.deadline_ms == 15_000
        assert shard.wait() == ["0: invoke #2 [] window 1 | 0-10000 a final"]
        assert shard.succeed() == ["checkpoint 1"]
        assert shard.machine.timer_ms is None

    def test_a_record_that_comes_while_it_waits_does_not_prolong_it(self) -> None:
        shard = opened()
        shard.read(Rec(2, arrived_ms=9_500), at=14_000)
        shard.succeed(state="b")
        assert shard.machine.timer_ms == 15_000

    def test_records_read_just_as_the_window_closes_go_with_it(self) -> None:
        shard = opened()
        got = shard.read(Rec(2, arrived_ms=9_000), at=15_000)
        assert got == ["0: invoke #2 [2] batch 1 | 0-10000 a"]
        assert shard.succeed(state="b")[-1] == "0: invoke #3 [] window 1 | 0-10000 b final"

    def test_an_empty_read_at_that_instant_closes_it(self) -> None:
        shard = opened()
        assert shard.read(at=15_000) == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_a_window_closes_after_the_invocation_that_outlasts_it(self) -> None:
        shard = windowed()
        shard.read(1)
        assert shard.machine.timer_ms is None
        shard.read(at=20_000)
        assert shard.succeed(state="a")[-1] == "0: invoke #2 [] window 1 | 0-10000 a final"

    def test_the_end_of_the_shard_closes_it_at_once_and_then_the_shard(self) -> None:
        shard = opened()
        assert shard.read(end_of_shard=True) == ["0: invoke #2 [] window 1 | 0-10000 a final"]
        assert shard.succeed() == ["checkpoint 1", "close"]
        assert shard.deadline_ms is None

    def test_the_last_records_of_a_shard_go_with_their_window(self) -> None:
        shard = opened()
        shard.read(2, end_of_shard=True)
        assert shard.succeed(state="b") == [
            "0: #2 [2] delivered",
            "checkpoint 2 | 0-10000 b",
            "0: invoke #3 [] window 1 | 0-10000 b final",
        ]
        assert shard.succeed() == ["checkpoint 2", "close"]

    def test_a_shard_that_ends_says_so_however_far_behind_it_claims_to_be(self) -> None:
        shard = opened()
        got = shard.read(millis_behind=80, end_of_shard=True)
        assert got == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_a_stopped_shard_keeps_its_window_open(self) -> None:
        shard = opened()
        shard.tell(m.Stopped())
        assert shard.deadline_ms is None
        assert shard.machine.window == TumblingWindow(0, 10_000, "a")

    def test_a_closing_call_under_way_may_end_after_the_stop(self) -> None:
        shard = opened()
        shard.read(2, at=10_000)
        shard.tell(m.Stopped())
        assert shard.succeed() == ["checkpoint 1"]
        assert shard.machine.is_quiet
        assert shard.deadline_ms is None


class TestWhatIsStillToBeRead:
    def test_a_backlog_does_not_close_a_window_between_two_reads(self) -> None:
        shard = windowed(at=90_000)
        shard.read(Rec(1, arrived_ms=0), millis_behind=90_000)
        shard.succeed(state="a")
        assert shard.machine.timer_ms is None
        got = shard.read(Rec(2, arrived_ms=9_000))
        assert got == ["0: invoke #2 [2] batch 1 | 0-10000 a"]
        assert shard.succeed(state="b")[-1] == "0: invoke #3 [] window 1 | 0-10000 b final"

    def test_nor_does_an_empty_read_that_is_behind(self) -> None:
        shard = opened()
        assert shard.read(millis_behind=1, at=20_000) == []
        assert shard.machine.timer_ms is None
        assert shard.read() == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_only_an_open_window_makes_an_empty_poll_count(self) -> None:
        shard = windowed()
        assert not shard.machine.must_catch_up
        shard.read(1, millis_behind=1)
        assert shard.machine.must_catch_up
        shard.read()
        assert not shard.machine.must_catch_up

    def test_a_failing_read_delays_the_closing(self) -> None:
        shard = opened()
        shard.now_ms = 14_500
        shard.wait()
        shard.tell(m.PollFailed(m.PollFailure.UNAVAILABLE))
        assert shard.deadline_ms == 15_500
        assert shard.read() == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_polls_that_are_skipped_would_have_been_empty(self) -> None:
        shard = opened()
        assert shard.tell(m.PollsSkipped(14)) == []
        assert shard.deadline_ms == 15_000
        assert shard.tell(m.PollsSkipped(1)) == []
        assert shard.wait() == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_a_suspended_shard_closes_its_window(self) -> None:
        shard = windowed(at=90_000, start=After(1), window=TumblingWindow(0, 10_000, "a"))
        assert shard.machine.timer_ms is None  # what was read before the restart is unknown
        shard.tell(m.PollsSuspended())
        assert shard.deadline_ms == 15_000
        assert shard.wait() == ["0: invoke #1 [] window 1 | 0-10000 a final"]

    @pytest.mark.parametrize("interval_ms", [200, 1_000])
    def test_a_window_waits_for_a_poll_after_its_end(self, interval_ms: int) -> None:
        shard = windowed(tumbling_idle_grace_ms=0, poll_interval_ms=interval_ms)
        shard.read(1)
        shard.succeed(state="a")
        assert shard.machine.timer_ms == 10_000 + interval_ms


class TestBatchingWindows:
    def test_a_batching_window_collects_inside_a_tumbling_window(self) -> None:
        shard = windowed(maximum_batching_window_ms=3_000)
        assert shard.read(1) == []
        assert shard.machine.timer_ms == 3_000
        assert shard.read(2, at=3_000) == ["0: invoke #1 [1 2] batch 1 | 0-10000 {}"]

    def test_the_end_of_the_tumbling_window_ends_it(self) -> None:
        shard = windowed(maximum_batching_window_ms=60_000)
        shard.read(1)
        assert shard.machine.timer_ms == 10_000
        assert shard.read(at=10_000) == ["0: invoke #1 [1] batch 1 | 0-10000 {}"]
        shard.succeed(state="a")
        assert shard.machine.timer_ms == 15_000

    def test_so_does_a_record_of_a_later_one(self) -> None:
        shard = windowed(maximum_batching_window_ms=60_000)
        shard.read(1)
        got = shard.read(Rec(2, arrived_ms=10_000), at=9_000)
        assert got == ["0: invoke #1 [1] batch 1 | 0-10000 {}"]
        assert shard.succeed(state="a")[-1] == "0: invoke #2 [] window 1 | 0-10000 a final"
        assert shard.succeed() == ["checkpoint 1"]  # the next collects again
        assert shard.machine.timer_ms == 20_000

    def test_a_record_that_comes_after_the_end_does_not_wait(self) -> None:
        shard = windowed(maximum_batching_window_ms=60_000)
        shard.read(1, at=9_000)
        shard.read(at=10_000)
        shard.succeed(state="a")
        got = shard.read(Rec(2, arrived_ms=9_999), at=11_000)
        assert got == ["0: invoke #2 [2] batch 1 | 0-10000 a"]

    def test_the_window_is_open_while_its_first_records_wait(self) -> None:
        shard = windowed(maximum_batching_window_ms=3_000)
        shard.read(1)
        assert shard.machine.window == TumblingWindow(0, 10_000)


class TestSize:
    def test_the_state_takes_its_room_in_the_event(self) -> None:
        shard = windowed(payload_limit_bytes=100, envelope=Envelope(10, 5, 20))
        got = shard.read(Rec(1, size=28), Rec(2, size=30), Rec(3, size=1))
        assert got == ["0: invoke #1 [1 2] batch 1 | 0-10000 {}"]  # 10 + 20 + 2 and 2 * 5 + 58
        assert shard.succeed(state="64 bytes" * 8)[-1].startswith("0: invoke #2 [3] batch 1")

    def test_a_full_event_does_not_wait_for_its_batching_window(self) -> None:
        shard = windowed(
            payload_limit_bytes=100, maximum_batching_window_ms=9_000, envelope=Envelope(10, 5, 20)
        )
        assert shard.read(Rec(1, size=30), Rec(2, size=28)) == []
        assert shard.read(Rec(3, size=1)) == ["0: invoke #1 [1 2] batch 1 | 0-10000 {}"]

    def test_a_record_that_does_not_fit_beside_the_state_is_given_up(self) -> None:
        shard = windowed(payload_limit_bytes=50, has_destination=True, batch_size=1)
        shard.read(Rec(1, size=10), Rec(2, size=41), Rec(3, size=40))
        assert shard.succeed(state="0123456789")[-1] == (
            "0: send #2 [2] MaximumPayloadSizeExceeded x1 | 0-10000 0123456789"
        )
        assert shard.deliver()[-1] == "0: invoke #3 [3] batch 1 | 0-10000 0123456789"

    def test_what_a_grown_state_leaves_no_room_for_goes_in_a_batch_of_its_own(self) -> None:
        shard = windowed(payload_limit_bytes=50)
        shard.read(Rec(1, size=10), Rec(2, size=20), Rec(3, size=18))
        shard.fail_from(1, state="0123456789abc")
        assert shard.wait() == ["0: invoke #2 [2] remainder 1 of #1 | 0-10000 0123456789abc"]
        assert shard.succeed(state="0")[-1] == "0: invoke #3 [3] remainder 1 of #2 | 0-10000 0"

    def test_so_does_what_is_left_of_a_half_before_the_other_half(self) -> None:
        shard = windowed(payload_limit_bytes=62, bisect_batch_on_function_error=True)
        shard.read(*[Rec(number, size=10) for number in range(1, 7)])
        assert shard.fail() == ["0: invoke #2 [1 2 3] bisect 1 of #1 | 0-10000 {}"]
        large, small = "0123456789" * 5, "0"
        shard.fail_from(1, state=large)
        assert shard.wait() == [f"0: invoke #4 [2] remainder 1 of #2 | 0-10000 {large}"]
        assert shard.succeed(state=small)[-1] == "0: invoke #5 [3] remainder 1 of #4 | 0-10000 0"
        assert shard.succeed(state=small)[-1] == "0: invoke #3 [4 5 6] bisect 1 of #1 | 0-10000 0"

    def test_a_remainder_that_fits_exactly_stays_whole(self) -> None:
        shard = windowed(payload_limit_bytes=50)
        shard.read(Rec(1, size=10), Rec(2, size=20), Rec(3, size=18))
        shard.fail_from(1, state="0123456789ab")
        assert shard.wait() == ["0: invoke #2 [2 3] remainder 1 of #1 | 0-10000 0123456789ab"]
