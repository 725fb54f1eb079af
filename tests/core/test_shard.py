"""Stories of one shard: reading, trouble, the end.

Batches and lanes, filters and tumbling windows have more of them in modules of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from driver import Rec
from story import Story

from esm.core import messages as m
from esm.core.model import After, AtTimestamp, TrimHorizon, TumblingWindow
from esm.core.polling import Poller

# Two lanes: "d" and "e" go to lane 0, "a" and "b" to lane 1.


class TestReading:
    def test_a_shard_is_read_once_a_second(self) -> None:
        shard = Story()
        assert shard.wait() == ["read 10000 from the trim horizon"]
        assert shard.deadline_ms is None
        assert shard.answer_read() == []
        assert shard.deadline_ms == 1_000
        assert shard.wait() == ["read 10000 from the trim horizon"]

    def test_while_more_is_there_it_is_read_without_waiting(self) -> None:
        shard = Story(read_limit=2, batch_size=2)
        shard.read(1, 2, millis_behind=300)
        assert shard.deadline_ms == 0
        assert shard.wait() == ["read 2 after 2"]

    def test_reading_starts_where_it_is_told(self) -> None:
        assert Story(start=After(41)).wait() == ["read 10000 after 41"]
        assert Story(start=AtTimestamp(9)).wait() == ["read 10000 from instant 9"]

    def test_the_first_read_is_due_when_the_shard_is_opened(self) -> None:
        shard = Story(at=7_000)
        assert shard.deadline_ms == 7_000
        assert shard.machine.poller == Poller(TrimHorizon(), 7_000, 7_000)

    def test_the_cadence_counts_from_the_answer(self) -> None:
        shard = Story()
        shard.wait()
        shard.tell(m.RecordsArrived([]), after=250)
        assert shard.deadline_ms == 1_250

    def test_an_expired_iterator_is_renewed_where_reading_stood(self) -> None:
        shard = Story()
        shard.read(1, 2)
        shard.succeed()
        shard.wait()
        assert shard.tell(m.PollFailed(m.PollFailure.EXPIRED_ITERATOR)) == []
        assert shard.deadline_ms == 1_000
        assert shard.wait() == ["read 10000 after 2"]

    def test_failing_reads_back_off_and_cost_no_record_an_attempt(self) -> None:
        shard = Story(maximum_retry_attempts=0)
        shard.read(1)
        waits = []
        for _ in range(7):
            shard.wait()
            shard.tell(m.PollFailed(m.PollFailure.THROTTLED))
            waits.append(shard.deadline_ms - shard.now_ms)
        assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        assert shard.succeed() == ["0: #1 [1] delivered", "checkpoint 1"]

    def test_reading_goes_on_until_it_is_ahead_of_the_lane_by_more_than_a_batch(self) -> None:
        shard = Story(read_ahead_records=1, batch_size=1)
        shard.read(1, millis_behind=5)
        assert shard.deadline_ms == 0
        shard.read(2, millis_behind=5)
        assert shard.deadline_ms is None
        assert "0: invoke #2 [2] batch 1" in shard.succeed()
        assert shard.deadline_ms == 0

    def test_skipped_polls_move_the_next_one_along_the_cadence(self) -> None:
        shard = Story(poll_interval_ms=500)
        shard.read(at=0)
        assert shard.tell(m.PollsSkipped(3)) == []
        assert shard.deadline_ms == 2_000

    def test_a_suspended_shard_keeps_its_cadence(self) -> None:
        shard = Story()
        shard.read()
        assert shard.tell(m.PollsSuspended()) == []
        assert shard.deadline_ms is None
        assert shard.tell(m.PollsSkipped(4), at=4_200) == []
        assert shard.deadline_ms is None
        assert shard.tell(m.PollsResumed()) == []
        assert shard.deadline_ms == 5_000
        assert shard.machine.poller.suspended is False

    def test_what_the_source_lost_before_it_was_read_is_counted(self) -> None:
        shard = Story()
        got = shard.read(4, lost=[Rec(1), Rec(2)])
        assert got == ["[1 2] expired", "0: invoke #1 [4] batch 1"]

    def test_losing_everything_is_no_progress_of_the_checkpoint(self) -> None:
        assert Story().read(lost=[Rec(1)]) == ["[1] expired"]


class TestTimers:
    def test_a_window_collects_until_it_closes(self) -> None:
        shard = Story(maximum_batching_window_ms=2_500)
        assert shard.read(1) == []
        assert shard.read(2) == []
        assert shard.read(3) == []
        assert shard.deadline_ms == 2_500
        assert shard.wait() == ["0: invoke #1 [1 2 3] batch 1"]
        assert shard.deadline_ms == 3_000

    def test_a_window_that_is_over_stays_over_when_the_call_comes_late(self) -> None:
        shard = Story(maximum_batching_window_ms=2_500)
        shard.read(1)
        shard.read(at=1_000)
        shard.read(at=2_000)
        assert shard.tell(m.DeadlineReached(), at=2_517) == ["0: invoke #1 [1] batch 1"]

    def test_lanes_due_at_the_same_instant_go_in_their_order(self) -> None:
        shard = Story(parallelization_factor=2, maximum_batching_window_ms=500)
        shard.read(Rec(1, "a"), Rec(2, "d"))
        assert shard.wait() == ["0: invoke #1 [2] batch 1", "1: invoke #2 [1] batch 1"]

    def test_only_the_lane_that_is_due_goes(self) -> None:
        shard = Story(parallelization_factor=2, backoff_first_ms=300)
        shard.read(Rec(1, "a"), Rec(2, "d"))
        shard.fail(1)
        shard.fail(0, after=100)
        assert shard.wait() == ["1: invoke #2 [1] retry 2"]
        assert shard.wait() == ["0: invoke #1 [2] retry 2"]


class TestRetries:
    def test_the_same_batch_is_tried_again_with_growing_waits(self) -> None:
        shard = Story()
        shard.read(1, 2, end_of_shard=True)
        shard.fail()
        waits = [shard.deadline_ms]
        for attempt in range(2, 10):
            assert shard.wait() == [f"0: invoke #1 [1 2] retry {attempt}"]
            shard.fail()
            waits.append(shard.deadline_ms - shard.now_ms)
        assert waits == [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]

    def test_records_that_came_meanwhile_are_not_added(self) -> None:
        shard = Story(backoff_first_ms=5_000)
        shard.read(1)
        shard.fail()
        assert shard.read(2) == []
        shard.now_ms = 5_000
        assert shard.read() == ["0: invoke #1 [1] retry 2"]

    def test_what_is_due_with_a_read_goes_in_the_order_of_lanes(self) -> None:
        shard = Story(
            parallelization_factor=2,
            batch_size=2,
            maximum_batching_window_ms=1_000,
            backoff_first_ms=1_000,
        )
        first = shard.read(Rec(1, key="d"), Rec(2, key="d"), Rec(3, key="a"))
        assert first == ["0: invoke #1 [1 2] batch 1"]
        shard.fail(0)
        assert shard.read(at=1_000) == [
            "0: invoke #1 [1 2] retry 2",
            "1: invoke #2 [3] batch 1",
        ]

    def test_when_the_quota_is_used_up_the_batch_goes_to_the_destination(self) -> None:
        shard = Story(maximum_retry_attempts=1, has_destination=True)
        shard.read(1, 2)
        assert shard.fail() == []
        assert shard.wait() == ["0: invoke #1 [1 2] retry 2"]
        assert shard.fail() == ["0: send #1 [1 2] RetryAttemptsExhausted x2 Unhandled invoked"]
        assert shard.read(3, at=1_000) == []
        assert shard.deliver() == [
            "0: #1 [1 2] discarded RetryAttemptsExhausted x2 Unhandled invoked handed over",
            "checkpoint 2",
            "0: invoke #2 [3] batch 1",
        ]

    def test_without_a_destination_it_is_dropped_at_once(self) -> None:
        shard = Story(maximum_retry_attempts=0, batch_size=1)
        shard.read(1, 2)
        assert shard.fail() == [
            "0: #1 [1] discarded RetryAttemptsExhausted x1 Unhandled invoked",
            "checkpoint 1",
            "0: invoke #2 [2] batch 1",
        ]

    def test_a_destination_that_fails_does_not_stop_the_lane(self) -> None:
        shard = Story(maximum_retry_attempts=0, has_destination=True)
        shard.read(1)
        shard.fail()
        assert shard.lose() == [
            "0: #1 [1] discarded RetryAttemptsExhausted x1 Unhandled invoked",
            "checkpoint 1",
        ]

    def test_a_throttle_uses_no_attempt_and_waits_longer_each_time(self) -> None:
        shard = Story(maximum_retry_attempts=0)
        shard.read(1, end_of_shard=True)
        waits = []
        for _ in range(6):
            assert shard.throttle() == []
            waits.append(shard.deadline_ms - shard.now_ms)
            assert shard.wait() == ["0: invoke #1 [1] batch 1"]
        assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000]
        assert shard.succeed() == ["0: #1 [1] delivered", "checkpoint 1", "close"]

    def test_a_failure_that_the_response_reports_is_no_function_error(self) -> None:
        shard = Story(maximum_retry_attempts=0, has_destination=True)
        shard.read(1)
        assert shard.fail(error=None) == ["0: send #1 [1] RetryAttemptsExhausted x1 invoked"]

    def test_without_progress_a_partial_response_discards_the_whole_batch(self) -> None:
        shard = Story(maximum_retry_attempts=0)
        shard.read(1, 2, 3)
        assert shard.fail_from(0) == [
            "0: #1 [1 2 3] discarded RetryAttemptsExhausted x1 invoked", "checkpoint 3",
        ]  # fmt: skip


class TestPartialResponses:
    def test_the_third_record_fails_as_recorded_on_aws(self) -> None:
        shard = Story(batch_size=3, maximum_retry_attempts=3, has_destination=True)
        shard.read(1, 2, 3, end_of_shard=True)
        assert shard.fail_from(2) == ["0: #1 [1 2] delivered", "checkpoint 2"]
        assert shard.deadline_ms == 500
        assert shard.wait() == ["0: invoke #2 [3] remainder 1 of #1"]
        waits = []
        for attempt in (2, 3, 4):
            shard.fail_from(0)
            waits.append(shard.deadline_ms - shard.now_ms)
            assert shard.wait() == [f"0: invoke #2 [3] retry {attempt} of #1"]
        assert waits == [500, 1_000, 2_000]
        assert shard.fail_from(0) == ["0: send #2 [3] RetryAttemptsExhausted x4 invoked"]

    def test_progress_gives_the_remainder_the_whole_quota(self) -> None:
        shard = Story(maximum_retry_attempts=0)
        shard.read(1, 2, 3, end_of_shard=True)
        assert shard.fail_from(1) == ["0: #1 [1] delivered", "checkpoint 1"]
        assert shard.wait() == ["0: invoke #2 [2 3] remainder 1 of #1"]
        assert shard.fail_from(1) == ["0: #2 [2] delivered", "checkpoint 2"]
        assert shard.wait() == ["0: invoke #3 [3] remainder 1 of #2"]


class TestBisect:
    def test_the_left_half_is_resolved_wholly_before_the_right_one(self) -> None:
        shard = Story(bisect_batch_on_function_error=True, maximum_retry_attempts=0)
        shard.read(1, 2, 3, 4, 5, end_of_shard=True)
        assert shard.fail() == ["0: invoke #2 [1 2] bisect 1 of #1"]
        assert shard.fail() == ["0: invoke #4 [1] bisect 1 of #2"]
        assert shard.succeed() == [
            "0: #4 [1] delivered", "checkpoint 1", "0: invoke #5 [2] bisect 1 of #2",
        ]  # fmt: skip
        assert shard.fail() == [
            "0: #5 [2] discarded RetryAttemptsExhausted x1 Unhandled invoked",
            "checkpoint 2",
            "0: invoke #3 [3 4 5] bisect 1 of #1",
        ]
        assert shard.succeed() == ["0: #3 [3 4 5] delivered", "checkpoint 5", "close"]

    def test_a_throttled_half_is_not_split(self) -> None:
        shard = Story(bisect_batch_on_function_error=True)
        shard.read(1, 2, 3, 4, end_of_shard=True)
        shard.fail()
        shard.throttle()
        assert shard.wait() == ["0: invoke #2 [1 2] bisect 1 of #1"]

    def test_a_poison_record_alone_is_tried_until_its_quota_is_used_up(self) -> None:
        shard = Story(bisect_batch_on_function_error=True, maximum_retry_attempts=1)
        shard.read(1, 2, end_of_shard=True)
        assert shard.fail() == ["0: invoke #2 [1] bisect 1 of #1"]
        shard.fail()
        assert shard.wait() == ["0: invoke #2 [1] retry 2 of #1"]
        assert shard.fail()[-1] == "0: invoke #3 [2] bisect 1 of #1"


class TestSize:
    def test_a_record_too_large_alone_is_discarded_and_the_lane_goes_on(self) -> None:
        shard = Story(payload_limit_bytes=100, has_destination=True)
        shard.read(Rec(1, size=10), Rec(2, size=101), Rec(3, size=10))
        assert shard.succeed() == [
            "0: #1 [1] delivered",
            "checkpoint 1",
            "0: send #2 [2] MaximumPayloadSizeExceeded x1",
        ]
        assert shard.deliver() == [
            "0: #2 [2] discarded MaximumPayloadSizeExceeded x1 handed over",
            "checkpoint 2",
            "0: invoke #3 [3] batch 1",
        ]


class TestAge:
    def test_a_record_already_too_old_is_never_invoked(self) -> None:
        shard = Story(maximum_record_age_ms=60_000, has_destination=True, at=100_000)
        got = shard.read(Rec(1, arrived_ms=39_999), Rec(2, arrived_ms=40_000))
        assert got == ["0: send #1 [1] RecordAgeExceeded x1"]
        assert shard.deliver() == [
            "0: #1 [1] discarded RecordAgeExceeded x1 handed over",
            "checkpoint 1",
            "0: invoke #1 [2] batch 1",
        ]

    def test_neighbours_too_old_are_one_message_and_the_rest_another(self) -> None:
        shard = Story(maximum_record_age_ms=60_000, has_destination=True, at=100_000)
        old, new = 1_000, 99_000
        arrivals = [old, old, new, old, new]
        got = shard.read(*[Rec(n, arrived_ms=at) for n, at in enumerate(arrivals, 1)])
        assert got == ["0: send #1 [1 2] RecordAgeExceeded x1"]
        assert shard.deliver() == [
            "0: #1 [1 2] discarded RecordAgeExceeded x1 handed over",
            "checkpoint 2",
            "0: send #1 [4] RecordAgeExceeded x1",
        ]
        assert shard.deliver() == [
            "0: #1 [4] discarded RecordAgeExceeded x1 handed over", "0: invoke #1 [3 5] batch 1",
        ]  # fmt: skip

    def test_a_record_that_fails_all_the_time_is_reported_with_8_as_on_aws(self) -> None:
        shard = Story(maximum_record_age_ms=60_000, has_destination=True)
        shard.read(1, end_of_shard=True)
        said: list[str] = []
        while not said or "invoke #" in said[-1]:
            shard.fail()
            said = shard.wait()
        assert said == ["0: send #1 [1] RecordAgeExceeded x8 invoked"]

    def test_a_throttled_batch_is_discarded_by_age(self) -> None:
        shard = Story(maximum_record_age_ms=60_000)
        shard.read(1, end_of_shard=True)
        shard.throttle(after=59_500)
        assert shard.wait() == [
            "0: #1 [1] discarded RecordAgeExceeded x1", "checkpoint 1", "close",
        ]  # fmt: skip

    def test_a_batch_that_loses_a_record_to_age_keeps_its_count(self) -> None:
        shard = Story(maximum_record_age_ms=60_000, maximum_retry_attempts=1, at=60_000)
        shard.read(Rec(1, arrived_ms=0), Rec(2, arrived_ms=9_000), end_of_shard=True)
        shard.fail()
        assert shard.wait() == [
            "0: #1 [1] discarded RecordAgeExceeded x2 invoked",
            "checkpoint 1",
            "0: invoke #1 [2] retry 2",
        ]


class TestRetention:
    def test_what_the_source_forgot_is_dropped_without_a_message_and_counted(self) -> None:
        shard = Story(retention_ms=60_000, has_destination=True, at=60_000)
        shard.read(Rec(1, arrived_ms=0), Rec(2, arrived_ms=9_000), end_of_shard=True)
        shard.fail()
        assert shard.wait() == [
            "0: #1 [1] expired", "checkpoint 1", "0: invoke #1 [2] retry 2",
        ]  # fmt: skip

    def test_a_batch_forgotten_as_a_whole_frees_its_lane(self) -> None:
        shard = Story(retention_ms=60_000, maximum_batching_window_ms=90_000, batch_size=1)
        shard.read(1)
        shard.throttle(after=60_000)
        shard.read(at=60_000)
        assert shard.wait() == ["read 10000 after 1"]
        assert shard.wait() == ["0: #1 [1] expired", "checkpoint 1"]
        assert shard.deadline_ms is None
        assert shard.machine.timer_ms is None

    def test_the_source_wins_over_the_record_age(self) -> None:
        shard = Story(retention_ms=60_000, maximum_record_age_ms=60_000, at=100_000)
        assert shard.read(Rec(1, arrived_ms=1)) == ["0: #1 [1] expired", "checkpoint 1"]


class TestTheEndOfAShard:
    def test_a_closed_shard_is_done_when_everything_is_resolved(self) -> None:
        shard = Story()
        shard.read(1, end_of_shard=True)
        assert shard.deadline_ms is None
        assert shard.succeed() == ["0: #1 [1] delivered", "checkpoint 1", "close"]
        assert shard.deadline_ms is None

    def test_a_closed_shard_with_nothing_left_closes_with_its_last_read(self) -> None:
        assert Story().read(end_of_shard=True) == ["close"]

    def test_a_residue_does_not_wait_for_its_window(self) -> None:
        shard = Story(maximum_batching_window_ms=300_000)
        assert shard.read(1) == []
        assert shard.read(end_of_shard=True) == ["0: invoke #1 [1] batch 1"]

    def test_nor_does_a_residue_behind_an_invocation(self) -> None:
        shard = Story(maximum_batching_window_ms=300_000, batch_size=2)
        shard.read(1, 2, 3, end_of_shard=True)
        assert shard.succeed()[-1] == "0: invoke #2 [3] batch 1"

    def test_every_lane_has_to_be_done(self) -> None:
        shard = Story(parallelization_factor=2)
        shard.read(Rec(1, "a"), Rec(2, "d"), end_of_shard=True)
        assert "close" not in shard.succeed(0)
        assert shard.succeed(1)[-1] == "close"


class TestFilters:
    def test_what_is_filtered_out_moves_the_checkpoint_but_not_past_the_rest(self) -> None:
        shard = Story()
        got = shard.read(2, filtered=[Rec(1), Rec(3)])
        assert got == ["[1 3] filtered", "checkpoint 1", "0: invoke #1 [2] batch 1"]
        assert shard.succeed() == ["0: #1 [2] delivered", "checkpoint 3"]


class TestTumblingWindows:
    def opened(self, **settings: Any) -> Story:
        """Record 1 of the window [0, 10000) is delivered; the function's state is "a"."""
        shard = Story(tumbling_window_ms=10_000, tumbling_idle_grace_ms=5_000, **settings)
        assert shard.read(1, at=8_000) == ["0: invoke #1 [1] batch 1 | 0-10000 {}"]
        assert shard.succeed(state="a")[-1] == "checkpoint 1 | 0-10000 a"
        return shard

    def test_the_next_record_of_a_later_window_closes_it(self) -> None:
        shard = self.opened()
        assert shard.read(2, at=10_000) == ["0: invoke #2 [] window 1 | 0-10000 a final"]
        assert shard.succeed() == ["checkpoint 1", "0: invoke #3 [2] batch 1 | 10000-20000 {}"]
        assert shard.fail() == []
        assert shard.machine.timer_ms == 10_500

    def test_so_does_time_unless_something_is_left_to_read(self) -> None:
        shard = self.opened()
        assert shard.machine.timer_ms == 15_000
        assert not shard.machine.must_catch_up
        assert shard.read(at=14_999, millis_behind=1) == []
        assert shard.machine.timer_ms is None
        assert shard.machine.must_catch_up
        shard.tell(m.PollsSkipped(1))
        assert shard.wait() == ["0: invoke #2 [] window 1 | 0-10000 a final"]

    def test_an_answer_without_a_state_leaves_it_as_it_was(self) -> None:
        shard = self.opened()
        shard.read(2)
        assert shard.succeed() == ["0: #2 [2] delivered", "checkpoint 2 | 0-10000 a"]

    def test_its_end_ends_a_batching_window(self) -> None:
        shard = Story(tumbling_window_ms=10_000, maximum_batching_window_ms=60_000)
        assert shard.read(1) == []
        assert shard.machine.timer_ms == 10_000
        assert shard.read(2, at=10_000) == ["0: invoke #1 [1] batch 1 | 0-10000 {}"]

    def test_a_closing_call_without_success_drops_the_state_and_the_shard_ends(self) -> None:
        shard = self.opened(maximum_retry_attempts=0)
        shard.read(end_of_shard=True)
        assert shard.fail() == ["0: #2 state dropped | 0-10000 a final", "checkpoint 1", "close"]

    def test_a_state_that_is_too_large_is_taken_in_a_call_of_its_own(self) -> None:
        shard = self.opened(state_limit_bytes=3)
        shard.read(2, 3)
        assert shard.fail_from(1, state="four")[-1] == "checkpoint 2 | 0-10000 a early"
        assert shard.wait() == ["0: invoke #4 [] window 1 | 0-10000 a early"]
        assert shard.succeed()[-1] == "0: invoke #3 [3] remainder 1 of #2 | 0-10000 {}"

    def test_a_state_takes_its_room_in_the_event(self) -> None:
        shard = self.opened(payload_limit_bytes=11)
        shard.read(2, Rec(3, arrived_ms=8_500, size=4), Rec(4, arrived_ms=8_500, size=5))
        assert shard.fail_from(1, state="abc")[-1] == "checkpoint 2 | 0-10000 abc"
        assert shard.wait() == ["0: invoke #3 [3] remainder 1 of #2 | 0-10000 abc"]
        assert shard.succeed(state="ab")[-1] == "0: invoke #4 [4] remainder 1 of #3 | 0-10000 ab"

    def test_a_mapping_that_has_no_windows_any_more_closes_the_last_one(self) -> None:
        window = TumblingWindow(0, 10_000, "a")
        shard = Story(start=After(1), window=window, parallelization_factor=2)
        assert shard.read(Rec(2, "a")) == [
            "1: invoke #1 [2] batch 1",
            "0: invoke #2 [] window 1 | 0-10000 a final",
        ]
        assert shard.succeed(0) == ["checkpoint 1"]
        assert shard.succeed(1, state="stray") == ["1: #1 [2] delivered", "checkpoint 2"]


class TestStopping:
    def test_nothing_new_is_started(self) -> None:
        shard = Story(batch_size=1)
        shard.read(1, 2)
        assert shard.tell(m.Stopped()) == []
        assert shard.deadline_ms is None
        assert not shard.machine.is_quiet
        assert shard.succeed() == ["0: #1 [1] delivered", "checkpoint 1"]
        assert shard.machine.is_quiet
        assert shard.deadline_ms is None

    def test_every_lane_has_to_come_to_rest(self) -> None:
        shard = Story(parallelization_factor=2)
        shard.read(Rec(1, "a"), Rec(2, "d"))
        shard.tell(m.Stopped())
        shard.succeed(0)
        assert not shard.machine.is_quiet
        shard.succeed(1)
        assert shard.machine.is_quiet

    def test_a_read_under_way_may_come_back(self) -> None:
        shard = Story()
        shard.wait()
        shard.tell(m.Stopped())
        assert not shard.machine.is_quiet
        assert shard.answer_read(1, end_of_shard=True) == []
        assert shard.machine.is_quiet
        assert shard.deadline_ms is None

    def test_no_window_closes_and_no_retry_comes(self) -> None:
        shard = Story(maximum_batching_window_ms=5_000, parallelization_factor=2, batch_size=2)
        shard.read(Rec(1, "a"), Rec(2, "a"), Rec(3, "d"))
        shard.tell(m.Stopped())
        assert shard.fail(1) == []
        assert shard.deadline_ms is None
        assert shard.machine.is_quiet

    def test_a_batch_given_up_still_reaches_the_destination(self) -> None:
        shard = Story(maximum_retry_attempts=0, has_destination=True, batch_size=1)
        shard.read(1, 2, end_of_shard=True)
        shard.tell(m.Stopped())
        assert shard.fail() == ["0: send #1 [1] RetryAttemptsExhausted x1 Unhandled invoked"]
        assert not shard.machine.is_quiet
        assert shard.deliver()[-1] == "checkpoint 1"
        assert shard.machine.is_quiet

    def test_a_stopped_shard_does_not_close(self) -> None:
        shard = Story()
        shard.read(1, end_of_shard=True)
        shard.tell(m.Stopped())
        assert shard.succeed() == ["0: #1 [1] delivered", "checkpoint 1"]


class TestMistakes:
    def test_an_input_that_does_not_fit_names_shard_lane_and_state(self) -> None:
        shard = Story(parallelization_factor=2)
        shard.read(Rec(1, "a"))
        with pytest.raises(m.IllegalInput) as caught:
            shard.tell(m.Succeeded(0, 1))
        assert str(caught.value) == (
            "shard-0 (deadline 1000; lane 0 idle, batch None; lane 1 invoking, batch 1)"
            " cannot take Succeeded(lane=0, batch=1, state=None)"
        )

    def test_a_lane_that_there_is_not_cannot_be_answered(self) -> None:
        with pytest.raises(m.IllegalInput, match=r"cannot take Succeeded\(lane=1, batch=1,"):
            Story().tell(m.Succeeded(1, 1))

    def test_it_says_when_a_read_is_under_way(self) -> None:
        shard = Story()
        shard.wait()
        with pytest.raises(m.IllegalInput, match=r"shard-0 \(reading; lane 0 idle, batch None\)"):
            shard.tell(m.DeadlineReached())

    def test_an_input_that_is_none_is_our_mistake(self) -> None:
        with pytest.raises(AssertionError, match="succeeded"):
            Story().tell("succeeded")  # type: ignore[arg-type]
