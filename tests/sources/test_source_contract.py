"""What every source owes the loop, run over every implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from esm.core.messages import PollFailed, RecordsArrived
from esm.core.model import After, AtTimestamp, Position, TrimHorizon
from esm.ports import ShardReader, Source
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.memory import KinesisStream

START_MS = 1_767_225_600_000


@dataclass
class Case:
    """A source with one shard that holds five records, one a second from START_MS on.

    `delay_ms`: how long a record takes from its arrival to a reader.
    """

    source: Source
    shard_id: str
    end_ms: int
    delay_ms: int = 0


def memory_stream() -> Case:
    clock = [START_MS]
    stream = KinesisStream(now=lambda: clock[0])
    for number in range(5):
        stream.put({"n": number}, key=f"key-{number}")
        clock[0] += 1_000
    return Case(stream, stream.shards[0].shard_id, clock[0])


def consumer() -> Case:
    case = memory_stream()
    assert isinstance(case.source, KinesisStream)
    return Case(case.source.consumer("fast"), case.shard_id, case.end_ms, delay_ms=70)


def table() -> Case:
    clock = [START_MS]
    source = DynamoDbTable(now=lambda: clock[0])
    for number in range(5):
        source.put_item({"pk": number})
        clock[0] += 1_000
    return Case(source, source.shards[0].shard_id, clock[0])


# A new source adds a function that makes its case.
SOURCES: list[Callable[[], Case]] = [memory_stream, consumer, table]


@pytest.fixture(params=SOURCES, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param()


def opened(case: Case) -> ShardReader:
    return case.source.open(case.shard_id, lambda: None)


def read(reader: ShardReader, position: Position, now_ms: int, limit: int = 10) -> RecordsArrived:
    answer = reader.read(position, limit, now_ms)
    assert isinstance(answer, RecordsArrived), answer
    return answer


def offsets_ms(records: Sequence) -> list[int]:
    return [record.arrived_ms - START_MS for record in records]


def test_lists_its_shard_and_has_an_arn(case: Case):
    assert case.shard_id in [shard.shard_id for shard in case.source.list_shards(case.end_ms)]
    assert case.source.arn.startswith("arn:aws:")


def test_records_come_once_in_the_order_of_their_positions(case: Case):
    reader = opened(case)
    first = read(reader, TrimHorizon(), case.end_ms, limit=2)
    rest = read(reader, After(first.records[-1].position), case.end_ms)
    assert (len(first.records), len(rest.records)) == (2, 3)
    positions = [record.position for record in (*first.records, *rest.records)]
    assert positions == sorted(set(positions))


def test_a_record_is_not_seen_before_it_arrives(case: Case):
    reader = opened(case)
    assert offsets_ms(read(reader, TrimHorizon(), START_MS + 1_500).records) == [0, 1_000]
    # (ready_ms says when the third one comes)
    third_ms = START_MS + 2_000 + case.delay_ms
    assert reader.ready_ms(TrimHorizon(), START_MS + 1_500) == third_ms


def test_behind_is_the_age_of_the_next_unread_record_and_zero_without_one(case: Case):
    reader = opened(case)
    delay_ms = case.delay_ms
    now_ms = START_MS + 4_000 + delay_ms
    assert read(reader, TrimHorizon(), now_ms, limit=1).millis_behind == 3_000 + delay_ms
    # The last one has just arrived, which is not the same as that there is none.
    assert read(reader, TrimHorizon(), now_ms, limit=3).millis_behind == max(1, delay_ms)
    assert read(reader, TrimHorizon(), now_ms, limit=3).millis_behind == 0


@pytest.mark.parametrize(
    ("offset_ms", "first_ms"), [(-1, 0), (0, 0), (1, 1_000), (2_000, 2_000), (2_001, 3_000)]
)
def test_at_timestamp_starts_with_the_first_record_at_or_after_it(case, offset_ms, first_ms):
    answer = read(opened(case), AtTimestamp(START_MS + offset_ms), case.end_ms)
    assert offsets_ms(answer.records)[0] == first_ms


def test_latest_is_pinned_behind_what_has_arrived(case: Case):
    position = case.source.pin_latest(case.shard_id, START_MS + 2_000)
    assert offsets_ms(read(opened(case), position, case.end_ms).records) == [3_000, 4_000]


def test_ready_at_once_while_there_is_something_to_read(case: Case):
    reader = opened(case)
    ready_ms = reader.ready_ms(TrimHorizon(), case.end_ms)
    assert ready_ms is not None
    assert ready_ms <= case.end_ms


def test_ready_says_when_a_read_would_not_be_empty(case: Case):
    """Whatever it promises, a read just before is empty and a read then is not."""
    reader, position = opened(case), TrimHorizon()
    seen, now_ms = 0, START_MS
    while (ready_ms := reader.ready_ms(position, now_ms)) is not None and seen < 5:
        now_ms = max(now_ms, ready_ms)
        before = opened(case).read(AtTimestamp(now_ms - case.delay_ms), 10, now_ms - 1)
        assert isinstance(before, RecordsArrived)
        assert before.records == []
        seen += len(read(reader, position, now_ms).records)
    assert seen == 5


def test_two_readers_do_not_disturb_each_other(case: Case):
    first, second = opened(case), opened(case)
    assert len(read(first, TrimHorizon(), case.end_ms).records) == 5
    assert len(read(second, TrimHorizon(), case.end_ms).records) == 5


def test_a_new_reader_goes_on_after_a_checkpoint(case: Case):
    checkpoint = read(opened(case), TrimHorizon(), case.end_ms).records[2].position
    answer = read(opened(case), After(checkpoint), case.end_ms)
    assert offsets_ms(answer.records) == [3_000, 4_000]


def test_every_read_ends_where_a_checkpoint_may_stand(case: Case):
    records = read(opened(case), TrimHorizon(), case.end_ms).records
    last = records[-1].position
    assert case.source.whole_before(case.shard_id, last) == last


def test_skipped_polls_leave_the_reader_fresh(case: Case):
    reader = opened(case)
    read(reader, TrimHorizon(), case.end_ms, limit=4)
    hours_later_ms = case.end_ms + 3 * 3_600_000
    reader.idle_until(hours_later_ms)
    answer = reader.read(TrimHorizon(), 10, hours_later_ms + 1_000)
    assert not isinstance(answer, PollFailed)
    assert offsets_ms(answer.records) == [4_000]
