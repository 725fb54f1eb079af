"""Half an evening hour of sign-ups: what is readable goes out, the rest is put aside."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from esm import Harness
from esm.instants import parse_instant
from esm.scenarios import internet_provider

START = "2026-03-02T19:00:00Z"


def is_spoilt(data: Any) -> bool:
    return isinstance(data, bytes) or "location" not in data


def test_every_sign_up_that_can_be_read_goes_out(
    load: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ENRICHED_STREAM_NAME", "enriched")
    records = internet_provider.records(random.Random(8), parse_instant(START), 1_800_000, 0.5)
    sent = list(records)
    spoilt = [record for record in sent if is_spoilt(record.data)]
    with Harness(start=START) as harness:
        sign_ups, enriched = harness.kinesis("sign-ups", shards=3), harness.kinesis("enriched")
        failed = harness.queue("failed")
        mapping = harness.map(
            sign_ups,
            load("bandwidth_enrichment", "app").handler,
            batch_size=100,
            maximum_batching_window_in_seconds=30,
            bisect_batch_on_function_error=True,
            maximum_retry_attempts=1,
            function_response_types=["ReportBatchItemFailures"],
            on_failure=failed,
        )
        for record in sent:
            harness.advance(record.at_ms / 1_000 - harness.now.timestamp())
            sign_ups.put(record.data, key=record.key)
        assert harness.drain() == "idle"
        discarded = [record for discard in mapping.discarded for record in discard.records]
    assert len(spoilt) >= 5
    assert len(discarded) == len(spoilt)
    assert sum(m["KinesisBatchInfo"]["batchSize"] for m in failed.messages) == len(spoilt)
    published = {record.json["event_id"] for record in enriched.records}
    assert len(published) == len(sent) - len(spoilt)
