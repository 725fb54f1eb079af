"""The run as text: what a failing test and `timeline()` show."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from test_runner import Scenario, World, scenarios

from esm import Harness
from esm.story import timeline, tree
from esm.story.words import elapsed, numbers, short_arn, short_shard


@pytest.fixture
def h() -> Harness:
    return Harness()


def nothing(event: dict[str, Any], context: Any) -> None:
    """A handler that is content."""


def boom(event: dict[str, Any], context: Any) -> None:
    raise ValueError("boom")


def poisoned(h: Harness, count: int, poison: int, **properties: Any) -> Any:
    """A mapping over `count` records of which one cannot be processed."""
    orders = h.kinesis("orders")
    m = h.map(orders, nothing, name="orders", bisect_batch_on_function_error=True, **properties)
    m.inject.error(ValueError("bad order"), when=lambda record: record.ordinal == poison)
    orders.put_many({"id": number} for number in range(1, count + 1))
    return m


def text(*lines: str) -> str:
    return "\n".join(lines)


# --- the timeline --------------------------------------------------------------------------------


def test_a_poison_record_in_order(h):
    m = poisoned(h, 5, poison=4, maximum_retry_attempts=2, on_failure=h.queue("dlq"))
    h.drain()
    assert m.timeline() == text(
        "orders, from 2026-01-01T00:00:00.000Z",
        "time  shard",
        "  0s  0      opened at TRIM_HORIZON",
        "  0s  0      read #1-#5",
        "  0s  0      batch 1 #1-#5 failed: ValueError: bad order",
        "  0s  0      batch 2 #1-#2 (bisect of 1) succeeded; checkpoint #2",
        "  0s  0      batch 3 #3-#5 (bisect of 1) failed: ValueError: bad order",
        "  0s  0      batch 4 #3 (bisect of 3) succeeded; checkpoint #3",
        "  0s  0      batch 5 #4-#5 (bisect of 3) failed: ValueError: bad order",
        "  0s  0      batch 6 #4 (bisect of 5) attempts 1-3 failed over 1.5s: ValueError:",
        "               bad order",
        "1.5s  0      discarded #4: RetryAttemptsExhausted after 3 attempts, sent to",
        "               sqs:dlq; checkpoint #4",
        "1.5s  0      batch 7 #5 (bisect of 5) succeeded; checkpoint #5",
    )


def test_only_its_problems(h):
    m = poisoned(h, 2, poison=2, maximum_retry_attempts=0)
    h.drain()
    assert m.timeline(problems_only=True) == text(
        "orders, from 2026-01-01T00:00:00.000Z",
        "time  shard",
        "  0s  0      batch 1 #1-#2 failed: ValueError: bad order",
        "  0s  0      batch 3 #2 (bisect of 1) failed: ValueError: bad order",
        "  0s  0      discarded #2: RetryAttemptsExhausted after 1 attempt, no",
        "               destination; checkpoint #2",
    )


def test_a_run_without_problems_has_none_to_tell(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put("a")
    h.drain()
    assert m.timeline(problems_only=True) == ""
    assert len(m.timeline().splitlines()) == 5


def test_what_never_ran_has_nothing_but_its_opening_to_tell(h):
    m = h.map(h.kinesis(), nothing)
    assert m.timeline() == text(
        "nothing, from 2026-01-01T00:00:00.000Z",
        "time  shard",
        "  0s  0      opened at TRIM_HORIZON",
    )
    assert timeline(h.trace, "somebody else") == ""


def test_ten_thousand_retries_are_one_line():
    h = Harness(freeze=False)
    stream = h.kinesis(retention="8d")
    m = h.map(stream, boom)
    stream.put("a")
    h.advance("7d")
    assert len(m.invocations) > 10_000
    assert m.timeline(problems_only=True).splitlines()[2:] == [
        "  0s  0      batch 1 #1 attempts 1-10086 failed over 6d23h59m3.5s: ValueError:",
        "               boom",
    ]
    assert tree(h.trace, m.name) == text(
        "boom: 0 delivered, 1 not resolved; 10,086 invocations",
        "#1 … not resolved after 10,086 attempts over 6d23h59m3.5s: ValueError: boom",
    )


def test_attempts_that_came_to_something_else_have_lines_of_their_own(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.error("one", times=2)
    m.inject.error("two", times=1)
    stream.put("a")
    h.drain()
    assert m.timeline().splitlines()[4:] == [
        "  0s  0      batch 1 #1 attempts 1-2 failed over 0.5s: RuntimeError: one; again",
        "               in 1s",
        "1.5s  0      batch 1 #1 attempt 3 failed: RuntimeError: two; again in 2s",
        "3.5s  0      batch 1 #1 attempt 4 succeeded; checkpoint #1",
    ]


def test_throttles_are_told(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.throttle(times=2)
    stream.put("a")
    h.drain()
    assert m.timeline().splitlines()[4:] == [
        "  0s  0      batch 1 #1 throttled 2 times over 1s: Rate Exceeded.; again in 2s",
        "  3s  0      batch 1 #1 succeeded; checkpoint #1",
    ]


def test_lanes_durations_and_what_is_in_flight(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, parallelization_factor=2)
    m.inject.latency("2s")
    stream.put("a", key="d")
    stream.put("b", key="a")
    stream.put("c", key="d")
    h.advance("1s")
    assert m.timeline().splitlines()[1:] == [
        "time  shard/lane",
        "  0s  0           opened at TRIM_HORIZON",
        "  0s  0           read #1-#3",
        "  0s  0/0         batch 1 #1…#3 (2) in flight",
        "  0s  0/1         batch 2 #2 in flight",
    ]
    h.drain()
    assert m.timeline().splitlines()[4:] == [
        "  0s  0/0         batch 1 #1…#3 (2) succeeded after 2s; checkpoint #1",
        "  0s  0/1         batch 2 #2 succeeded after 2s; checkpoint #3",
    ]


def test_empty_polls_are_counted_with_the_read_that_ends_them(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    h.advance("1m")
    stream.put("a")
    h.drain()
    assert m.timeline().splitlines()[3:] == [
        "1m1s  0      read #1 after 61 empty polls",
        "1m1s  0      batch 1 #1 succeeded; checkpoint #1",
    ]


def test_an_answer_that_names_failures_is_told_with_what_follows(h):
    stream = h.kinesis()

    def fail_third(event: dict[str, Any], context: Any) -> Any:
        names = [r["kinesis"]["sequenceNumber"] for r in event["Records"]]
        third = [name for name in names if name == stream.records[2].sequence_number]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in third]}

    m = h.map(
        stream,
        fail_third,
        maximum_retry_attempts=1,
        function_response_types=["ReportBatchItemFailures"],
    )
    stream.put_many("abcd")
    h.drain()
    assert m.timeline().splitlines()[4:] == [
        "  0s  0      batch 1 #1-#4 partly failed from #3; the rest in 0.5s; checkpoint",
        "               #2",
        "0.5s  0      batch 2 #3-#4 (remainder of 1) attempts 1-2 partly failed over 0.5s",
        "               from #3",
        "  1s  0      discarded #3-#4: RetryAttemptsExhausted after 2 attempts, no",
        "               destination; checkpoint #4",
    ]
    assert tree(h.trace, m.name) == text(
        "fail_third: 2 delivered, 2 discarded; 3 invocations",
        "✗ discarded #3-#4: RetryAttemptsExhausted after 2 attempts, no destination",
        "",
        "batch 1 of shard 0, #1-#4 partly failed from #3",
        "└─ #3-#4 ✗ discarded after 2 attempts over 0.5s",
    )


def test_reads_that_fail_and_shards_that_end_are_told(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    h.advance(0)
    stream.expire_iterators()
    stream.put("a")
    h.advance("1s")
    stream.split()
    h.drain()
    assert m.timeline().splitlines()[2:] == [
        "  0s  0      opened at TRIM_HORIZON",
        "  1s  0      read failed: ExpiredIteratorException",
        "  1s  0      read #1 after 1 empty poll",
        "  1s  0      batch 1 #1 succeeded; checkpoint #1",
        "  2s  0      read nothing, the end of the shard",
        "  2s  0      closed: read to its end, and all resolved",
        "  2s  1      opened at TRIM_HORIZON",
        "  2s  2      opened at TRIM_HORIZON",
    ]


def test_what_a_user_does_to_a_mapping_is_told(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put("a")
    h.drain()
    m.update(batch_size=5)
    h.restart()
    m.disable()
    assert m.timeline().splitlines()[5:] == [
        "  0s         updated: batch_size=5",
        "  0s  0      opened behind #1",
        "  0s         restarted: goes on from the checkpoints",
        "  0s  0      opened at its saved position",
        "  0s         updated: enabled=False",
    ]


def test_a_place_that_latest_has_pinned_is_called_saved(h):
    m = h.map(h.kinesis(), nothing, starting_position="LATEST")
    assert m.timeline().splitlines()[2:] == ["  0s  0      opened at its saved position"]


def test_a_destination_that_refuses_is_told(h):
    dlq = h.bucket("dlq")
    m = poisoned(h, 1, poison=1, maximum_retry_attempts=0, on_failure=dlq)
    dlq.fail()
    h.drain()
    assert m.timeline(True).splitlines()[3:] == [
        "  0s  0      discarded #1: RetryAttemptsExhausted after 1 attempt, delivery to",
        "               s3:dlq failed: arn:aws:s3:::dlq was told to fail; checkpoint #1",
    ]


def test_records_that_expire_are_told(h):
    stream = h.kinesis(retention="1h")
    m = h.map(stream, boom, batch_size=2)
    stream.put_many("abc")
    h.drain()
    assert m.timeline(True).splitlines()[3:] == [
        "1h3.5s  0      expired at the source: #1-#2; checkpoint #2",
        "1h3.5s  0      expired at the source: #3; checkpoint #3",
    ]
    assert tree(h.trace, m.name) == text(
        "boom: 0 delivered, 3 expired; 66 invocations",
        "✗ expired at the source: #1-#2 after 66 attempts over 59m3.5s",
        "✗ expired at the source: #3, never invoked",
    )


def test_records_that_expire_before_they_are_read_are_told(h):
    stream = h.kinesis(retention="1h")
    m = h.map(stream, nothing, enabled=False)
    m.enable()
    m.disable()
    stream.put_many("ab")
    h.advance("2h")
    m.enable()
    h.drain()
    assert m.timeline(True).splitlines()[2:] == [
        "  2h  0      expired at the source: #1-#2 before they were read",
    ]


def test_a_trace_that_is_cut_says_so():
    h = Harness(keep_invocations=1)
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=1)
    stream.put_many("abcdefghij")
    h.drain()
    lines = m.timeline().splitlines()
    assert lines[0] == (
        "nothing, from 2026-01-01T00:00:00.000Z; what came before is no longer kept"
    )
    assert lines[-1] == "  0s  0      batch 10 #10 succeeded"


def test_an_error_cannot_break_the_lines(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, maximum_retry_attempts=0)
    m.inject.error(
        ValueError("a\n  b \x1b[31m at <Order object at 0x7f1234abcdef>" + " and so on" * 99)
    )
    stream.put("a")
    h.drain()
    line = m.timeline(True).splitlines()[2]
    assert line == "  0s  0      batch 1 #1 failed: ValueError: a b �[31m at <Order object at 0x…>"
    assert "0x…>" in m.timeline(True)
    assert len(m.timeline(True).splitlines()) == 7
    assert all(line.isprintable() and len(line) <= 80 for line in m.timeline().splitlines())


# --- the tree ------------------------------------------------------------------------------------


def test_the_tree_of_a_poison_record(h):
    m = poisoned(h, 5, poison=4, maximum_retry_attempts=2, on_failure=h.queue("dlq"))
    h.drain()
    assert tree(h.trace, m.name) == text(
        "orders: 4 delivered, 1 discarded; 9 invocations",
        "✗ discarded #4: RetryAttemptsExhausted after 3 attempts, sent to sqs:dlq",
        "",
        "batch 1 of shard 0, #1-#5 failed: ValueError: bad order",
        "├─ #1-#2 ✓",
        "└─ #3-#5 failed",
        "   ├─ #3 ✓",
        "   └─ #4-#5 failed",
        "      ├─ #4 ✗ discarded after 3 attempts over 1.5s",
        "      └─ #5 ✓",
    )


def test_what_waits_behind_a_half_that_is_stuck(h):
    m = poisoned(h, 4, poison=1)
    h.advance("1m")
    assert tree(h.trace, m.name) == text(
        "orders: 0 delivered, 4 not resolved; 9 invocations",
        "#1 … not resolved after 7 attempts over 31.5s: ValueError: bad order",
        "",
        "batch 1 of shard 0, #1-#4 failed: ValueError: bad order",
        "├─ #1-#2 failed",
        "│  ├─ #1 … not resolved after 7 attempts over 31.5s",
        "│  └─ … #2 not tried yet",
        "└─ … #3-#4 not tried yet",
    )


def test_a_batch_that_succeeded_in_the_end(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.error("not yet", times=2)
    m.inject.throttle()
    stream.put("a")
    h.drain()
    assert tree(h.trace, m.name) == text(
        "nothing: 1 delivered; 3 invocations",
        "#1 ✓ at last after 3 attempts and 1 throttle over 2.5s: RuntimeError: not yet",
    )


def test_what_a_restart_threw_away(h):
    m = poisoned(h, 2, poison=1)
    h.advance(0)
    h.restart()
    h.advance(0)
    assert tree(h.trace, m.name) == text(
        "orders: 0 delivered, 2 not resolved; 4 invocations",
        "#1 … not resolved after 1 attempt: ValueError: bad order",
        "",
        "batch 1 of shard 0, #1-#2 failed: ValueError: bad order",
        "├─ #1 … not resolved after 1 attempt, thrown away by a restart",
        "└─ … #2 thrown away by a restart",
        "",
        "batch 1 of shard 0, #1-#2 failed: ValueError: bad order",
        "├─ #1 … not resolved after 1 attempt",
        "└─ … #2 not tried yet",
    )


def test_a_long_row_of_remainders_stays_short(h):
    stream = h.kinesis()

    def one_at_a_time(event: dict[str, Any], context: Any) -> Any:
        rest = [r["kinesis"]["sequenceNumber"] for r in event["Records"][1:]]
        return {"batchItemFailures": [{"itemIdentifier": name} for name in rest]}

    m = h.map(stream, one_at_a_time, function_response_types=["ReportBatchItemFailures"])
    stream.put_many({"id": number} for number in range(100))
    h.drain()
    assert tree(h.trace, m.name) == text(
        "one_at_a_time: 100 delivered; 100 invocations",
        "",
        "batch 1 of shard 0, #1-#100 partly failed from #2",
        "├─ #2-#100 partly failed from #3",
        "├─ #3-#100 partly failed from #4",
        "├─ #4-#100 partly failed from #5",
        "├─ … 93 more remainders",
        "├─ #98-#100 partly failed from #99",
        "├─ #99-#100 partly failed from #100",
        "└─ #100 ✓",
    )


def test_records_too_old_leave_a_batch_before_it_is_invoked(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, enabled=False, maximum_record_age_in_seconds=60)
    stream.put("old")
    h.advance("61s")
    stream.put("new")
    m.enable()
    h.drain()
    assert tree(h.trace, m.name) == text(
        "nothing: 1 delivered, 1 discarded; 1 invocation",
        "✗ discarded #1: RecordAgeExceeded, no destination",
        "",
        "batch 1 of shard 0, #1-#2 ✓ at last after 1 attempt",
        "└─ ✗ discarded #1: RecordAgeExceeded, no destination",
    )


def test_a_half_that_grew_too_old_hangs_where_it_came_from(h):
    m = poisoned(h, 2, poison=1, maximum_record_age_in_seconds=60)
    h.drain()
    assert tree(h.trace, m.name) == text(
        "orders: 0 delivered, 2 discarded; 8 invocations",
        "✗ discarded #1: RecordAgeExceeded, no destination",
        "✗ discarded #2: RecordAgeExceeded, no destination",
        "",
        "batch 1 of shard 0, #1-#2 failed: ValueError: bad order",
        "├─ #1 ✗ discarded after 7 attempts over 31.5s",
        "└─ #2 ✗ discarded, never invoked",
    )


def test_many_bad_batches_are_counted(h):
    stream = h.kinesis(shards=2)
    m = h.map(
        stream, boom, batch_size=2, maximum_retry_attempts=0, bisect_batch_on_function_error=True
    )
    for number in range(60):
        stream.put({"id": number}, explicit_hash_key=number % 2 * 2**127)
    h.drain()
    lines = tree(h.trace, m.name).splitlines()
    assert lines[0] == "boom: 0 delivered, 60 discarded; 90 invocations"
    assert lines[1] == (
        "✗ discarded #1: RetryAttemptsExhausted after 1 attempt, no destination (shard 0)"
    )
    assert lines[11] == "… and 50 more"
    assert lines[-1] == "… and 20 more batches that failed"


def test_a_tree_of_thousands_is_cut(h):
    stream = h.kinesis()
    m = h.map(
        stream, boom, batch_size=500, maximum_retry_attempts=0, bisect_batch_on_function_error=True
    )
    stream.put_many({"id": number} for number in range(500))
    h.drain()
    lines = tree(h.trace, m.name).splitlines()
    assert len(lines) < 80
    assert lines[-1] == "… and more of this batch: see timeline()"


# --- whatever happens ----------------------------------------------------------------------------


@given(scenarios)
def test_any_run_can_be_told_in_80_columns_and_the_same_way(scenario: Scenario):
    told = []
    for skip in (True, False):
        harness = World(scenario, skip=skip).run().harness
        texts = [timeline(harness.trace, name) for name in harness.mappings]
        texts += [tree(harness.trace, name) for name in harness.mappings]
        assert all(len(line) <= 80 for each in texts for line in each.splitlines())
        told.append(texts)
    assert told[0] == told[1]


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration_ms", "shown"),
    [
        (0, "0s"),
        (1, "0.001s"),
        (500, "0.5s"),
        (60_000, "1m"),
        (90_500, "1m30.5s"),
        (7_200_000, "2h"),
        (604_799_000, "6d23h59m59s"),
    ],
)
def test_durations_are_short(duration_ms, shown):
    assert elapsed(duration_ms) == shown


def test_records_are_shown_by_their_numbers(h):
    records = h.kinesis().put_many("abcde")
    assert numbers(records[:1]) == "#1"
    assert numbers(records[1:]) == "#2-#5"
    assert numbers(records[::2]) == "#1…#5 (3)"


def test_shards_and_destinations_are_shown_by_what_tells_them_apart():
    assert short_shard("shardId-000000000012") == "12"
    assert short_shard("shardId-00000001767225600000-f4dbdf21") == "f4dbdf21"
    assert short_shard("orders-3") == "orders-3"
    assert short_arn("arn:aws:sqs:us-east-1:123456789012:dlq") == "sqs:dlq"
    assert short_arn("arn:aws:s3:::bucket") == "s3:bucket"
