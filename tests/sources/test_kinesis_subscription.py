"""An enhanced fan-out consumer behind an endpoint: what is pushed, and what may come in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Thread
from typing import Any

import pytest
from kpl_oracle import aggregate_of
from scripted_kinesis import START_MS, Respond, ScriptedKinesis, answer, error, reset, status
from scripted_pushes import breaks, ends, failing, pushed, pushes, record, stays_open

from esm.clock import SystemClock
from esm.core.messages import PollFailed, PollFailure, RecordsArrived, ShardDone, ShardsListed
from esm.core.model import After, AtTimestamp, Latest, Position, TrimHorizon
from esm.core.stream import StreamMachine
from esm.embedded.aws import EmbeddedAws
from esm.embedded.http.event_stream import event
from esm.ports import SourceUnavailable
from esm.sources.hash_keys import hash_key_of
from esm.sources.kinesis_subscription import KinesisConsumerSource
from esm.sources.kinesis_subscription_inbox import WAITING_RECORDS, Inbox, Pushed
from esm.sources.kinesis_subscription_pace import Pace
from esm.sources.kinesis_subscription_place import Progress
from esm.sources.kinesis_subscription_reader import SubscriptionReader
from esm.sources.kinesis_subscription_wire import PushedEvent, records_in
from esm.sources.kinesis_wire import WireRecord
from esm.sources.live_clients import live_client

HOUR_MS = 3_600_000
PATIENCE_S = 5
HORIZON = TrimHorizon()
UNAVAILABLE, THROTTLED = PollFailure.UNAVAILABLE, PollFailure.THROTTLED
clock = SystemClock()


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedKinesis]:
    it = ScriptedKinesis()
    yield it
    it.over.set()
    it.stop()


@pytest.fixture(scope="module")
def client(server: ScriptedKinesis) -> Iterator[Any]:
    it = live_client("kinesis", server.url, "us-east-1")
    yield it
    it.close()


@pytest.fixture
def kinesis(server: ScriptedKinesis) -> Iterator[ScriptedKinesis]:
    server.begin()
    yield server
    server.over.set()


@pytest.fixture
def source(kinesis: ScriptedKinesis, client: Any) -> KinesisConsumerSource:
    consumer = kinesis.stream.consumer("fast")
    pace = Pace(between_ms=0, first_ms=1, cap_ms=1)
    it = KinesisConsumerSource(consumer.arn, client, pace=pace)
    it.describe()
    return it


@pytest.fixture
def shard_id(kinesis: ScriptedKinesis) -> str:
    return kinesis.stream.shards[0].shard_id


class Reading:
    """What a mapping does with a reader: it reads when it is told to, and never for nothing."""

    def __init__(self, source: KinesisConsumerSource, shard_id: str, position: Position) -> None:
        self._told = Event()
        self.times_told = 0
        self._position = position
        self.reader: SubscriptionReader = source.open(shard_id, self._tell)
        self.numbers: list[int] = []

    def _tell(self) -> None:
        self.times_told += 1
        self._told.set()

    def next(self, limit: int = 10_000) -> RecordsArrived | PollFailed:
        self._told.clear()
        if self.reader.ready_ms(self._position, START_MS) is None:
            assert self._told.wait(PATIENCE_S), "nobody has told of anything"
        assert self.reader.ready_ms(self._position, START_MS) == START_MS
        it = self.reader.read(self._position, limit, START_MS)
        if isinstance(it, RecordsArrived):
            self.numbers += [int(each.sequence_number) for each in it.records]
        return it

    def arrived(self, limit: int = 10_000) -> RecordsArrived:
        it = self.next(limit)
        assert isinstance(it, RecordsArrived), it
        return it

    def failed(self) -> PollFailed:
        it = self.next()
        assert isinstance(it, PollFailed), it
        return it

    def until(self, *numbers: int) -> RecordsArrived:
        """Read until these have come, and no others and no failures."""
        while True:
            it = self.arrived()
            assert self.numbers == list(numbers)[: len(self.numbers)]
            if len(self.numbers) == len(numbers):
                return it


@pytest.fixture
def opened(source: KinesisConsumerSource, shard_id: str) -> Iterator[Callable[[Position], Reading]]:
    readings: list[Reading] = []

    def make(position: Position = HORIZON) -> Reading:
        readings.append(Reading(source, shard_id, position))
        return readings[-1]

    yield make
    for each in readings:
        each.reader.close()


def starts(kinesis: ScriptedKinesis) -> list[dict[str, Any]]:
    """Where was subscribed."""
    return [params["StartingPosition"] for params in kinesis.asked_for("SubscribeToShard")]


def position_of(number: int) -> int:
    return (number << 20) + 0xFFFFF


# --- records -------------------------------------------------------------------------------------


def test_records_come_as_they_are_pushed(kinesis, source, shard_id, opened):
    more = Event()
    kinesis.next("SubscribeToShard", pushes(
        pushed(1, behind_ms=5), lambda: more.wait(PATIENCE_S) and pushed(2, 3), ending=stays_open
    ))  # fmt: skip
    reading = opened()
    first = reading.arrived()
    assert (reading.numbers, first.millis_behind) == ([1], 5)
    more.set()
    reading.until(1, 2, 3)
    (it,) = first.records
    assert (it.data, it.key, it.shard_id, it.ordinal) == (b"data", "key", shard_id, 0)
    assert (it.arrived_ms, it.position) == (START_MS + 1_000, position_of(1))
    assert source.sequence_number_of(it.position) == it.sequence_number == "1"
    assert starts(kinesis) == [{"Type": "TRIM_HORIZON"}]


@pytest.mark.parametrize("opening", [True, False])
def test_a_server_may_begin_with_an_answer_or_with_the_first_event(kinesis, opened, opening):
    kinesis.next("SubscribeToShard", pushes(pushed(1), opening=opening, ending=stays_open))
    opened().until(1)


def test_a_limit_leaves_the_rest_for_the_next_read(kinesis, opened):
    kinesis.next("SubscribeToShard", pushes(pushed(1, 2, 3), pushed(4), ending=stays_open))
    reading = opened()
    first = reading.arrived(limit=2)
    assert (reading.numbers, first.millis_behind) == ([1, 2], 1)
    reading.until(1, 2, 3, 4)


def test_events_without_news_only_keep_the_connection(kinesis, opened):
    quiet = [pushed(continuation=number) for number in range(2, 50)]
    kinesis.next("SubscribeToShard", pushes(
        pushed(1, behind_ms=9), *quiet, pushed(60), ending=stays_open
    ))  # fmt: skip
    reading = opened()
    reading.until(1, 60)
    assert reading.times_told <= 3, "records, being caught up, records"


def test_a_quiet_shard_says_that_nothing_is_behind(kinesis, opened):
    kinesis.next("SubscribeToShard", pushes(pushed(continuation=1), ending=stays_open))
    it = opened().arrived()
    assert (list(it.records), it.millis_behind) == ([], 0)


def test_everything_comes_in_order_though_no_more_is_taken_in_than_waits(kinesis, opened):
    events = [pushed(*range(n, n + 1_000)) for n in range(1, 30_001, 1_000)]
    kinesis.next("SubscribeToShard", pushes(*events, ending=stays_open))
    opened().until(*range(1, 30_001))


def test_an_inbox_has_room_again_when_it_was_read():
    inbox = Inbox()
    full_event = PushedEvent([wire(number) for number in range(WAITING_RECORDS)])
    inbox.put(Pushed(records_in(full_event, "shard")))
    full = Event()

    def reads() -> None:
        full.set()
        inbox.take(1)

    thread = Thread(target=reads)
    thread.start()
    assert inbox.wait_for_room()
    assert full.is_set(), "there was none before"
    thread.join()
    inbox.close()
    assert not inbox.wait_for_room()


def wire(number: int) -> WireRecord:
    it = record(number)
    return WireRecord(*it.values())


# --- places --------------------------------------------------------------------------------------


def test_a_checkpoint_goes_on_behind_its_record(kinesis, opened):
    kinesis.next("SubscribeToShard", pushes(pushed(7, 8), ending=stays_open))
    it = opened(After(position_of(7))).arrived()
    assert ([each.sequence_number for each in it.records], it.trimmed) == (["8"], False)
    assert starts(kinesis) == [{"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}]


@pytest.mark.parametrize("came", [[9], []])
def test_a_checkpoint_whose_record_is_past_retention(kinesis, opened, came):
    kinesis.next("SubscribeToShard", pushes(pushed(*came, continuation=9), ending=stays_open))
    it = opened(After(position_of(7))).arrived()
    assert ([int(each.sequence_number) for each in it.records], it.trimmed) == (came, True)


def test_a_checkpoint_that_the_server_does_not_take_any_more(kinesis, opened):
    kinesis.next("SubscribeToShard", error("InvalidArgumentException"), pushes(
        pushed(9), ending=stays_open
    ))  # fmt: skip
    reading = opened(After(position_of(7)))
    assert (reading.arrived().trimmed, reading.numbers) == (True, [9])
    assert starts(kinesis)[-1] == {"Type": "TRIM_HORIZON"}


def test_an_instant(kinesis, opened):
    kinesis.next("SubscribeToShard", pushes(pushed(1), ending=stays_open))
    opened(AtTimestamp(START_MS + 500)).until(1)
    assert starts(kinesis) == [{"Type": "AT_TIMESTAMP", "Timestamp": START_MS / 1_000 + 0.5}]


def test_latest_is_subscribed_at_once_and_is_an_instant_after_a_break(
    kinesis, source, shard_id, opened
):
    kinesis.next("SubscribeToShard", pushes(ending=breaks), pushes(pushed(4), ending=stays_open))
    position = source.pin(shard_id, Latest(), START_MS)
    assert position == source.pin(shard_id, Latest(), START_MS + 1) == AtTimestamp(START_MS)
    assert starts(kinesis)[0] == {"Type": "LATEST"}
    reading = opened(position)
    assert reading.failed().reason is UNAVAILABLE
    reading.until(4)
    assert [each["Type"] for each in starts(kinesis)] == ["LATEST", "AT_TIMESTAMP"]


def test_latest_cannot_be_pinned_now(kinesis, source, shard_id):
    kinesis.next("SubscribeToShard", error("ResourceInUseException"))
    with pytest.raises(SourceUnavailable) as raised:
        source.pin(shard_id, Latest(), START_MS)
    assert not raised.value.fatal


def test_other_places_stay_as_they_are(source, shard_id):
    assert source.pin(shard_id, After(5), START_MS) == After(5)
    assert source.beginning(shard_id) == HORIZON


# --- renewal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [ends, reset, breaks])
def test_a_subscription_that_is_over_is_renewed_without_a_word(kinesis, opened, ending):
    kinesis.next(
        "SubscribeToShard",
        pushes(pushed(1, 2), pushed(continuation=5), ending=ending),
        pushes(pushed(6), ending=stays_open),
    )
    opened().until(1, 2, 6)
    assert starts(kinesis)[1] == {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "5"}


def test_a_subscription_that_brings_nothing_is_a_failure(kinesis, opened):
    kinesis.next("SubscribeToShard", pushes(), pushes(pushed(1), ending=stays_open))
    reading = opened()
    assert "before anything came" in reading.failed().error
    reading.until(1)
    assert starts(kinesis) == [{"Type": "TRIM_HORIZON"}] * 2


def test_an_event_that_is_none_is_not_passed_over(kinesis, opened):
    garbled = bytearray(pushed(2))
    garbled[-6] ^= 1
    kinesis.next(
        "SubscribeToShard",
        pushes(pushed(1), bytes(garbled), pushed(3)),
        pushes(pushed(2, 3), ending=stays_open),
    )
    opened().until(1, 2, 3)
    assert starts(kinesis)[1] == {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "1"}


@pytest.mark.parametrize(
    "garbage",
    [
        event("SubscribeToShardEvent", b"[]"),
        event("SubscribeToShardEvent", b'{"Records": null}'),
        pushed(record(2) | {"SequenceNumber": "two"}),
    ],
)
def test_what_is_no_event_is_renewed_before_it(kinesis, opened, garbage):
    kinesis.next(
        "SubscribeToShard",
        pushes(pushed(1), garbage, pushed(3)),
        pushes(event("SomethingElse", b"?"), pushed(2, 3), ending=stays_open),
    )
    opened().until(1, 2, 3)
    assert starts(kinesis)[1]["SequenceNumber"] == "1"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ResourceInUseException", THROTTLED),
        ("KMSThrottlingException", THROTTLED),
        ("InternalFailureException", UNAVAILABLE),
        ("ResourceNotFoundException", UNAVAILABLE),
    ],
)
def test_an_exception_among_the_events_is_told_after_them(kinesis, opened, code, reason):
    kinesis.next(
        "SubscribeToShard",
        pushes(pushed(1), failing(code)),
        pushes(pushed(2), ending=stays_open),
    )
    reading = opened()
    reading.until(1)
    failed = reading.failed()
    assert (failed.reason, failed.error) == (reason, f"{code}: so it is")
    reading.until(1, 2)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (error("ResourceInUseException"), THROTTLED),
        (error("LimitExceededException"), THROTTLED),
        (error("InternalFailure", number=500), UNAVAILABLE),
        (status(503, b"<html>"), UNAVAILABLE),
        (status(202, b"{}"), UNAVAILABLE),
        (status(200, b"<html>this is a page, and not a short one</html>"), UNAVAILABLE),
        (status(200), UNAVAILABLE),
        (answer(EventStream=[]), UNAVAILABLE),
        (reset, UNAVAILABLE),
    ],
)
def test_nothing_is_lost_by_a_call_that_fails(kinesis, opened, fault: Respond, reason: PollFailure):
    kinesis.next("SubscribeToShard", fault, pushes(pushed(1), ending=stays_open))
    reading = opened()
    failed = reading.failed()
    assert (failed.reason, bool(failed.error)) == (reason, True)
    reading.until(1)


def test_failures_in_a_row_are_told_once(kinesis, opened):
    kinesis.next("SubscribeToShard", *[error("LimitExceededException")] * 20, pushes(
        pushed(1), ending=stays_open
    ))  # fmt: skip
    reading = opened()
    reading.reader.ready_ms(HORIZON, START_MS)
    until_ms = clock.now_ms() + PATIENCE_S * 1_000
    while len(starts(kinesis)) < 21 and clock.now_ms() < until_ms:
        clock.wait_until(clock.now_ms() + 1)
    assert reading.failed().reason is THROTTLED
    reading.until(1)


def test_only_its_predecessor_is_in_the_way_for_a_moment(kinesis, opened):
    in_use = error("ResourceInUseException")
    kinesis.next(
        "SubscribeToShard",
        pushes(pushed(1)),
        in_use,
        pushes(failing("ResourceInUseException")),
        pushes(pushed(2), ending=stays_open),
    )
    opened().until(1, 2)
    assert len(starts(kinesis)) == 4


def test_an_outage_for_longer_than_records_are_kept_shows():
    progress = Progress(HORIZON, 24 * HOUR_MS)
    event = PushedEvent([wire(7)], 0, "8")
    progress.take(event, records_in(event, "shard"), START_MS)
    renewed = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "8"}
    assert progress.next_start(START_MS + 23 * HOUR_MS) == renewed
    again = {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}
    assert progress.next_start(START_MS + 25 * HOUR_MS) == again
    later = PushedEvent([wire(50)], 0, "50")
    kept, trimmed = progress.take(later, records_in(later, "shard"), START_MS + 25 * HOUR_MS)
    assert ([each.sequence_number for each in kept], trimmed) == (["50"], True)


def test_a_renewal_whose_place_is_gone_gives_nothing_twice():
    progress = Progress(HORIZON, 24 * HOUR_MS)
    event = PushedEvent([wire(7)], 0, "8")
    progress.take(event, records_in(event, "shard"), START_MS)
    progress.begin_at_horizon()
    assert progress.next_start(START_MS) == {"Type": "TRIM_HORIZON"}
    again = PushedEvent([wire(6), wire(7), wire(8)], 0, "8")
    kept, trimmed = progress.take(again, records_in(again, "shard"), START_MS)
    assert ([each.sequence_number for each in kept], trimmed) == (["8"], False)


# --- the end -------------------------------------------------------------------------------------


def test_a_shard_ends_with_its_children(kinesis, opened):
    kinesis.next("SubscribeToShard", pushes(pushed(1), pushed(2, children=["a", "b"])))
    reading = opened()
    it = reading.arrived()
    while not it.end_of_shard:
        it = reading.arrived()
    assert reading.numbers == [1, 2]
    reading.reader._thread.join(PATIENCE_S)
    assert len(starts(kinesis)) == 1, "nobody subscribes to it again"


def shards(**numbers: str) -> Respond:
    one = {"ShardId": "shardId-000000000000", "SequenceNumberRange": numbers}
    return answer(Shards=[one])


def test_a_server_that_does_not_say_the_end_is_asked_again(kinesis, client, shard_id):
    pace = Pace(between_ms=0, first_ms=1, cap_ms=1, look_ms=0)
    source = KinesisConsumerSource(kinesis.stream.consumer("fast").arn, client, pace=pace)
    kinesis.next("ListShards", shards(), shards(EndingSequenceNumber="9"))
    kinesis.next(
        "SubscribeToShard",
        pushes(pushed(1), pushed(continuation=1), pushed(continuation=1), ending=stays_open),
        pushes(pushed(2), pushed(continuation=2), ending=stays_open),
    )
    reading = Reading(source, shard_id, HORIZON)
    it = reading.arrived()
    while not it.end_of_shard:
        it = reading.arrived()
    assert (reading.numbers, it.trimmed) == ([1, 2], False)
    assert len(starts(kinesis)) == 2


def test_a_list_that_cannot_be_had_changes_nothing(kinesis, client, shard_id):
    pace = Pace(between_ms=0, first_ms=1, cap_ms=1, look_ms=0)
    source = KinesisConsumerSource(kinesis.stream.consumer("fast").arn, client, pace=pace)
    kinesis.next("ListShards", error("LimitExceededException"))
    kinesis.next("SubscribeToShard", pushes(
        pushed(continuation=1), pushed(2), ending=stays_open
    ))  # fmt: skip
    reading = Reading(source, shard_id, HORIZON)
    reading.until(2)
    reading.reader.close()
    assert len(starts(kinesis)) == 1


def test_a_shard_that_is_gone_has_ended_and_nobody_knows_what_was_in_it(kinesis, source, opened):
    reading = opened()
    kinesis.next("SubscribeToShard", error("ResourceNotFoundException"))
    kinesis.next("ListShards", answer(Shards=[{"ShardId": "b", "SequenceNumberRange": {}}]))
    it = reading.arrived()
    assert (it.end_of_shard, it.trimmed, list(it.records)) == (True, True, [])


def test_a_consumer_that_is_gone_is_not_the_end_of_its_shards(kinesis, opened):
    kinesis.next("SubscribeToShard", *[error("ResourceNotFoundException")] * 2)
    kinesis.next("ListShards", error("InternalFailure", number=500))
    reading = opened()
    assert "ResourceNotFoundException" in reading.failed().error
    assert isinstance(reading.next(), PollFailed)


def test_a_server_that_was_started_anew_is_not_read_on(kinesis, source, shard_id):
    """Its stream of the same name is another one, with records and shards of its own."""
    kinesis.headers = {"x-esm-incarnation": "before"}
    source.describe()
    kinesis.next("SubscribeToShard", pushes(pushed(1)), pushes(pushed(2), ending=stays_open))
    reading = Reading(source, shard_id, HORIZON)
    kinesis.headers = {"x-esm-incarnation": "after"}
    try:
        assert "started anew" in reading.failed().error
        kinesis.headers = {"x-esm-incarnation": "before"}
    finally:
        reading.reader.close()
    assert reading.numbers == []


@pytest.mark.parametrize("script", [pushes(pushed(1), ending=stays_open), error("LimitExceeded")])
def test_close_ends_its_thread_at_once(kinesis, source, shard_id, client, script):
    slow = KinesisConsumerSource(source.arn, client, pace=Pace(first_ms=60_000))
    kinesis.next("SubscribeToShard", script)
    reading = Reading(slow, shard_id, HORIZON)
    reading.next()
    reading.reader.close()
    thread = reading.reader._thread
    assert thread is not None
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert reading.reader.ready_ms(HORIZON, START_MS) is None
    assert len(starts(kinesis)) == 1


def test_a_mistake_of_ours_is_raised_where_it_is_read(kinesis, opened, monkeypatch):
    kinesis.next("SubscribeToShard", pushes(pushed(1), ending=stays_open))
    reading = opened()
    monkeypatch.setattr(Progress, "take", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        reading.next()


# --- aggregates ----------------------------------------------------------------------------------


def own_key(kinesis: ScriptedKinesis, *, stray: bool, seed: int) -> str:
    """A key that belongs, or does not, into the stream's first shard."""
    low, high = kinesis.stream.shards[0].hash_key_range
    keys = (f"key-{number}" for number in range(seed * 1_000, seed * 1_000 + 1_000))
    return next(key for key in keys if (low <= hash_key_of(key) <= high) is not stray)


def test_aggregates_are_taken_apart_and_strays_are_dropped_and_counted(kinesis, client, shard_id):
    kinesis.begin(shards=2)
    own = [own_key(kinesis, stray=False, seed=n) for n in range(3)]
    stray = own_key(kinesis, stray=True, seed=9)
    event = pushed(4, record(5, aggregate_of(own[0], stray, own[1], own[2])), 6)
    kinesis.next("SubscribeToShard", pushes(event, ending=stays_open))
    source = KinesisConsumerSource(kinesis.stream.consumer("fast").arn, client)
    reading = Reading(source, shard_id, HORIZON)
    it = reading.arrived()
    reading.reader.close()
    assert [each.key for each in it.records] == ["key", *own, "key"]
    assert it.strays == 1
    assert reading.numbers == [4, 5, 5, 5, 6]
    positions = [each.position for each in it.records]
    assert positions == [position_of(4), 5 << 20, (5 << 20) + 1, position_of(5), position_of(6)]
    before = [source.whole_before(shard_id, position) for position in positions]
    assert before == [position_of(n) for n in (4, 4, 4, 5, 6)]


def test_an_aggregate_comes_whole_whatever_the_limit(kinesis, source, shard_id, opened):
    three = record(5, aggregate_of("a", "b", "c"))
    kinesis.next("SubscribeToShard", pushes(pushed(4, three, 6), ending=stays_open))
    reading = opened()
    reads = [reading.arrived(limit=2) for _ in range(3)]
    assert [len(it.records) for it in reads] == [1, 3, 1]
    assert reading.numbers == [4, 5, 5, 5, 6]
    assert [it.millis_behind > 0 for it in reads] == [True, True, False]


def test_an_aggregate_of_more_parts_than_positions_stays_as_it_is(kinesis, opened, monkeypatch):
    monkeypatch.setattr("esm.sources.kinesis_subscription_place._PARTS_MAX", 2)
    data = aggregate_of("a", "b", "c")
    kinesis.next("SubscribeToShard", pushes(pushed(record(5, data)), ending=stays_open))
    (it,) = opened().arrived().records
    assert (it.data, it.position) == (data, position_of(5))


def test_nothing_is_saved_within_the_first_aggregate(kinesis, source, shard_id, opened):
    kinesis.next("SubscribeToShard", pushes(
        pushed(record(5, aggregate_of("a", "b"))), ending=stays_open
    ))  # fmt: skip
    first, last = opened().arrived().records
    assert source.whole_before(shard_id, first.position) is None
    assert source.whole_before(shard_id, last.position) == last.position


def test_within_the_first_aggregate_after_a_checkpoint_that_stays(
    kinesis, source, shard_id, opened
):
    kinesis.next("SubscribeToShard", pushes(
        pushed(4, record(5, aggregate_of("a", "b"))), ending=stays_open
    ))  # fmt: skip
    first, _ = opened(After(position_of(4))).arrived().records
    assert source.whole_before(shard_id, first.position) == position_of(4)


def test_without_the_shards_hash_keys_an_aggregate_is_not_lost(kinesis, opened):
    event = pushed(record(5, aggregate_of("a", "b")))
    kinesis.next("ListShards", error("LimitExceededException"))
    kinesis.next("SubscribeToShard", pushes(event), pushes(event, ending=stays_open))
    reading = opened()
    assert "LimitExceededException" in reading.failed().error
    reading.until(5, 5)


# --- the consumer --------------------------------------------------------------------------------


def test_it_is_its_stream_and_its_consumer(kinesis, source):
    assert source.arn == kinesis.stream.consumer("fast").arn
    assert source.retention_ms == 24 * HOUR_MS
    assert source.incarnation == str(START_MS)
    (shard,) = source.list_shards(START_MS)
    assert shard.parent_ids == ()


@pytest.mark.parametrize(
    ("fault", "is_fatal"),
    [
        (answer(ConsumerDescription={"ConsumerStatus": "CREATING"}), False),
        (answer(ConsumerDescription={"ConsumerStatus": "DELETING"}), True),
        (error("ResourceNotFoundException"), True),
        (error("LimitExceededException"), False),
        (status(200, b"<html>"), False),
        (reset, False),
    ],
)
def test_a_consumer_that_cannot_be_read_now(kinesis, source, fault, is_fatal):
    kinesis.next("DescribeStreamConsumer", fault)
    with pytest.raises(SourceUnavailable) as raised:
        source.describe()
    assert raised.value.fatal is is_fatal


# --- the embedded AWS ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(port=0, fan_out_delay_ms=5) as it:
        yield it


def test_over_a_split_and_a_merge_with_aggregates(aws):
    client = live_client("kinesis", aws.url, "us-east-1")
    client.create_stream(StreamName="orders", ShardCount=1)
    stream = aws.streams["orders"]
    client.register_stream_consumer(StreamARN=stream.arn, ConsumerName="fast")
    source = KinesisConsumerSource(stream.consumer("fast").arn, client)
    keys: list[str] = []
    stream.put(aggregate_of("a", "b", "c"), "a")
    stream.merge(*(shard.shard_id for shard in stream.split()))
    stream.put(b"d", "d")
    machine = StreamMachine(HORIZON)
    waiting = machine.handle(ShardsListed(source.list_shards(START_MS)))
    while "d" not in keys:
        shard_id = waiting.pop(0).shard_id
        reading = Reading(source, shard_id, HORIZON)
        it = reading.arrived()
        keys += [record.key for record in it.records]
        while not it.end_of_shard and "d" not in keys:
            it = reading.arrived()
            keys += [record.key for record in it.records]
        reading.reader.close()
        if it.end_of_shard:
            machine.handle(ShardDone(shard_id))
            waiting += machine.handle(ShardsListed(source.list_shards(START_MS)))
    assert keys == ["a", "b", "c", "d"]
    assert len(machine.done) == 3, "the first shard and its two halves"
    client.close()
