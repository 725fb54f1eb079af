"""Stories of one shard that begins again with a tumbling window open, also after an update."""

from __future__ import annotations

from typing import Any

import pytest
from driver import Rec
from story import Story

from esm.core.model import After, Closing, TumblingWindow

WINDOW = TumblingWindow(0, 10_000, "a")


class TestRestarts:
    def restarted(self, window: TumblingWindow = WINDOW, **settings: Any) -> Story:
        defaults = {
            "start": After(1), "at": 4_000, "window": window,
            "tumbling_window_ms": 10_000, "tumbling_idle_grace_ms": 5_000,
        }  # fmt: skip
        return Story(**(defaults | settings))

    def test_an_open_window_goes_on_with_its_state(self) -> None:
        shard = self.restarted()
        assert shard.machine.timer_ms is None
        assert shard.read(2) == ["0: invoke #1 [2] batch 1 | 0-10000 a"]

    def test_an_open_window_closes_when_nothing_comes(self) -> None:
        shard = self.restarted()
        shard.read()
        assert shard.machine.timer_ms == 15_000
        assert shard.read(at=15_000) == ["0: invoke #1 [] window 1 | 0-10000 a final"]
        assert shard.succeed() == ["checkpoint 1"]

    def test_a_record_of_a_later_window_closes_it_first(self) -> None:
        shard = self.restarted(at=23_000)
        assert shard.read(2) == ["0: invoke #1 [] window 1 | 0-10000 a final"]
        assert shard.succeed()[-1] == "0: invoke #2 [2] batch 1 | 20000-30000 {}"

    @pytest.mark.parametrize(
        ("closing", "after"), [(Closing.EARLY, "0-10000 {}"), (Closing.FINAL, "10000-20000 {}")]
    )
    def test_a_closing_call_that_was_owed_comes_first(self, closing: Closing, after: str) -> None:
        shard = self.restarted(TumblingWindow(0, 10_000, "a", closing))
        got = shard.read(2)
        assert got == [f"0: invoke #1 [] window 1 | 0-10000 a {closing}"]
        assert shard.succeed()[-1] == f"0: invoke #2 [2] batch 1 | {after}"

    def test_it_does_not_wait_for_a_read_that_takes_long(self) -> None:
        shard = self.restarted(TumblingWindow(0, 10_000, "a", Closing.EARLY))
        assert shard.wait() == ["read 10000 after 1"]
        assert shard.wait() == ["0: invoke #1 [] window 1 | 0-10000 a early"]
        assert shard.deadline_ms is None

    def test_it_comes_after_an_empty_read_too(self) -> None:
        shard = self.restarted(TumblingWindow(0, 10_000, "a", Closing.EARLY))
        assert shard.read() == ["0: invoke #1 [] window 1 | 0-10000 a early"]
        assert shard.succeed() == ["checkpoint 1 | 0-10000 {}"]

    def test_a_longer_window_of_before_an_update_is_kept_to_its_end(self) -> None:
        shard = self.restarted(TumblingWindow(0, 25_000, "a"), at=12_000)
        assert shard.read(2) == ["0: invoke #1 [2] batch 1 | 0-25000 a"]
        shard.succeed(state="b")
        shard.read(Rec(3, arrived_ms=25_000), at=25_000)
        assert shard.succeed()[-1] == "0: invoke #3 [3] batch 1 | 20000-30000 {}"


class TestMappingsThatHaveNoWindowsAnyMore:
    """Lane 0 gets the closing call. Of two lanes "d" goes to lane 0, "a" to lane 1."""

    def updated(self, **settings: Any) -> Story:
        defaults = {"start": After(1), "at": 4_000, "window": WINDOW}
        return Story(**(defaults | settings))

    def test_the_window_is_closed_before_the_first_record(self) -> None:
        shard = self.updated()
        assert shard.read(2) == ["0: invoke #1 [] window 1 | 0-10000 a final"]
        assert shard.succeed() == ["checkpoint 1", "0: invoke #2 [2] batch 1"]

    def test_other_lanes_do_not_wait_for_it(self) -> None:
        shard = self.updated(parallelization_factor=2)
        assert shard.read(Rec(2, "a"), Rec(3, "d")) == [
            "0: invoke #1 [] window 1 | 0-10000 a final",
            "1: invoke #2 [2] batch 1",
        ]
        assert shard.succeed(1, state="stray") == [
            "1: #2 [2] delivered",
            "checkpoint 2 | 0-10000 a final",
        ]
        assert shard.succeed(0) == ["checkpoint 2", "0: invoke #3 [3] batch 1"]

    def test_nor_do_they_show_it(self) -> None:
        shard = self.updated(
            parallelization_factor=2, maximum_retry_attempts=0, has_destination=True
        )
        shard.read(Rec(2, "a"))
        assert shard.fail(1) == ["1: send #1 [2] RetryAttemptsExhausted x1 Unhandled invoked"]

    def test_nor_do_they_leave_room_for_its_state(self) -> None:
        shard = self.updated(parallelization_factor=2, payload_limit_bytes=20)
        got = shard.read(Rec(2, "a", size=20))
        assert got == ["1: invoke #1 [2] batch 1", "0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_their_batching_windows_do_not_end_with_it(self) -> None:
        shard = self.updated(parallelization_factor=2, maximum_batching_window_ms=30_000, at=14_000)
        assert shard.read(Rec(2, "a")) == ["0: invoke #1 [] window 1 | 0-10000 a final"]
        assert shard.machine.lanes[1].due_ms == 44_000

    def test_a_lane_that_loses_all_it_has_does_not_close_it(self) -> None:
        shard = self.updated(parallelization_factor=2, maximum_record_age_ms=1_000)
        got = shard.read(Rec(2, "a", arrived_ms=0))
        assert got == [
            "1: #1 [2] discarded RecordAgeExceeded x1",
            "checkpoint 2 | 0-10000 a final",
            "0: invoke #2 [] window 1 | 0-10000 a final",
        ]
        assert shard.succeed() == ["checkpoint 2"]

    def test_the_shard_does_not_end_without_it(self) -> None:
        shard = self.updated(parallelization_factor=2)
        assert shard.read(end_of_shard=True) == ["0: invoke #1 [] window 1 | 0-10000 a final"]
        assert shard.succeed() == ["checkpoint 1", "close"]
