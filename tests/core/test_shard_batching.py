"""Stories of one shard: how far it reads ahead, what makes a batch, and its lanes side by side."""

from __future__ import annotations

from driver import Rec
from story import Story

from esm.core.model import Envelope

# Two lanes: "d" and "e" go to lane 0, "a" and "b" to lane 1.


class TestReadAhead:
    def test_a_stuck_lane_stops_the_shard_in_the_end(self) -> None:
        shard = Story(read_ahead_records=3, batch_size=2)
        shard.read(1, 2)
        shard.read(3, 4)
        assert shard.deadline_ms == 2_000  # 4 of 3 + 2
        shard.read(5)
        assert shard.deadline_ms is None
        assert shard.succeed() == [
            "0: #1 [1 2] delivered",
            "checkpoint 2",
            "0: invoke #2 [3 4] batch 1",
        ]
        assert shard.deadline_ms == 3_000

    def test_every_lane_may_hold_a_batch_beyond_the_bound(self) -> None:
        shard = Story(read_ahead_records=1, batch_size=1, parallelization_factor=2)
        shard.read(Rec(1, "a"), Rec(2, "d"))
        assert shard.deadline_ms == 1_000
        shard.read(Rec(3, "a"))
        assert shard.deadline_ms is None

    def test_bytes_are_bounded_like_records(self) -> None:
        shard = Story(
            read_ahead_bytes=30, payload_limit_bytes=10, batch_size=1, parallelization_factor=2
        )
        shard.read(Rec(1, "a", size=9), Rec(2, "d", size=9), Rec(3, "d", size=9))
        shard.read(Rec(4, "d", size=9), Rec(5, "d", size=9), Rec(6, "d", size=4))
        assert shard.deadline_ms == 2_000  # 49 of 30 + 2 * 10
        shard.read(Rec(7, "d", size=1))
        assert shard.deadline_ms is None

    def test_a_read_that_is_no_longer_wanted_waits_until_it_is(self) -> None:
        shard = Story(read_ahead_records=0, batch_size=1)
        shard.read(1)
        assert shard.deadline_ms is None
        shard.succeed(after=5_000)
        assert shard.deadline_ms == 5_000


class TestBatching:
    def test_without_a_window_records_go_as_soon_as_they_are_read(self) -> None:
        shard = Story(batch_size=2)
        assert shard.read(1, 2, 3) == ["0: invoke #1 [1 2] batch 1"]
        assert shard.succeed() == [
            "0: #1 [1 2] delivered", "checkpoint 2", "0: invoke #2 [3] batch 1",
        ]  # fmt: skip

    def test_what_arrives_during_an_invocation_waits_for_it(self) -> None:
        shard = Story()
        shard.read(1)
        assert shard.read(2) == []
        assert shard.read(3) == []
        assert shard.succeed() == [
            "0: #1 [1] delivered",
            "checkpoint 1",
            "0: invoke #2 [2 3] batch 1",
        ]

    def test_records_read_just_as_the_window_ends_go_with_it(self) -> None:
        shard = Story(maximum_batching_window_ms=1_000)
        shard.read(1)
        assert shard.deadline_ms == 1_000
        assert shard.read(2) == ["0: invoke #1 [1 2] batch 1"]

    def test_a_read_that_takes_long_does_not_hold_the_window_up(self) -> None:
        shard = Story(maximum_batching_window_ms=1_000)
        shard.read(1)
        assert shard.wait() == ["read 10000 after 1"]
        assert shard.deadline_ms == 1_000
        assert shard.wait() == ["0: invoke #1 [1] batch 1"]

    def test_an_empty_window_starts_anew_and_invokes_nothing(self) -> None:
        shard = Story(maximum_batching_window_ms=1_500)
        shard.read()
        shard.read()
        assert shard.read(1) == []  # at 2,000, in the second window
        assert shard.read(2) == ["0: invoke #1 [1 2] batch 1"]

    def test_a_full_batch_does_not_wait(self) -> None:
        shard = Story(maximum_batching_window_ms=300_000, batch_size=2)
        assert shard.read(1) == []
        assert shard.read(2, 3) == ["0: invoke #1 [1 2] batch 1"]
        assert shard.succeed() == ["0: #1 [1 2] delivered", "checkpoint 2"]

    def test_the_next_window_begins_as_soon_as_the_invocation_is_over(self) -> None:
        shard = Story(maximum_batching_window_ms=60_000, batch_size=2)
        shard.read(1, 2, 3)
        shard.succeed(after=700)
        assert shard.read(at=1_000) == []
        assert min(lane.due_ms for lane in shard.machine.lanes) == 60_700

    def test_a_window_without_records_begins_with_the_invocation_before_it_too(self) -> None:
        shard = Story(maximum_batching_window_ms=60_000, batch_size=2)
        shard.read(1, 2)
        shard.succeed(after=700)
        shard.read(3, at=1_000)
        assert shard.machine.timer_ms == 60_700

    def test_a_dispatch_without_an_invocation_begins_a_window(self) -> None:
        shard = Story(maximum_batching_window_ms=5_000, batch_size=2, retention_ms=2_000)
        shard.read(1)
        got = shard.read(2, 3, at=2_500)
        assert got == ["0: #1 [1] expired", "checkpoint 1", "0: invoke #1 [2] batch 1"]

    def test_six_megabytes_cut_a_batch(self) -> None:
        shard = Story(payload_limit_bytes=100, envelope=Envelope(10, 5))
        got = shard.read(Rec(1, size=40), Rec(2, size=40), Rec(3, size=40))
        assert got == ["0: invoke #1 [1 2] batch 1"]
        assert shard.succeed()[-1] == "0: invoke #2 [3] batch 1"

    def test_six_megabytes_close_a_window(self) -> None:
        shard = Story(payload_limit_bytes=100, maximum_batching_window_ms=60_000)
        assert shard.read(Rec(1, size=60), Rec(2, size=40)) == []
        assert shard.read(Rec(3, size=1)) == ["0: invoke #1 [1 2] batch 1"]


class TestLanes:
    def test_keys_of_different_lanes_go_side_by_side(self) -> None:
        shard = Story(parallelization_factor=2)
        got = shard.read(Rec(1, "a"), Rec(2, "d"), Rec(3, "a"), Rec(4, "e"))
        assert got == ["0: invoke #1 [2 4] batch 1", "1: invoke #2 [1 3] batch 1"]

    def test_a_failing_lane_does_not_stop_its_sibling_but_the_checkpoint(self) -> None:
        shard = Story(parallelization_factor=2)
        shard.read(Rec(1, "a"), Rec(2, "d"))
        assert shard.fail(lane=1) == []
        assert shard.succeed(lane=0) == ["0: #1 [2] delivered"]
        assert shard.wait() == ["1: invoke #2 [1] retry 2"]
        assert shard.succeed(lane=1) == ["1: #2 [1] delivered", "checkpoint 2"]

    def test_the_checkpoint_passes_what_other_lanes_have_resolved(self) -> None:
        shard = Story(parallelization_factor=2, batch_size=1)
        shard.read(Rec(1, "d"), Rec(2, "a"), Rec(3, "d"), Rec(4, "a"))
        assert shard.succeed(1) == ["1: #2 [2] delivered", "1: invoke #3 [4] batch 1"]
        assert shard.succeed(0)[:2] == ["0: #1 [1] delivered", "checkpoint 2"]
        assert shard.succeed(1) == ["1: #3 [4] delivered"]
        assert shard.succeed(0) == ["0: #4 [3] delivered", "checkpoint 4"]

    def test_each_lane_has_its_own_window(self) -> None:
        shard = Story(parallelization_factor=2, maximum_batching_window_ms=10_000, batch_size=2)
        shard.read(Rec(1, "a"), Rec(2, "a"), Rec(3, "d"))
        shard.succeed(1, after=400)
        shard.read(Rec(4, "a"), at=1_000)
        assert [lane.due_ms for lane in shard.machine.lanes] == [10_000, 10_400]
        assert shard.machine.timer_ms == 10_000
