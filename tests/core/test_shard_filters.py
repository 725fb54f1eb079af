"""Stories of one shard whose FilterCriteria remove records before they are batched."""

from __future__ import annotations

from driver import Rec
from story import Story

from esm.core import messages as m

# Two lanes: "d" goes to lane 0, "a" to lane 1.


def filtered(*positions: int) -> list[Rec]:
    return [Rec(position) for position in positions]


class TestFilters:
    def test_what_is_filtered_out_is_done_with_at_once(self) -> None:
        shard = Story()
        assert shard.read(filtered=filtered(1, 2)) == ["[1 2] filtered", "checkpoint 2"]
        assert shard.wait() == ["read 10000 after 2"]

    def test_the_checkpoint_waits_for_what_came_before(self) -> None:
        shard = Story()
        assert shard.read(1, 4, filtered=filtered(2, 3, 5)) == [
            "[2 3 5] filtered", "0: invoke #1 [1 4] batch 1",
        ]  # fmt: skip
        assert shard.succeed() == ["0: #1 [1 4] delivered", "checkpoint 5"]

    def test_it_passes_what_came_first(self) -> None:
        shard = Story()
        got = shard.read(3, filtered=filtered(1, 2))
        assert got == ["[1 2] filtered", "checkpoint 2", "0: invoke #1 [3] batch 1"]

    def test_it_moves_over_what_is_between(self) -> None:
        shard = Story()
        shard.read(1, 3, filtered=filtered(2))
        assert shard.fail_from(1) == ["0: #1 [1] delivered", "checkpoint 2"]
        assert shard.wait() == ["0: invoke #2 [3] remainder 1 of #1"]
        assert shard.succeed()[-1] == "checkpoint 3"

    def test_later_reads_do_not_pass_a_failing_batch(self) -> None:
        shard = Story(backoff_first_ms=10_000)
        shard.read(1)
        shard.fail()
        assert shard.read(filtered=filtered(2, 3)) == ["[2 3] filtered"]
        assert shard.wait() == ["read 10000 after 3"]
        assert shard.answer_read() == []
        shard.tell(m.DeadlineReached(), at=10_000)
        shard.answer_read()
        assert shard.succeed() == ["0: #1 [1] delivered", "checkpoint 3"]

    def test_nor_do_they_pass_another_lane(self) -> None:
        shard = Story(parallelization_factor=2)
        shard.read(Rec(1, "a"), Rec(3, "d"), filtered=filtered(2, 4))
        assert shard.succeed(0) == ["0: #1 [3] delivered"]
        assert shard.succeed(1) == ["1: #2 [1] delivered", "checkpoint 4"]

    def test_batch_size_and_window_count_what_matches(self) -> None:
        shard = Story(batch_size=2, maximum_batching_window_ms=5_000)
        assert shard.read(1, filtered=filtered(2, 3)) == ["[2 3] filtered"]
        assert shard.read(4, filtered=filtered(5)) == [
            "[5] filtered",
            "0: invoke #1 [1 4] batch 1",
        ]

    def test_an_empty_window_stays_empty(self) -> None:
        shard = Story(maximum_batching_window_ms=5_000)
        shard.read(filtered=filtered(1))
        assert shard.machine.timer_ms is None

    def test_the_backlog_is_read_without_waiting_though_nothing_matches(self) -> None:
        shard = Story()
        shard.read(filtered=filtered(1), millis_behind=5)
        assert shard.deadline_ms == 0

    def test_what_is_filtered_out_behind_a_stuck_lane_counts_as_read_ahead(self) -> None:
        shard = Story(read_ahead_records=2, batch_size=1)
        shard.read(1)
        shard.read(filtered=filtered(2, 3))
        assert shard.deadline_ms is None
        shard.succeed()
        assert shard.deadline_ms == 2_000

    def test_a_shard_of_which_nothing_matches_ends(self) -> None:
        shard = Story()
        got = shard.read(filtered=filtered(1, 2), end_of_shard=True)
        assert got == ["[1 2] filtered", "checkpoint 2", "close"]

    def test_a_stopped_shard_still_counts_what_a_read_brought(self) -> None:
        shard = Story()
        shard.wait()
        shard.tell(m.Stopped())
        assert shard.answer_read(2, filtered=filtered(1, 3)) == ["[1 3] filtered", "checkpoint 1"]

    def test_what_matches_nothing_is_in_no_tumbling_window(self) -> None:
        shard = Story(tumbling_window_ms=10_000, tumbling_idle_grace_ms=5_000)
        assert shard.read(filtered=filtered(1)) == ["[1] filtered", "checkpoint 1"]
        shard.read(2)
        shard.succeed(state="a")
        later = [Rec(3, arrived_ms=12_000)]
        assert shard.read(filtered=later, at=12_000) == [
            "[3] filtered",
            "checkpoint 3 | 0-10000 a",
        ]
        assert shard.machine.timer_ms == 15_000
