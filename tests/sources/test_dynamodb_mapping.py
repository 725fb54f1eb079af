"""A mapping over a table's stream, in a Harness."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esm import Harness
from esm.errors import InputError, MappingError
from esm.instants import from_ms
from esm.sources.dynamodb_table import DynamoDbTable

EVENTS = Path(__file__).parents[2] / "events"
SHARD = "shardId-00000001767225600000-f4dbdf21"


@pytest.fixture
def h() -> Harness:
    return Harness(freeze=False)


def nothing(event: dict[str, Any], context: Any) -> None:
    """A handler that is content."""


def boom(event: dict[str, Any], context: Any) -> None:
    raise ValueError("boom")


def parts(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [record["dynamodb"] for record in event["Records"]]


def test_a_handler_gets_the_changes_of_a_table(h):
    seen: list[Any] = []
    table = h.dynamodb("orders", keys=("customer", "order"), view="NEW_IMAGE")
    mapping = h.map(table, lambda event, context: seen.extend(parts(event)), batch_size=10)

    table.put_item({"customer": "c", "order": 1, "total": 5})
    table.update_item({"customer": "c", "order": 1}, total=6)

    assert h.drain() == "idle"
    assert [part["NewImage"]["total"] for part in seen] == [{"N": "5"}, {"N": "6"}]
    assert mapping.delivered == table.records
    assert mapping.batches == [[1, 2]]
    assert mapping.checkpoint() == table.records[-1].sequence_number
    assert mapping.lag() == 0


def test_a_handler_may_change_its_event(h):
    def handler(event: dict[str, Any], context: Any) -> None:
        parts(event)[0]["Keys"].clear()
        raise ValueError("boom")

    table = h.dynamodb()
    mapping = h.map(table, handler, maximum_retry_attempts=1)
    table.put_item({"pk": "a"})
    h.drain()

    assert [parts(i.event)[0]["Keys"] for i in mapping.invocations] == [{"pk": {"S": "a"}}] * 2
    assert len(mapping.discarded) == 1


def test_two_tables_have_two_names(h):
    h.dynamodb("orders")

    with pytest.raises(InputError, match="this Harness has a table 'orders' already"):
        h.dynamodb("orders")


def test_a_stream_is_polled_four_times_a_second(h):
    table = h.dynamodb()
    mapping = h.map(table, nothing)
    for milliseconds in (100, 260, 900):
        h.advance(f"{milliseconds}ms")
        table.put_item({"pk": milliseconds})
    h.drain()

    started = [(i.started_at - h.mappings["nothing"].invocations[0].started_at) for i in
               mapping.invocations]  # fmt: skip
    assert [int(s.total_seconds() * 1000) for s in started] == [0, 250, 1250]
    assert mapping.invocations[0].started_at.microsecond == 250_000


def test_a_read_gives_at_most_1000_records_so_a_larger_batch_needs_a_window(h):
    table = h.dynamodb()
    mapping = h.map(
        table, nothing, batch_size=2_500, maximum_batching_window_in_seconds=1
    )  # fmt: skip
    for number in range(2_500):
        table.put_item({"pk": number})
    h.drain()

    assert [len(batch) for batch in mapping.batches] == [2_500]


def test_latest_sees_what_is_written_after_the_mapping_began(h):
    table = h.dynamodb()
    table.put_item({"pk": "before"})
    mapping = h.map(table, nothing, starting_position="LATEST")
    table.put_item({"pk": "after"})
    h.drain()

    assert [record.ordinal for record in mapping.delivered] == [2]


def test_there_is_no_start_at_a_timestamp(h):
    table = h.dynamodb()

    with pytest.raises(MappingError) as raised:
        h.map(table, nothing, starting_position="AT_TIMESTAMP", starting_position_timestamp=1.0)

    assert raised.value.code == "InvalidParameterValueException"
    assert raised.value.message == f"Unsupported starting position for arn type: {table.arn}"


def test_a_child_waits_until_its_parent_is_done(h):
    table = h.dynamodb()
    mapping = h.map(table, boom, maximum_retry_attempts=1, name="all")
    table.put_item({"pk": "a"})
    child = table.roll_shard()
    table.put_item({"pk": "b"})
    h.drain()

    assert mapping.batches == [[1], [1], [2], [2]]
    assert [i.shard_id for i in mapping.invocations] == [SHARD] * 2 + [child.shard_id] * 2
    assert len(mapping.discarded) == 2


def test_a_blocked_stream_loses_its_records_after_24_hours(h):
    table = h.dynamodb()
    mapping = h.map(table, boom)
    table.put_item({"pk": "a"})
    h.advance("23h59m")
    assert mapping.expired == []

    h.advance("5m")

    assert [record.ordinal for record in mapping.expired] == [1]


def test_a_crash_goes_on_from_the_checkpoint(h):
    table = h.dynamodb()
    mapping = h.map(table, nothing, batch_size=1)
    table.put_item({"pk": "a"})
    table.roll_shard()
    table.put_item({"pk": "b"})
    h.drain()
    h.restart()
    table.put_item({"pk": "c"})
    h.drain()

    assert mapping.batches == [[1], [2], [3]]


def test_a_destination_gets_ddb_stream_batch_info(h):
    table, queue = h.dynamodb(), h.queue("failures")
    h.map(table, boom, maximum_retry_attempts=0, on_failure=queue)
    h.advance("1700ms")
    record = table.put_item({"pk": "a"})
    h.drain()

    assert queue.messages[0]["DDBStreamBatchInfo"] == {
        "shardId": SHARD,
        "startSequenceNumber": record.sequence_number,
        "endSequenceNumber": record.sequence_number,
        "approximateArrivalOfFirstRecord": "2026-01-01T00:00:01Z",
        "approximateArrivalOfLastRecord": "2026-01-01T00:00:01Z",
        "batchSize": 1,
        "streamArn": table.arn,
    }


def test_a_partial_response_names_a_sequence_number(h):
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        bad = [p["SequenceNumber"] for p in parts(event) if p["Keys"]["pk"]["S"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in bad]}

    table = h.dynamodb()
    mapping = h.map(
        table, handler, function_response_types=["ReportBatchItemFailures"],
        maximum_retry_attempts=1,
    )  # fmt: skip
    for key in ("good", "bad", "late"):
        table.put_item({"pk": key})
    h.drain()

    assert mapping.batches == [[1, 2, 3], [2, 3], [2, 3]]
    assert [r.ordinal for d in mapping.discarded for r in d.records] == [2, 3]


def test_a_batch_stays_below_6_mb(h):
    table = h.dynamodb(view="NEW_IMAGE")
    mapping = h.map(table, nothing, maximum_batching_window_in_seconds=1)
    for number in range(20):
        table.put_item({"pk": number, "blob": "x" * 400_000})
    h.drain()

    assert [len(batch) for batch in mapping.batches] == [15, 5]


def test_a_handler_can_write_to_another_table(h):
    totals = h.dynamodb("totals")

    def copy(event: dict[str, Any], context: Any) -> None:
        for part in parts(event):
            totals.put_record("INSERT", part["Keys"], new_image=part["NewImage"])

    orders = h.dynamodb("orders")
    h.map(orders, copy)
    mapping = h.map(totals, nothing)
    orders.put_item({"pk": "a"})
    h.drain()

    assert [record.json["Keys"] for record in mapping.delivered] == [{"pk": {"S": "a"}}]


def test_a_table_begins_when_the_replay_begins(h):
    table = h.dynamodb()
    h.replay(nothing, EVENTS / "bandwidth_enrichment" / "batch.json")

    assert from_ms(table.shards[0].created_ms) == h.now


def written(table: DynamoDbTable, writes: list[tuple[int, bool]]) -> None:
    for number, (key, roll) in enumerate(writes):
        table.put_item({"pk": key, "n": number})
        if roll:
            table.roll_shard()


@settings(max_examples=30)
@given(
    writes=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=30),
    factor=st.integers(1, 10),
    seed=st.integers(0, 100),
)
def test_an_items_changes_are_handled_in_their_order(writes, factor, seed):
    """With several lanes of different speed, failures, and shards that roll over."""
    harness = Harness(seed, freeze=False, latency=("1ms", "3s"))
    seen: dict[str, list[int]] = defaultdict(list)

    def handler(event: dict[str, Any], context: Any) -> None:
        if harness.rng.random() < 0.2:
            raise ValueError("now and then")
        for part in parts(event):
            seen[part["Keys"]["pk"]["N"]].append(int(part["NewImage"]["n"]["N"]))

    table = harness.dynamodb()
    mapping = harness.map(table, handler, batch_size=3, parallelization_factor=factor)
    written(table, writes)
    harness.drain()

    assert mapping.lag() == 0
    assert sum(map(len, seen.values())) == len(writes)
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def run_of(seed: int, work: Callable[[Harness], Any]) -> str:
    harness = Harness(seed, freeze=False)
    return work(harness).timeline()


def test_the_same_seed_gives_the_same_run():
    def work(harness: Harness) -> Any:
        table = harness.dynamodb()
        mapping = harness.map(table, boom, maximum_retry_attempts=2)
        written(table, [(1, False), (2, True), (1, False)])
        harness.drain()
        return mapping

    assert run_of(7, work) == run_of(7, work)
    assert SHARD.rpartition("-")[2] in run_of(7, work)
