"""The trace: what is written of a run, and read again."""

from __future__ import annotations

import json
import stat
from typing import Any

import pytest

from esm import Harness
from esm.trace import error_text, read, scrub


def boom(event: dict[str, Any], context: Any) -> None:
    raise ValueError("boom")


@pytest.fixture
def run() -> Harness:
    """One record that fails, is retried, and is given up."""
    h = Harness()
    stream = h.kinesis("orders")
    m = h.map(stream, boom, maximum_retry_attempts=1, on_failure=h.queue("dlq"))
    stream.put({"id": 1})
    h.drain()
    assert len(m.invocations) == 2
    return h


def test_a_trace_that_was_written_is_read_as_it_was(run, tmp_path):
    path = tmp_path / "deep" / "run.jsonl"
    run.trace.write(path)
    assert read(path) == [json.loads(json.dumps(line)) for line in run.trace]
    assert len(read(path)) == len(run.trace) > 5


def test_its_first_line_says_what_it_is(run, tmp_path):
    run.trace.write(tmp_path / "run.jsonl")
    head = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[0])
    assert head == {"type": "trace", "version": 1, "start": "2026-01-01T00:00:00.000Z"}


def test_a_trace_is_private_also_where_a_public_file_lay(run, tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("old")
    path.chmod(0o644)
    run.trace.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "old" not in path.read_text()


def test_a_trace_is_not_written_through_a_link(run, tmp_path):
    (tmp_path / "target").write_text("precious")
    (tmp_path / "run.jsonl").symlink_to(tmp_path / "target")
    run.trace.write(tmp_path / "run.jsonl")
    assert (tmp_path / "target").read_text() == "precious"
    assert read(tmp_path / "run.jsonl")


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"type": "trace", "version": 2, "start": "2026-01-01T00:00:00.000Z"}\n')
    with pytest.raises(ValueError, match="trace version 2, expected 1"):
        read(path)


def test_an_invocation_and_its_outcome(run):
    stream = run.streams["orders"]
    number = stream.records[0].sequence_number
    invoke, failed = [
        line for line in run.trace if line["type"] in ("Invoke", "Failed") and line["t"] == 0.5
    ]
    request_id = run.mappings["boom"].invocations[1].request_id
    assert invoke == {
        "t": 0.5,
        "at": "2026-01-01T00:00:00.500Z",
        "type": "Invoke",
        "mapping": "boom",
        "shardId": "shardId-000000000000",
        "lane": 0,
        "batch": 1,
        "cause": "retry",
        "attempt": 2,
        "startSequenceNumber": number,
        "endSequenceNumber": number,
        "batchSize": 1,
        "requestId": request_id,
    }
    assert failed == {
        "t": 0.5,
        "at": "2026-01-01T00:00:00.500Z",
        "type": "Failed",
        "mapping": "boom",
        "shardId": "shardId-000000000000",
        "lane": 0,
        "batch": 1,
        "error": "ValueError: boom",
        "outcome": "failed",
    }


def test_a_discard_and_where_it_went(run):
    number = run.streams["orders"].records[0].sequence_number
    own = {"type", "destination", "fate", "condition", "approximateInvokeCount", "sequenceNumber"}
    lines = [{key: line[key] for key in own & line.keys()} for line in run.trace]
    assert lines[-4:] == [
        {
            "type": "SendToDestination",
            "destination": "arn:aws:sqs:us-east-1:123456789012:dlq",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        {"type": "DestinationDelivered"},
        {
            "type": "Resolved",
            "fate": "discarded",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        {"type": "SaveCheckpoint", "sequenceNumber": number},
    ]


def test_reads_and_where_they_begin(run):
    opened, poll, arrived = list(run.trace)[:3]
    assert (opened["type"], opened["shardId"], opened["from"]) == (
        "OpenShard",
        "shardId-000000000000",
        "TRIM_HORIZON",
    )
    start = run.streams["orders"].shards[0].starting_sequence_number
    assert (poll["type"], poll["from"]) == ("GetRecords", f"AFTER_SEQUENCE_NUMBER {start}")
    assert (arrived["type"], arrived["batchSize"], arrived["millisBehindLatest"]) == (
        "RecordsArrived",
        1,
        0,
    )


def test_a_shard_that_is_opened_again_says_from_which_checkpoint(run):
    run.restart()
    number = run.streams["orders"].records[0].sequence_number
    restarted, opened = list(run.trace)[-2:]
    assert (restarted["type"], restarted["mapping"]) == ("Restarted", "boom")
    assert opened["from"] == f"AFTER_SEQUENCE_NUMBER {number}"


def test_an_update_is_in_it(run):
    run.mappings["boom"].update(batch_size=7, maximum_retry_attempts=0)
    updated = next(line for line in run.trace if line["type"] == "Updated")
    assert updated["changes"] == ["batch_size=7", "maximum_retry_attempts=0"]


def test_empty_polls_are_one_line_with_their_count():
    h = Harness()
    h.map(h.kinesis(), boom)
    h.advance("10s")
    assert [(line["type"], line.get("polls")) for line in h.trace][1:] == [("idle", 11)]


def test_a_trace_may_keep_only_its_newest_entries():
    h = Harness(keep_invocations=1)
    stream = h.kinesis()
    h.map(stream, boom)
    stream.put("a")
    h.drain(limit="1h")
    assert len(h.trace) == len(list(h.trace)) == h.trace.entries.maxlen


def test_addresses_are_not_written():
    assert (
        scrub(f"no {object()} here, 0x1 is fine") == "no <object object at 0x…> here, 0x1 is fine"
    )


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyError("text")


def test_an_error_whose_text_cannot_be_made_is_told_all_the_same():
    assert error_text(ValueError("no")) == "ValueError: no"
    assert error_text(Mute()) == "Mute (its text raises KeyError)"


def test_such_an_error_is_a_function_error_like_any():
    h = Harness()
    stream = h.kinesis()
    m = h.map(stream, boom, maximum_retry_attempts=0)
    m.inject.error(Mute())
    stream.put("a")
    assert h.drain() == "idle"
    assert len(m.discarded) == 1
    assert "Mute (its text raises KeyError)" in m.timeline()
