"""The in-memory Kinesis stream, as its users and its mappings see it."""

from __future__ import annotations

import gc
import json
import sys
from collections import Counter, defaultdict
from hashlib import md5
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, TrimHorizon
from esm.core.retention import is_trimmed
from esm.errors import InputError
from esm.instants import from_ms
from esm.sources import memory_shard
from esm.sources.hash_keys import MAX_HASH_KEY
from esm.sources.memory import KinesisStream
from esm.sources.memory_limits import ThroughputExceeded

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000
FIRST = "shardId-000000000000"


class Clock:
    """Virtual time, in ms since START_MS."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return START_MS + self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream(clock) -> KinesisStream:
    return KinesisStream("orders", now=clock)


def opened(stream, shard_id=FIRST):
    return stream.open(shard_id, lambda: None)


HORIZON = TrimHorizon()


def read(reader, clock, position: Position = HORIZON, limit=10_000) -> RecordsArrived:
    answer = reader.read(position, limit, clock())
    assert isinstance(answer, RecordsArrived), answer
    return answer


def ordinals(records) -> list[int]:
    return [record.ordinal for record in records]


# --- putting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        ({"id": 1, "city": "Zürich"}, '{"id":1,"city":"Zürich"}'.encode()),
        ([1, "a", None], b'[1,"a",null]'),
        ("Zürich", "Zürich".encode()),
        (b"\x00\xff", b"\x00\xff"),
        (b"", b""),
    ],
    ids=["dict", "list", "text", "bytes", "empty"],
)
def test_data_becomes_bytes(stream, data, payload):
    assert stream.put(data).data == payload


@pytest.mark.parametrize("data", [1, None, (1, 2), {1}, bytearray(b"x")])
def test_other_data_is_refused_with_the_way_out(stream, data):
    with pytest.raises(TypeError, match="give a dict or list"):
        stream.put(data)
    assert stream.records == []


@pytest.mark.parametrize(
    ("put", "text"),
    [
        (lambda s: s.put({"price": float("nan")}), "E442  this data cannot be put: Out of range"),
        (lambda s: s.put([float("inf")]), "E442  this data cannot be put: Out of range"),
        (lambda s: s.put("half \ud800"), "E442  this data cannot be put: 'utf-8' codec"),
        (lambda s: s.put({"name": "half \ud800"}), "E442  this data cannot be put: 'utf-8' codec"),
        (lambda s: s.put("x", key="\ud800"), r"E441  the partition key '\ud800' has half a "),
    ],
    ids=["NaN", "Infinity", "half a character", "half a character in JSON", "such a key"],
)
def test_what_has_no_bytes_is_refused_with_a_code_as_a_value_error(stream, put, text):
    with pytest.raises(ValueError) as refusal:
        put(stream)
    assert isinstance(refusal.value, InputError)
    assert str(refusal.value).startswith(text)
    assert "\nfix    " in str(refusal.value)
    assert stream.records == []


def test_a_record_tells_all_of_itself(stream, clock):
    clock.ms = 1_234
    record = stream.put({"id": 7}, key="alice")
    assert (record.ordinal, record.shard_id, record.partition_key) == (1, FIRST, "alice")
    assert record.json == {"id": 7}
    assert record.arrived_at == from_ms(START_MS + 1_234)
    assert len(record.sequence_number) == 56
    assert record.sequence_number.startswith("49")
    assert stream.records == [record]
    assert stream.fed_at_ms == START_MS + 1_234


def test_without_a_key_the_ordinal_is_the_key(stream):
    stream.put("a", key="mine")
    assert [r.partition_key for r in stream.put_many(["b", "c"])] == ["2", "3"]


def test_put_many_takes_one_key_or_a_function_of_the_item(stream):
    assert {r.partition_key for r in stream.put_many(["a", "b"], key="k")} == {"k"}
    items = [{"user": "ann"}, {"user": "bob"}]
    records = stream.put_many(items, key=lambda item: item["user"])
    assert [r.partition_key for r in records] == ["ann", "bob"]


def test_what_an_iterable_gave_before_it_failed_is_put_and_told(stream, clock):
    def items():
        yield "a"
        raise RuntimeError("no more")

    told = []
    reader = stream.open(FIRST, lambda: told.append("put"))
    with pytest.raises(RuntimeError, match="no more"):
        stream.put_many(items())
    assert told == ["put"]
    assert len(read(reader, clock).records) == 1


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda s: s.put("x", key=""), "E410"),
        (lambda s: s.put("x", key="k" * 257), "E410"),
        (lambda s: s.put(b"x" * (1024 * 1024 + 1)), "E411"),
        (lambda s: s.put("x", explicit_hash_key="01"), "E412"),
        (lambda s: s.put("x", explicit_hash_key=-1), "E412"),
        (lambda s: s.put("x", explicit_hash_key=str(2**128)), "E412"),
        (lambda s: s.split("shardId-000000000009"), "E413"),
        (lambda s: (s.split(), s.split()), "E414"),
        (lambda s: (s.split(), s.split(FIRST)), "E440"),
        (lambda s: s.split(new_starting_hash_key="0"), "E415"),
        (lambda s: s.merge(FIRST, FIRST), "E416"),
        (lambda s: s.update_shard_count(0), "E417"),
        (lambda s: s.update_shard_count(10_001), "E417"),
        (lambda s: KinesisStream("a b", now=lambda: 0), "E418"),
        (lambda s: KinesisStream(max_record_size_kib=1023, now=lambda: 0), "E419"),
    ],
)
def test_what_kinesis_would_not_take_is_refused_with_a_code(stream, call, code):
    with pytest.raises(InputError) as refusal:
        call(stream)
    assert refusal.value.esm_code == code
    assert stream.records == []


def test_a_key_that_is_no_text_is_refused_with_the_way_out(stream):
    with pytest.raises(TypeError, match=r"give str\(key\)"):
        stream.put("x", key=7)


def test_the_largest_key_and_record_pass(stream):
    assert stream.put(b"x" * 1024 * 1024, key="é" * 256).ordinal == 1


def test_a_stream_may_take_records_of_10_mib(clock):
    big = KinesisStream(max_record_size_kib=10_240, now=clock)
    assert len(big.put(b"x" * 10 * 1024 * 1024).data) == 10 * 1024 * 1024


# --- hash keys and shards ------------------------------------------------------------------------


def test_three_shards_have_the_ranges_that_aws_documents(clock):
    ranges = [s.hash_key_range for s in KinesisStream(shards=3, now=clock).shards]
    assert ranges == [
        (0, 113427455640312821154458202477256070484),
        (113427455640312821154458202477256070485, 226854911280625642308916404954512140969),
        (226854911280625642308916404954512140970, 340282366920938463463374607431768211455),
    ]


def test_a_key_goes_where_its_md5_falls(clock):
    stream = KinesisStream(shards=7, now=clock)
    ranges = {s.shard_id: s.hash_key_range for s in stream.shards}
    for number in range(50):
        record = stream.put("x", key=f"user-{number}")
        first, last = ranges[record.shard_id]
        assert first <= int(md5(f"user-{number}".encode()).hexdigest(), 16) <= last


@pytest.mark.parametrize("edge", [0, 1], ids=["first", "last"])
def test_an_explicit_hash_key_rules_and_ranges_are_inclusive(clock, edge):
    stream = KinesisStream(shards=4, now=clock)
    for shard in stream.shards:
        key = str(shard.hash_key_range[edge])
        assert stream.put("x", key="same", explicit_hash_key=key).shard_id == shard.shard_id


def test_a_split_closes_the_parent_and_shares_its_range(stream, clock):
    before = stream.put("a")
    clock.ms = 5_000
    lower, upper = stream.split()
    parent = stream.shards[0]
    assert not parent.is_open
    assert lower.hash_key_range == (0, 2**127 - 2)
    assert upper.hash_key_range == (2**127 - 1, MAX_HASH_KEY)
    assert lower.parent_ids == upper.parent_ids == (FIRST,)
    assert [lower.shard_id[-1], upper.shard_id[-1]] == ["1", "2"]
    after = stream.put("b", explicit_hash_key="0")
    assert after.shard_id == lower.shard_id
    end = int(parent.ending_sequence_number)
    assert before.position <= end < int(lower.starting_sequence_number) < after.position


def test_a_split_goes_where_it_is_told(stream):
    lower, upper = stream.split(FIRST, new_starting_hash_key="1")
    assert (lower.hash_key_range, upper.hash_key_range) == ((0, 0), (1, MAX_HASH_KEY))
    with pytest.raises(InputError, match="cannot be split"):
        stream.split(lower.shard_id)


def test_a_merge_joins_neighbours_in_either_order(clock):
    stream = KinesisStream(shards=2, now=clock)
    low, high = stream.shards
    [child] = stream.merge(high.shard_id, low.shard_id)
    assert child.parent_ids == (high.shard_id, low.shard_id)
    assert child.hash_key_range == (0, MAX_HASH_KEY)
    assert stream.put("x").shard_id == child.shard_id


def test_shards_that_do_not_touch_cannot_be_merged(clock):
    stream = KinesisStream(shards=3, now=clock)
    with pytest.raises(InputError, match="cannot be merged"):
        stream.merge(stream.shards[0].shard_id, stream.shards[2].shard_id)
    assert all(shard.is_open for shard in stream.shards)


@pytest.mark.parametrize(
    ("start", "count", "made"),
    [(1, 2, 2), (2, 4, 4), (3, 6, 6), (4, 2, 2), (6, 3, 3), (2, 3, 5), (3, 1, 2), (2, 2, 0)],
)
def test_update_shard_count_splits_and_merges(clock, start, count, made):
    """`made`: new shards, those in between included."""
    stream = KinesisStream(shards=start, now=clock)
    after = stream.update_shard_count(count)
    assert len(after) == count
    assert all(shard.is_open for shard in after)
    assert len(stream.shards) == start + made
    widths = [last - first for first, last in (s.hash_key_range for s in after)]
    assert max(widths) - min(widths) <= 2 * start * count
    assert all(s.parent_ids for s in stream.shards[start:])


def test_update_shard_count_evens_out_what_was_split_at_the_edge(stream):
    """A shard of a single hash key next to the start of another is merged away."""
    stream.split(new_starting_hash_key=1)
    assert [s.hash_key_range for s in stream.update_shard_count(1)] == [(0, MAX_HASH_KEY)]


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "retention_ms", "gone"),
    [(1_000, 1_000, False), (1_001, 1_000, True), (10**12, None, False), (-5, 0, False)],
)
def test_a_record_is_gone_after_its_retention_not_at_it(age_ms, retention_ms, gone):
    assert is_trimmed(START_MS, retention_ms, START_MS + age_ms) is gone


def test_records_keeps_what_retention_has_taken(stream, clock):
    stream.put("old")
    clock.ms = DAY_MS + 1
    stream.put("new")
    assert [r.data for r in read(opened(stream), clock).records] == [b"new"]
    assert [r.data for r in stream.records] == [b"old", b"new"]


def test_a_closed_shard_is_listed_until_its_retention_is_over(stream, clock):
    stream.put("x")
    clock.ms = 1_000
    stream.split()
    listed = [[s.shard_id[-1] for s in stream.list_shards(START_MS + 1_000 + ms)]
              for ms in (0, DAY_MS, DAY_MS + 1)]  # fmt: skip
    assert listed == [["0", "1", "2"], ["0", "1", "2"], ["1", "2"]]
    assert len(stream.shards) == 3


def test_what_a_sleeping_handler_puts_is_not_seen_before_it_arrives(stream, clock):
    """A handler that starts at 0 and sleeps 5 s puts first; its record is the last in order."""
    clock.ms = 5_000
    late = stream.put("late")
    clock.ms = 1_000
    early = stream.put("early")
    reader = opened(stream)
    assert read(reader, clock).records == [early]
    assert reader.ready_ms(TrimHorizon(), clock()) == START_MS + 5_000
    clock.ms = 5_000
    assert read(reader, clock).records == [late]
    assert early.position < late.position
    assert stream.records == [late, early]


def test_nothing_is_put_in_front_of_what_was_read(stream, clock):
    """A clock that goes back costs no record."""
    clock.ms = 2_000
    stream.put("a")
    reader = opened(stream)
    read(reader, clock)
    clock.ms = 500
    record = stream.put("b")
    assert record.arrived_ms == START_MS + 2_000
    clock.ms = 2_000
    assert read(reader, clock).records == [record]


def test_a_shard_with_a_record_to_come_does_not_end_before_it(stream, clock):
    clock.ms = 5_000
    stream.put("late")
    clock.ms = 1_000
    stream.split()
    reader = opened(stream)
    assert not read(reader, clock).end_of_shard
    clock.ms = 5_000
    answer = read(reader, clock)
    assert (len(answer.records), answer.end_of_shard) == (1, True)


# --- reading -------------------------------------------------------------------------------------


def test_a_closed_shard_ends_with_its_last_records(stream, clock):
    stream.put_many("abc")
    stream.split()
    reader = opened(stream)
    assert not read(reader, clock, limit=2).end_of_shard
    answer = read(reader, clock, limit=2)
    assert (ordinals(answer.records), answer.end_of_shard) == ([3], True)


def test_an_empty_closed_shard_is_ready_to_say_that_it_ends(stream, clock):
    reader = opened(stream)
    assert reader.ready_ms(TrimHorizon(), clock()) is None
    stream.split()
    assert reader.ready_ms(TrimHorizon(), clock()) == clock()
    assert read(reader, clock).end_of_shard


def test_readers_are_told_of_puts_and_closing_while_they_are_held(stream):
    told = []
    first = stream.open(FIRST, lambda: told.append("first"))
    second = stream.open(FIRST, lambda: told.append("second"))
    stream.put("a")
    stream.put_many("bc")
    assert told == ["first", "second"] * 2
    del first
    gc.collect()
    stream.split()
    assert told[4:] == ["second"]
    assert second is not None


def test_an_iterator_lives_five_minutes_from_its_last_read(stream, clock):
    stream.put_many("ab")
    reader = opened(stream)
    first = read(reader, clock, limit=1)
    clock.ms = 300_000
    assert ordinals(read(reader, clock, limit=1).records) == [2]
    clock.ms = 600_000
    assert read(reader, clock).records == []
    clock.ms = 900_001
    assert reader.ready_ms(TrimHorizon(), clock()) == clock()
    answer = reader.read(TrimHorizon(), 10, clock())
    assert isinstance(answer, PollFailed)
    assert answer.reason is PollFailure.EXPIRED_ITERATOR
    # The next read takes a new one where it is told.
    position = After(first.records[0].position)
    assert ordinals(read(reader, clock, position).records) == [2]


def test_iterators_can_be_expired_by_hand_and_readers_hear_of_it(stream, clock):
    stream.put("a")
    told = []
    reader = stream.open(FIRST, lambda: told.append("changed"))
    read(reader, clock)
    assert reader.ready_ms(TrimHorizon(), clock()) is None
    stream.expire_iterators()
    reader.idle_until(clock() + 60_000)
    assert told == ["changed", "changed"]  # before, for reads that were skipped, and after
    assert reader.ready_ms(TrimHorizon(), clock()) == clock()
    assert isinstance(reader.read(TrimHorizon(), 10, clock()), PollFailed)
    assert len(read(reader, clock).records) == 1


def test_a_reader_without_an_iterator_has_none_to_expire(stream, clock):
    reader = opened(stream)
    stream.expire_iterators()
    assert read(reader, clock).records == []


def test_latest_starts_behind_what_is_there(stream, clock):
    stream.put("old")
    reader = opened(stream)
    assert read(reader, clock, Latest()).records == []
    stream.put("new")
    assert ordinals(read(reader, clock, Latest()).records) == [2]


def test_latest_of_an_empty_shard_misses_nothing(stream, clock):
    position = stream.pin_latest(FIRST, clock())
    stream.put("a")
    assert ordinals(read(opened(stream), clock, position).records) == [1]


# --- loss to retention ---------------------------------------------------------------------------


def test_what_was_gone_before_the_start_was_not_lost(stream, clock):
    stream.put("old")
    clock.ms = DAY_MS + 1
    for position in (TrimHorizon(), AtTimestamp(START_MS)):
        assert read(opened(stream), clock, position).lost == ()


def test_a_checkpoint_that_retention_has_passed_goes_on_at_the_horizon(stream, clock):
    records = stream.put_many("abcd")
    clock.ms = DAY_MS
    stream.put("e")
    clock.ms = DAY_MS + 1
    reader = opened(stream)
    position = After(records[1].position)
    assert reader.ready_ms(position, clock()) == clock()
    answer = read(reader, clock, position)
    assert (ordinals(answer.lost), ordinals(answer.records)) == ([3, 4], [5])


def test_a_reader_that_lags_is_told_once_what_it_lost(stream, clock):
    records = stream.put_many("abc")
    reader = opened(stream)
    assert ordinals(read(reader, clock, limit=1).records) == [1]
    clock.ms = DAY_MS + 1
    reader.idle_until(clock())
    assert ordinals(read(reader, clock).lost) == [2, 3]
    assert read(reader, clock).lost == ()
    stream.expire_iterators()
    reader.read(TrimHorizon(), 1, clock())
    assert ordinals(read(reader, clock, After(records[0].position)).lost) == []
    assert reader.ready_ms(After(records[0].position), clock()) is None


def test_a_reader_that_stood_at_the_horizon_is_told_what_passed_it_by(stream, clock):
    reader = opened(stream)
    assert read(reader, clock).records == []
    stream.put("a")
    clock.ms = DAY_MS + 1
    assert isinstance(reader.read(TrimHorizon(), 10, clock()), PollFailed)
    assert ordinals(read(reader, clock).lost) == [1]


def test_a_new_iterator_at_the_horizon_reads_again_what_is_still_there(stream, clock):
    stream.put_many("ab")
    reader = opened(stream)
    read(reader, clock)
    stream.expire_iterators()
    reader.read(TrimHorizon(), 10, clock())
    assert ordinals(read(reader, clock).records) == [1, 2]


# --- how much one read gives ---------------------------------------------------------------------


def test_one_read_gives_at_most_10_000_records(stream, clock):
    stream.put_many("x" for _ in range(10_001))
    reader = opened(stream)
    assert len(read(reader, clock, limit=50_000).records) == 10_000
    assert len(read(reader, clock, limit=50_000).records) == 1


def test_one_read_gives_at_most_10_mib_of_data_and_keys(stream, clock):
    mib = 1024 * 1024
    stream.put_many([b"x" * (mib - 1)] * 11, key="k")
    reader = opened(stream)
    answer = read(reader, clock)
    assert len(answer.records) == 10
    assert answer.millis_behind == 1
    stream.put(b"x" * mib, key="one byte more")
    assert len(read(reader, clock).records) == 2


def test_a_record_over_the_limit_of_a_read_comes_alone(clock):
    stream = KinesisStream(max_record_size_kib=10_240, now=clock)
    stream.put_many([b"x" * 10 * 1024 * 1024] * 2)
    reader = opened(stream)
    assert [len(read(reader, clock).records) for _ in range(3)] == [1, 1, 0]


def test_sizes_stay_right_when_a_record_takes_its_place_in_front(stream, clock):
    mib = 1024 * 1024
    clock.ms = 9_000
    stream.put_many([b"x" * (mib - 1)] * 10, key="k")
    clock.ms = 1_000
    stream.put(b"early", key="k")
    clock.ms = 9_000
    assert ordinals(read(opened(stream), clock).records) == [11, *range(1, 10)]


def test_puts_in_front_of_what_is_to_come_cost_no_sums(stream, clock, monkeypatch):
    """A handler that sleeps has put into the future; each record is summed up once, when read."""
    summed: list[int] = []

    def counted(weights):
        summed.append(len(weights))
        return accumulate(weights)

    monkeypatch.setattr(memory_shard, "accumulate", counted)
    reader = opened(stream)
    clock.ms = 60_000
    stream.put_many(["to come"] * 1_000)
    clock.ms = 0
    stream.put_many(["now"] * 1_000)
    assert summed == []

    assert len(read(reader, clock).records) == 1_000
    assert sum(summed) == 1_000
    for clock.ms in range(1, 201):
        stream.put("now and then")
        assert len(read(reader, clock).records) == 1
    assert sum(summed) == 1_000 + 2 * 200  # from the last sum on
    clock.ms = 60_000
    assert len(read(reader, clock).records) == 1_000
    assert sum(summed) == 1_000 + 2 * 200 + 1_001


def test_the_work_of_a_read_does_not_grow_with_its_records(stream, clock):
    """No call per record: a thousand times the records cost no further function call."""
    stream.put_many("x" for _ in range(10_000))

    def calls(limit: int) -> int:
        reader, count = opened(stream), Counter()
        sys.setprofile(lambda frame, event, arg: count.update([event]))
        try:
            read(reader, clock, limit=limit)
        finally:
            sys.setprofile(None)
        return count["call"] + count["c_call"]

    assert calls(10_000) <= calls(10) + 3


# --- limits --------------------------------------------------------------------------------------


@pytest.fixture
def limited(clock) -> KinesisStream:
    return KinesisStream("orders", limits=True, now=clock)


def test_a_shard_takes_a_thousand_records_a_second(limited, clock):
    limited.put_many("x" for _ in range(1_000))
    with pytest.raises(ThroughputExceeded, match="Rate exceeded for shard shardId-000000000000"):
        limited.put("x")
    clock.ms = 999
    with pytest.raises(ThroughputExceeded):
        limited.put("x")
    clock.ms = 1_000
    assert limited.put("x").ordinal == 1_001


def test_a_shard_takes_a_megabyte_a_second(limited, clock):
    limited.put(b"x" * 600_000)
    with pytest.raises(ThroughputExceeded):
        limited.put(b"x" * 600_000)
    clock.ms = 1_000
    assert limited.put(b"x" * 600_000).ordinal == 2


def test_another_shard_has_its_own_limit(clock):
    stream = KinesisStream(shards=2, limits=True, now=clock)
    for shard in stream.shards:
        key = shard.hash_key_range[0]
        assert stream.put(b"x" * 600_000, explicit_hash_key=key).shard_id == shard.shard_id


def test_a_shard_gives_five_reads_a_second_to_all_readers(limited, clock):
    first, second = opened(limited), opened(limited)
    for reader in (first, first, first, second, second):
        read(reader, clock)
    answer = first.read(TrimHorizon(), 10, clock())
    assert isinstance(answer, PollFailed)
    assert answer.reason is PollFailure.THROTTLED
    clock.ms = 1_000
    assert read(first, clock).records == []


def test_after_a_read_of_10_mib_five_seconds_are_throttled(limited, clock):
    for _ in range(10):
        limited.put(b"x" * (1024 * 1024 - 2))
        clock.ms += 1_000
    reader = opened(limited)
    start = clock.ms
    assert len(read(reader, clock).records) == 10
    outcomes = []
    for wait in (1, 1_000, 4_900, 5_000):
        clock.ms = start + wait
        outcomes.append(isinstance(reader.read(TrimHorizon(), 10, clock()), PollFailed))
    assert outcomes == [True, True, True, False]


def test_with_limits_every_poll_counts_so_none_is_skipped(limited, clock):
    assert opened(limited).must_poll


# --- whatever happens to the shards --------------------------------------------------------------

resharding = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 5)),
        st.tuples(st.just("split"), st.integers(0, 99)),
        st.tuples(st.just("merge"), st.integers(0, 99)),
        st.tuples(st.just("count"), st.integers(1, 6)),
        st.tuples(st.just("sleeping put"), st.integers(1, 9_000)),
        st.tuples(st.just("wait"), st.integers(0, 3_000)),
    ),
    max_size=30,
)


def act(stream: KinesisStream, clock: Clock, steps) -> None:
    for what, number in steps:
        ordered = sorted((s for s in stream.shards if s.is_open), key=lambda s: s.hash_key_range)
        if what == "put":
            stream.put_many(range_of(number), key=lambda item: f"key-{item['k']}")
        elif what == "split":
            stream.split(ordered[number % len(ordered)].shard_id)
        elif what == "merge" and len(ordered) > 1:
            at = number % (len(ordered) - 1)
            stream.merge(ordered[at].shard_id, ordered[at + 1].shard_id)
        elif what == "count":
            stream.update_shard_count(number)
        elif what == "sleeping put":
            clock.ms += number
            stream.put({"k": "slept"}, key="slept")
            clock.ms -= number
        elif what == "wait":
            clock.ms += number


def range_of(number: int) -> list[dict]:
    return [{"k": k} for k in range(number)]


@given(shards=st.integers(1, 8), steps=resharding)
@settings(max_examples=60, deadline=None)
def test_open_shards_always_partition_the_hash_keys(shards, steps):
    clock = Clock()
    stream = KinesisStream(shards=shards, now=clock)
    act(stream, clock, steps)
    ranges = sorted(s.hash_key_range for s in stream.shards if s.is_open)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == MAX_HASH_KEY
    assert all(low[1] + 1 == high[0] for low, high in pairwise(ranges))


@given(shards=st.integers(1, 4), steps=resharding, limit=st.integers(1, 7))
@settings(max_examples=80, deadline=None)
def test_parents_then_children_give_every_record_once_and_each_key_in_order(shards, steps, limit):
    clock = Clock()
    stream = KinesisStream(shards=shards, now=clock)
    act(stream, clock, steps)
    clock.ms += 10_000
    listed, seen, by_key = stream.list_shards(clock()), [], defaultdict(list)
    for shard in listed:
        reader = opened(stream, shard.shard_id)
        while True:
            answer = read(reader, clock, limit=limit)
            seen += answer.records
            if answer.end_of_shard or not answer.millis_behind:
                break
    done = [shard.shard_id for shard in listed]
    assert all(done.index(p) < done.index(s.shard_id) for s in listed for p in s.parent_ids)
    assert sorted(ordinals(seen)) == list(range(1, len(stream.records) + 1))
    assert len({record.position for record in seen}) == len(seen)
    for record in seen:
        by_key[record.key].append(record)
    for key, records in by_key.items():
        positions = [record.position for record in records]
        assert positions == sorted(positions)
        if key != "slept":
            assert ordinals(records) == sorted(ordinals(records))


@given(shards=st.integers(1, 4), steps=resharding)
@settings(max_examples=60, deadline=None)
def test_sequence_numbers_grow_from_parents_to_children(shards, steps):
    clock = Clock()
    stream = KinesisStream(shards=shards, now=clock)
    act(stream, clock, steps)
    by_id = {shard.shard_id: shard for shard in stream.shards}
    for shard in by_id.values():
        first = int(shard.starting_sequence_number)
        for parent_id in shard.parent_ids:
            assert int(by_id[parent_id].ending_sequence_number) < first
        last = shard.ending_sequence_number
        inside = [r.position for r in stream.records if r.shard_id == shard.shard_id]
        assert all(first < position for position in inside)
        assert last is None or all(position < int(last) for position in inside)


def test_repr_says_what_is_there(stream):
    stream.put(json.dumps({}))
    assert repr(stream) == "<KinesisStream orders: 1 open shards, 1 records>"


def test_a_stream_counts_what_a_start_passes_over() -> None:
    clock = [START_MS]
    stream = KinesisStream(now=lambda: clock[0], retention="1h")
    stream.put("a")
    clock[0] += 2 * 3_600_000
    second = stream.put("b")
    shard_id = second.shard_id

    assert stream.record_count == 2
    assert stream.count_after(shard_id, stream.beginning(shard_id)) == 2
    assert stream.count_after(shard_id, stream.pin(shard_id, TrimHorizon(), clock[0])) == 1
    assert stream.count_after(shard_id, stream.pin(shard_id, AtTimestamp(clock[0]), clock[0])) == 1
    assert stream.count_after(shard_id, After(second.position)) == 0


def test_an_expired_shard_is_listed_for_who_began_before_it_expired() -> None:
    clock = [START_MS]
    stream = KinesisStream(now=lambda: clock[0], retention="1h")
    stream.split()
    clock[0] += 3_600_001

    assert len(stream.list_shards(clock[0])) == 2
    assert len(stream.list_shards(clock[0], START_MS)) == 3


def test_an_empty_stream_can_begin_at_another_instant() -> None:
    clock = [START_MS]
    stream = KinesisStream(now=lambda: clock[0])
    clock[0] -= 86_400_000
    stream.restart(clock[0])

    assert stream.put("a").arrived_ms == clock[0]
    with pytest.raises(AssertionError, match="cannot begin again"):
        stream.restart(START_MS)
