"""Deliveries as AWS documents or recorded them, each told once from put to handler."""

from __future__ import annotations

from typing import Any

import pytest

from esm import Harness


@pytest.fixture
def h() -> Harness:
    return Harness()


def sequence_numbers(event: dict[str, Any]) -> list[str]:
    return [record["kinesis"]["sequenceNumber"] for record in event["Records"]]


def test_a_batch_never_crosses_shards(h):
    stream = h.kinesis(shards=4)
    m = h.map(stream, lambda event, context: None)
    stream.put_many(str(number) for number in range(40))
    h.drain()
    assert len(m.invocations) == 4
    for invocation in m.invocations:
        assert {record.shard_id for record in invocation.records} == {invocation.shard_id}
        shards = {r["eventID"].partition(":")[0] for r in invocation.event["Records"]}
        assert shards == {invocation.shard_id}


def test_reported_failures_mean_nothing_unless_they_are_asked_for(h):
    def reports_all(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return {"batchItemFailures": [{"itemIdentifier": n} for n in sequence_numbers(event)]}

    stream = h.kinesis()
    m = h.map(stream, reports_all)
    stream.put_many("ab")
    h.drain()
    assert m.batches == [[1, 2]]
    assert [record.ordinal for record in m.delivered] == [1, 2]


def test_a_retry_has_the_same_records_and_a_request_id_of_its_own(h):
    seen = []

    def fails(event: dict[str, Any], context: Any) -> None:
        seen.append((sequence_numbers(event), context.aws_request_id))
        raise ValueError("no")

    stream = h.kinesis()
    m = h.map(stream, fails, maximum_retry_attempts=2)
    stream.put_many("abc")
    h.drain()
    numbers = [record.sequence_number for record in stream.records]
    assert [records for records, _ in seen] == [numbers] * 3
    assert len({request_id for _, request_id in seen}) == 3
    assert len(m.discarded) == 1


def test_one_old_record_among_fresh_ones_goes_alone_as_recorded_on_aws(h):
    stream, failures = h.kinesis(), h.queue("failures")
    stream.put("old")
    h.advance("61s")
    stream.put_many("abcde")
    m = h.map(
        stream, lambda event, context: None, maximum_record_age_in_seconds=60, on_failure=failures
    )
    h.drain()
    assert m.batches == [[2, 3, 4, 5, 6]]
    (message,) = failures.messages
    assert message["requestContext"]["condition"] == "RecordAgeExceeded"
    assert message["requestContext"]["approximateInvokeCount"] == 1
    assert message["KinesisBatchInfo"]["batchSize"] == 1
    assert "responseContext" not in message


def test_the_last_of_six_records_alone_fails_as_recorded_on_aws(h):
    def sixth_fails(event: dict[str, Any], context: Any) -> dict[str, Any]:
        sixth = stream.records[5].sequence_number
        failed = [n for n in sequence_numbers(event) if n == sixth]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}

    stream, failures = h.kinesis(), h.queue("failures")
    m = h.map(
        stream,
        sixth_fails,
        batch_size=3,
        maximum_retry_attempts=3,
        function_response_types=["ReportBatchItemFailures"],
        on_failure=failures,
    )
    stream.put_many("abcdef")
    h.drain()
    assert m.batches == [[1, 2, 3], [4, 5, 6], [6], [6], [6], [6]]
    (message,) = failures.messages
    assert message["requestContext"]["approximateInvokeCount"] == 4
    assert message["responseContext"]["functionError"] is None
    assert message["KinesisBatchInfo"]["batchSize"] == 1


def test_a_throttled_batch_is_kept_until_it_is_taken_whatever_its_quota(h):
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: None, maximum_retry_attempts=0)
    m.inject.throttle(times=20)
    stream.put("a")
    h.drain()
    assert m.batches == [[1]]
    assert m.discarded == []
    assert m.metrics["Throttles"] == 20


def test_a_child_is_not_delivered_before_its_parents_failure_is_over(h):
    def refuses_bad(event: dict[str, Any], context: Any) -> None:
        if any(record["kinesis"]["partitionKey"] == "bad" for record in event["Records"]):
            raise ValueError("bad")

    stream = h.kinesis()
    m = h.map(stream, refuses_bad, maximum_retry_attempts=3)
    stream.put("a", key="bad")
    h.advance("500ms")
    stream.split()
    stream.put("b")
    h.drain()
    assert m.batches == [[1], [1], [1], [1], [2]]
    assert [len(discard.records) for discard in m.discarded] == [1]


def test_metrics_stand_still_while_a_mapping_is_disabled(h):
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: None)
    stream.put("a")
    h.drain()
    m.disable()
    before = m.metrics
    stream.put("b")
    h.advance("1h")
    assert m.metrics == before
    m.enable()
    h.drain()
    assert m.metrics["PolledEventCount"] == 2


@pytest.mark.parametrize("answer", [None, {}, {"state": None}, {"state": "text"}, []])
def test_in_a_tumbling_window_an_answer_without_a_state_object_is_a_failure(h, answer):
    stream = h.kinesis()
    m = h.map(
        stream,
        lambda event, context: answer,
        tumbling_window_in_seconds=60,
        maximum_retry_attempts=1,
    )
    stream.put("a")
    h.advance("5s")
    assert m.batches == [[1], [1]]
    assert [discard.condition for discard in m.discarded] == ["RetryAttemptsExhausted"]


def test_a_final_call_needs_a_state_in_its_answer_too(h):
    def forgets(event: dict[str, Any], context: Any) -> Any:
        return None if event["isFinalInvokeForWindow"] else {"state": {}}

    stream = h.kinesis()
    m = h.map(stream, forgets, tumbling_window_in_seconds=60, maximum_retry_attempts=2)
    stream.put("a")
    h.drain()
    assert m.batches == [[1], [], [], []]
    assert [i.event["isFinalInvokeForWindow"] for i in m.invocations] == [False, True, True, True]
    assert m.lag() == 0


def test_a_retry_does_not_wait_for_the_batching_window(h):
    stream = h.kinesis()
    m = h.map(stream, lambda event, context: None, maximum_batching_window_in_seconds=60)
    m.inject.error(times=1)
    stream.put("a")
    h.drain()
    first, second = m.invocations
    assert (second.started_at - first.started_at).total_seconds() == 0.5


def test_each_part_that_bisecting_gives_up_is_a_message(h):
    stream, failures = h.kinesis(), h.queue("failures")
    m = h.map(
        stream,
        lambda event, context: None,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=0,
        on_failure=failures,
    )
    m.inject.error(when=lambda record: record.partition_key == "bad")
    for key in ("good", "bad", "bad", "good"):
        stream.put("x", key=key)
    h.drain()
    bad = [record.sequence_number for record in stream.records[1:3]]
    told = [message["KinesisBatchInfo"] for message in failures.messages]
    assert [info["startSequenceNumber"] for info in told] == bad
    assert [info["batchSize"] for info in told] == [1, 1]
