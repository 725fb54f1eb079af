"""A mapping's metrics have CloudWatch's names and mean what CloudWatch's mean."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esm import Harness
from esm.errors import EndpointError


@pytest.fixture
def h() -> Harness:
    return Harness()


def nothing(event: dict[str, Any], context: Any) -> None:
    """A handler that is content."""


def boom(event: dict[str, Any], context: Any) -> None:
    raise ValueError("boom")


def sums(mapping: Any) -> dict[str, int]:
    series = ("IteratorAge", "Duration")
    values = mapping.metrics
    return {name: value for name, value in values.items() if name not in series and value}


def test_before_anything_happens_all_sums_are_zero_and_all_lists_empty(h):
    metrics = h.map(h.kinesis(), nothing).metrics
    assert metrics.pop("IteratorAge") == metrics.pop("Duration") == []
    assert set(metrics.values()) == {0}
    assert {"PolledEventCount", "FilteredOutEventCount", "InvokedEventCount"} < metrics.keys()


def test_what_was_polled_was_invoked(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, batch_size=2)
    stream.put_many(["a", "b", "c"])
    h.drain()
    assert sums(m) == {"PolledEventCount": 3, "InvokedEventCount": 3, "Invocations": 2}


def test_each_retry_counts_its_records_again_and_a_drop_counts_once(h):
    stream = h.kinesis()
    m = h.map(stream, boom, maximum_retry_attempts=2)
    stream.put_many(["a", "b"])
    h.drain()
    assert sums(m) == {
        "PolledEventCount": 2,
        "InvokedEventCount": 6,
        "FailedInvokeEventCount": 6,
        "DroppedEventCount": 2,
        "Invocations": 3,
        "Errors": 3,
    }
    assert m.discarded


def test_what_a_destination_has_was_not_dropped(h):
    stream = h.kinesis()
    m = h.map(stream, boom, maximum_retry_attempts=0, on_failure=h.queue("failures"))
    stream.put_many(["a", "b"])
    h.drain()
    assert m.metrics["OnFailureDestinationDeliveredEventCount"] == 2
    assert m.metrics["DroppedEventCount"] == 0


def test_a_delivery_that_fails_counts_as_failed_and_its_records_as_dropped(h):
    stream, failures = h.kinesis(), h.queue("failures")
    failures.fail(times=1)
    m = h.map(stream, boom, maximum_retry_attempts=0, batch_size=2, on_failure=failures)
    stream.put_many(["a", "b", "c"])
    h.drain()
    assert m.metrics["DestinationDeliveryFailures"] == 1
    assert m.metrics["DroppedEventCount"] == 2
    assert m.metrics["OnFailureDestinationDeliveredEventCount"] == 1


def test_a_throttle_is_an_event_that_failed_but_no_invocation(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.throttle()
    stream.put("a")
    h.drain()
    assert sums(m) == {
        "PolledEventCount": 1,
        "InvokedEventCount": 2,
        "FailedInvokeEventCount": 1,
        "Throttles": 1,
        "Invocations": 1,
    }


def test_a_response_that_names_one_record_fails_the_whole_event(h):
    def reports_last(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if len(event["Records"]) < 3:
            return {}
        number = event["Records"][-1]["kinesis"]["sequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number}]}

    stream = h.kinesis()
    m = h.map(stream, reports_last, function_response_types=["ReportBatchItemFailures"])
    stream.put_many(["a", "b", "c"])
    h.drain()
    assert m.metrics["FailedInvokeEventCount"] == 3
    assert m.metrics["Errors"] == 0


def test_iterator_age_is_that_of_the_last_record_when_the_event_is_sent(h):
    stream = h.kinesis()
    m = h.map(stream, nothing, maximum_batching_window_in_seconds=10)
    h.advance("1s")
    stream.put("a")
    h.advance("3s")
    stream.put("b")
    h.drain()
    [(instant, age_ms)] = m.metrics["IteratorAge"]
    assert instant == h.now
    assert timedelta(milliseconds=age_ms) == instant - stream.records[-1].arrived_at


def test_durations_are_those_of_the_invocations(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    m.inject.latency("2s")
    stream.put("a")
    h.drain()
    assert m.metrics["Duration"] == [(h.now, 2_000)]


def test_a_restart_forgets_nothing(h):
    stream = h.kinesis()
    m = h.map(stream, nothing)
    stream.put("a")
    h.drain()
    before = m.metrics
    h.restart()
    h.drain()
    assert m.metrics == before


def test_each_mapping_has_its_own(h):
    stream = h.kinesis()
    one, other = h.map(stream, nothing, name="one"), h.map(stream, boom, name="other")
    other.inject.throttle(times=3)
    stream.put("a")
    h.advance("1s")
    assert one.metrics["Throttles"] == 0
    assert other.metrics["Throttles"] > 0


@given(st.lists(st.integers(1, 30), max_size=8), st.integers(1, 3))
def test_sums_stay_whole_where_only_the_newest_invocations_are_kept(puts, keep):
    whole, cut = Harness(freeze=False), Harness(freeze=False, keep_invocations=keep)
    for h in (whole, cut):
        stream = h.kinesis()
        h.map(stream, boom, name="m", batch_size=7, maximum_retry_attempts=1)
        for count in puts:
            stream.put_many(str(n) for n in range(count))
            h.drain()
    every, newest = whole.mappings["m"].metrics, cut.mappings["m"].metrics
    for name in ("IteratorAge", "Duration"):
        told, kept = every.pop(name), newest.pop(name)
        assert kept == told[len(told) - len(kept) :]
    assert every == newest


# --- a stream's own ------------------------------------------------------------------------------


def test_a_shard_counts_what_came_in(h):
    stream = h.kinesis(shards=2)
    first, second = (shard.shard_id for shard in stream.shards)
    stream.put("12345", key="k", explicit_hash_key=0)
    stream.put("123", key="kk", explicit_hash_key=0)
    assert stream.metrics[first]["IncomingRecords"] == 2
    assert stream.metrics[first]["IncomingBytes"] == len("12345k") + len("123kk")
    assert set(stream.metrics[second].values()) == {0}


def test_reading_changes_nothing_of_it(h):
    stream = h.kinesis()
    h.map(stream, nothing)
    for data in ("a", "bb", "ccc"):
        stream.put(data, key="k")
        h.drain()
        assert stream.metrics[stream.shards[0].shard_id]["IncomingBytes"] == sum(
            len(record.data) + 1 for record in stream.records
        )


def test_what_exceeds_a_shards_limits_is_counted_and_not_taken(h):
    stream = h.kinesis(limits=True)
    [shard] = stream.shards
    with pytest.raises(EndpointError, match="Rate exceeded"):
        stream.put_many("x" for _ in range(1_001))
    metrics = stream.metrics[shard.shard_id]
    assert metrics["IncomingRecords"] == 1_000
    assert metrics["WriteProvisionedThroughputExceeded"] == 1


def test_a_sixth_reader_of_a_shard_is_one_too_many(h):
    stream = h.kinesis(limits=True)
    for number in range(6):
        h.map(stream, nothing, name=f"reader-{number}")
    stream.put("a")
    h.advance("0s")
    assert stream.metrics[stream.shards[0].shard_id]["ReadProvisionedThroughputExceeded"] == 1
