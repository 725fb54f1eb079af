"""The function behind a mapping: what comes back, what comes twice, and what ends elsewhere."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from esm import Harness

EVENTS = Path(__file__).parent.parent.parent / "events" / "bandwidth_enrichment"
REPORTS = {"function_response_types": ["ReportBatchItemFailures"]}


@pytest.fixture(scope="module")
def handler(load: Callable[[str, str], ModuleType]) -> Callable[..., Any]:
    handler: Callable[..., Any] = load("bandwidth_enrichment", "app").handler
    return handler


@pytest.fixture
def h(monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.setenv("ENRICHED_STREAM_NAME", "enriched")
    with Harness() as harness:
        yield harness


def sign_up(number: int) -> dict[str, Any]:
    return {
        "user": {"id": f"user-{number}", "name": "Ada Costa", "email": "ada@example.com"},
        "location": {"country": "DE", "postal_code": "10115", "city": "Berlin"},
        "signed_up_at": "2026-01-01T00:00:00Z",
    }


def by_event_id(stream: Any) -> dict[str, list[bytes]]:
    """What a consumer that keeps the ids it has seen makes of the second stream."""
    messages = defaultdict(list)
    for record in stream.records:
        messages[record.json["event_id"]].append(record.data)
    return messages


def event_ids(records: Any) -> list[str]:
    return [f"{record.shard_id}:{record.sequence_number}" for record in records]


def test_what_a_throttled_stream_refuses_comes_back_and_gets_through(h, handler):
    enriched = h.kinesis("enriched", shards=2, limits=True)
    sign_ups = h.kinesis("sign-ups")
    mapping = h.map(sign_ups, handler, batch_size=3_000, **REPORTS)
    sign_ups.put_many(sign_up(number) for number in range(2_600))

    assert h.drain() == "idle"

    first, *others = mapping.invocations
    reported = [failure["itemIdentifier"] for failure in first.response["batchItemFailures"]]
    assert reported, "two shards take 2,000 records a second, so some of 2,600 are refused"
    assert others[0].records[0].sequence_number == min(reported, key=int)
    assert others[-1].response == {"batchItemFailures": []}
    assert [record.ordinal for record in mapping.delivered] == list(range(1, 2_601))

    messages = by_event_id(enriched)
    assert sorted(messages) == sorted(event_ids(sign_ups.records))
    assert {len(set(copies)) for copies in messages.values()} == {1}
    twice = [event_id for event_id, copies in messages.items() if len(copies) > 1]
    assert twice, "PutRecords took some of the call that it refused others of"


def test_what_is_refused_in_one_shard_keeps_its_order(h, handler):
    enriched = h.kinesis("enriched", limits=True)
    sign_ups = h.kinesis("sign-ups")
    h.map(sign_ups, handler, batch_size=2_000, **REPORTS)
    sign_ups.put_many(sign_up(number) for number in range(1_700))

    assert h.drain() == "idle"

    assert [r.json["event_id"] for r in enriched.records] == event_ids(sign_ups.records)


def test_three_shards_are_enriched_side_by_side_each_in_its_order(h, handler):
    enriched = h.kinesis("enriched", shards=2)
    mapping = h.replay(handler, str(EVENTS / "shard-*.json"), batch_size=4, **REPORTS)

    assert h.drain() == "idle"

    assert len(mapping.delivered) == 24
    assert {each.shard_id for each in mapping.invocations} == {
        f"shardId-{number:012d}" for number in range(3)
    }
    delivered = defaultdict(list)
    for record in mapping.delivered:
        delivered[record.shard_id].append(int(record.sequence_number))
    assert all(numbers == sorted(numbers) for numbers in delivered.values())
    assert sorted(by_event_id(enriched)) == sorted(event_ids(mapping.delivered))


def test_the_function_sees_the_role_and_region_of_the_capture(h, handler):
    h.kinesis("enriched")
    mapping = h.replay(handler, str(EVENTS / "batch.json"), **REPORTS)
    h.drain()

    [captured] = {r["invokeIdentityArn"] for r in batch("batch.json")["Records"]}
    shown = [record for each in mapping.invocations for record in each.event["Records"]]
    assert shown == batch("batch.json")["Records"]
    assert {record["invokeIdentityArn"] for record in shown} == {captured}


def batch(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EVENTS / name).read_text(encoding="utf-8"))
    return document


def test_a_crash_after_publishing_brings_equal_messages_again(h, handler):
    enriched = h.kinesis("enriched")
    sign_ups = h.kinesis("sign-ups")
    mapping = h.map(sign_ups, handler, batch_size=5, **REPORTS)
    sign_ups.put_many(sign_up(number) for number in range(12))
    h.until(lambda: len(mapping.delivered) == 5)
    mapping.inject.latency("2s")
    h.until(lambda: len(enriched.records) == 10)

    assert len(mapping.delivered) == 5, "the second batch is published, and not answered yet"
    h.restart()
    assert h.drain() == "idle"

    assert len(enriched.records) == 17
    messages = by_event_id(enriched)
    assert sorted(messages) == sorted(event_ids(sign_ups.records))
    assert [len(copies) for copies in messages.values()] == [1] * 5 + [2] * 5 + [1] * 2
    assert all(len(set(copies)) == 1 for copies in messages.values())
    assert [record.ordinal for record in mapping.delivered] == list(range(1, 13))


def test_a_poison_record_is_put_aside_alone_with_bisect(h, handler):
    enriched, failures = h.kinesis("enriched"), h.bucket("failures")
    mapping = h.replay(
        handler,
        str(EVENTS / "poison.json"),
        maximum_batching_window_in_seconds=60,
        bisect_batch_on_function_error=True,
        maximum_retry_attempts=2,
        destination_config={"OnFailure": {"Destination": failures.arn}},
        **REPORTS,
    )
    assert h.drain() == "idle"

    assert [r.ordinal for each in mapping.discarded for r in each.records] == [7]
    [kept] = failures.objects.values()
    assert json.loads(kept["payload"])["Records"] == batch("poison.json")["Records"][6:7]
    assert all(len(copies) == 1 for copies in by_event_id(enriched).values())
    assert len(enriched.records) == 11


def test_without_bisect_what_is_behind_a_poison_record_goes_with_it_and_is_not_published(
    h, handler
):
    enriched, failures = h.kinesis("enriched"), h.queue("failures")
    mapping = h.replay(
        handler,
        str(EVENTS / "poison.json"),
        maximum_batching_window_in_seconds=60,
        maximum_retry_attempts=2,
        destination_config={"OnFailure": {"Destination": failures.arn}},
        **REPORTS,
    )
    assert h.drain() == "idle"

    [failure] = failures.messages
    assert failure["KinesisBatchInfo"]["batchSize"] == 6
    assert [record.ordinal for record in mapping.delivered] == list(range(1, 7))
    assert sorted(by_event_id(enriched)) == sorted(event_ids(mapping.delivered))
