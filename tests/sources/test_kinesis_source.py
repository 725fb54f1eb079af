"""A Kinesis stream behind an endpoint: what is read from it, and what may come in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from scripted_kinesis import (
    START_MS,
    Respond,
    ScriptedKinesis,
    answer,
    error,
    half_a_body,
    nothing,
    reset,
    status,
)

from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, Shard, TrimHorizon
from esm.payloads.kpl import MAGIC
from esm.ports import ShardReader, SourceUnavailable
from esm.sources.kinesis import KinesisSource
from esm.sources.live_clients import live_client

ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedKinesis]:
    it = ScriptedKinesis()
    yield it
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
def source(kinesis: ScriptedKinesis, client: Any) -> KinesisSource:
    it = KinesisSource(ARN, client)
    it.describe()
    return it


@pytest.fixture
def shard_id(kinesis: ScriptedKinesis) -> str:
    return kinesis.stream.shards[0].shard_id


@pytest.fixture
def reader(source: KinesisSource, shard_id: str) -> ShardReader:
    return source.open(shard_id, lambda: None)


def read(
    reader: ShardReader, position: Position, kinesis: ScriptedKinesis, limit: int = 100
) -> RecordsArrived:
    it = reader.read(position, limit, kinesis.now_ms)
    assert isinstance(it, RecordsArrived), it
    return it


def refused(reader: ShardReader, position: Position, kinesis: ScriptedKinesis) -> PollFailed:
    it = reader.read(position, 100, kinesis.now_ms)
    assert isinstance(it, PollFailed), it
    return it


def put(kinesis: ScriptedKinesis, *data: str, key: str = "k") -> None:
    for each in data:
        kinesis.stream.put(each, key)
        kinesis.now_ms += 1_000


def data(arrived: RecordsArrived) -> list[str]:
    return [record.data.decode() for record in arrived.records]


def last(arrived: RecordsArrived) -> After:
    return After(arrived.records[-1].position)


# --- the stream ----------------------------------------------------------------------------------


def test_it_knows_retention_and_incarnation_once_described(source):
    assert (source.retention_ms, source.incarnation) == (24 * HOUR_MS, str(START_MS))


def test_an_embedded_server_is_part_of_the_incarnation(kinesis, source):
    kinesis.headers = {"x-esm-incarnation": "5eed"}
    source.describe()
    assert source.incarnation == f"{START_MS}/5eed"


def test_a_stream_that_is_not_there_will_not_be_there_next_time(kinesis, client):
    with pytest.raises(SourceUnavailable, match=r"Stream elsewhere .*not found") as raised:
        KinesisSource(ARN.replace("orders", "elsewhere"), client).describe()
    assert raised.value.fatal


@pytest.mark.parametrize(("state", "fatal"), [("CREATING", False), ("DELETING", True)])
def test_a_stream_that_cannot_be_read_yet_or_any_more(kinesis, source, state, fatal):
    summary = {"StreamStatus": state, "RetentionPeriodHours": 24, "StreamCreationTimestamp": 1.5}
    kinesis.next("DescribeStreamSummary", answer(StreamDescriptionSummary=summary))
    with pytest.raises(SourceUnavailable, match=f"the stream is {state}") as raised:
        source.describe()
    assert raised.value.fatal is fatal


@pytest.mark.parametrize(
    ("respond", "text", "fatal"),
    [
        (status(500), "500: Internal Server Error", False),
        (status(404, b"no such page"), "HTTP 404: Not Found", False),
        (status(200, b"<p>log in first</p>"), "a body that is no answer", False),
        (answer(Shards=7), "an answer that boto3 cannot read", False),
        (error("LimitExceededException"), "LimitExceededException: so it is", False),
        (error("AccessDeniedException"), "AccessDeniedException: so it is", True),
        (error("UnrecognizedClientException"), "UnrecognizedClientException", True),
        (reset, "Connection", False),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_had(kinesis, source, respond, text, fatal):
    kinesis.next("ListShards", respond)
    with pytest.raises(SourceUnavailable, match=text) as raised:
        source.list_shards(kinesis.now_ms)
    assert raised.value.fatal is fatal
    assert len(source.list_shards(kinesis.now_ms)) == 1


def test_parents_come_before_children_whatever_the_order_of_pages(kinesis, source):
    def shard(shard_id: str, *parents: str) -> dict[str, object]:
        names = dict(zip(("ParentShardId", "AdjacentParentShardId"), parents, strict=False))
        return {"ShardId": shard_id, "SequenceNumberRange": {}, **names}

    first = [shard("merged", "left", "right"), shard("left", "forgotten")]
    second = [shard("right", "left")]
    kinesis.next(
        "ListShards", answer(Shards=first, NextToken="more"), answer(Shards=second, NextToken=None)
    )
    assert source.list_shards(kinesis.now_ms) == [
        Shard("left", ("forgotten",)),
        Shard("right", ("left",)),
        Shard("merged", ("left", "right")),
    ]
    assert kinesis.asked_for("ListShards") == [{"StreamName": "orders"}, {"NextToken": "more"}]


def test_shards_in_a_circle_are_no_list(kinesis, source):
    snake = {"ShardId": "s", "ParentShardId": "s", "SequenceNumberRange": {}}
    kinesis.next("ListShards", answer(Shards=[snake]))
    with pytest.raises(SourceUnavailable, match="their own parents"):
        source.list_shards(kinesis.now_ms)


def test_on_aws_a_stream_goes_by_its_arn(monkeypatch):
    client = live_client("kinesis", "https://kinesis.us-east-1.amazonaws.com", "us-east-1")
    asked = []
    monkeypatch.setattr(client, "list_shards", lambda **params: asked.append(params) or {})
    with pytest.raises(SourceUnavailable):
        KinesisSource(ARN, client).list_shards(0)
    assert asked == [{"StreamARN": ARN}]


# --- records -------------------------------------------------------------------------------------


def test_a_record_is_the_one_that_was_put(kinesis, reader):
    kinesis.now_ms += 123
    kinesis.stream.put({"n": 1}, key='a "key"')
    (record,) = read(reader, TrimHorizon(), kinesis).records
    (as_put,) = kinesis.stream.records
    assert {name: getattr(record, name) for name in record.__struct_fields__} == {
        name: getattr(as_put, name) for name in as_put.__struct_fields__
    } | {"ordinal": 0}


def test_what_is_put_while_reading_comes_next(kinesis, reader):
    put(kinesis, "one")
    first = read(reader, TrimHorizon(), kinesis)
    nothing_new = read(reader, last(first), kinesis)
    put(kinesis, "two", "three")
    assert (data(first), data(nothing_new), nothing_new.millis_behind) == (["one"], [], 0)
    assert data(read(reader, last(first), kinesis)) == ["two", "three"]


def test_one_read_takes_no_more_than_it_may(kinesis, reader):
    put(kinesis, "one", "two", "three")
    first = read(reader, TrimHorizon(), kinesis, limit=2)
    assert (data(first), first.millis_behind) == (["one", "two"], 1_000)
    read(reader, last(first), kinesis, limit=1_000_000)
    assert [params["Limit"] for params in kinesis.asked_for("GetRecords")] == [2, 10_000]


def test_an_iterator_is_taken_once(kinesis, reader):
    for _ in range(3):
        read(reader, TrimHorizon(), kinesis)
    assert len(kinesis.asked_for("GetShardIterator")) == 1


def test_aggregates_of_producers_are_counted(kinesis, reader):
    kinesis.stream.put(MAGIC + b"and so on")
    put(kinesis, "plain")
    assert read(reader, TrimHorizon(), kinesis).aggregates == 1


def test_a_live_shard_is_polled(kinesis, reader):
    reader.idle_until(kinesis.now_ms)
    assert (reader.must_poll, reader.ready_ms(TrimHorizon(), 7)) == (True, 7)
    reader.close()
    assert kinesis.asked_for("GetRecords") == []


def test_what_our_decoder_does_not_know_botocore_reads(kinesis, reader):
    record = {
        "SequenceNumber": "5", "PartitionKey": "k", "Data": "aGk=",
        "ApproximateArrivalTimestamp": "2026-01-01T00:00:00.250Z",
    }  # fmt: skip
    kinesis.next(
        "GetRecords", answer(Records=[record], NextShardIterator="on", MillisBehindLatest=9)
    )
    arrived = read(reader, TrimHorizon(), kinesis)
    (it,) = arrived.records
    assert (it.position, it.base64, it.arrived_ms) == (5, "aGk=", START_MS + 250)
    assert arrived.millis_behind == 9


def test_sixteen_threads_share_a_client_and_mix_nothing_up(kinesis, client):
    kinesis.begin(shards=16)
    source = KinesisSource(ARN, client)
    for number in range(400):
        kinesis.stream.put(str(number))
    readers = {shard: source.open(shard, lambda: None) for shard in kinesis.stream.metrics}

    def drain(shard: str) -> list[str]:
        position: Position = TrimHorizon()
        found: list[str] = []
        while arrived := read(readers[shard], position, kinesis, limit=5).records:
            assert {record.shard_id for record in arrived} == {shard}
            found += [record.sequence_number for record in arrived]
            position = After(arrived[-1].position)
        return found

    with ThreadPoolExecutor(16) as pool:
        found = [number for numbers in pool.map(drain, readers) for number in numbers]
    assert sorted(found) == sorted(r.sequence_number for r in kinesis.stream.records)


# --- the end of a shard --------------------------------------------------------------------------


def test_a_shard_that_was_split_ends_after_its_last_record(kinesis, source, reader):
    put(kinesis, "one")
    kinesis.stream.split()
    arrived = read(reader, TrimHorizon(), kinesis)
    assert (data(arrived), arrived.end_of_shard) == (["one"], True)
    assert [s.parent_ids for s in source.list_shards(kinesis.now_ms)][1:] == [
        (reader._shard_id,), (reader._shard_id,)
    ]  # fmt: skip


@pytest.mark.parametrize("records", [[], ["last"]])
def test_an_end_without_children_is_one_when_the_shard_is_closed(kinesis, reader, records):
    put(kinesis, *records)
    kinesis.stream.split()
    wire = read(reader, TrimHorizon(), kinesis).records  # what the server would say again
    reader._iterator = "of this closed shard"
    kinesis.next("GetRecords", answer(Records=[], NextShardIterator=None, MillisBehindLatest=0))
    assert read(reader, After(wire[-1].position) if wire else TrimHorizon(), kinesis).end_of_shard


def test_half_an_answer_ends_a_closed_shard_only_when_it_comes_again_and_again(kinesis, reader):
    kinesis.stream.split()
    kinesis.next("GetRecords", *[answer(Records=[])] * 3)
    first, second = (refused(reader, TrimHorizon(), kinesis) for _ in range(2))
    assert first == second
    assert "without a next iterator" in first.error
    assert read(reader, TrimHorizon(), kinesis).end_of_shard
    assert len(kinesis.asked_for("GetShardIterator")) == 3


def test_records_without_a_next_iterator_are_taken_and_reading_goes_on(kinesis, reader):
    put(kinesis, "one", "two")
    one = kinesis.stream.records[0]
    wire = {
        "SequenceNumber": one.sequence_number, "PartitionKey": "k", "Data": one.base64,
        "ApproximateArrivalTimestamp": START_MS / 1000,
    }  # fmt: skip
    kinesis.next("GetRecords", answer(Records=[wire]))
    first = read(reader, TrimHorizon(), kinesis)
    assert (data(first), first.end_of_shard) == (["one"], False)
    second = read(reader, last(first), kinesis)
    assert (data(second), second.trimmed) == (["two"], False)


# --- faults --------------------------------------------------------------------------------------

RECORD = {"SequenceNumber": "1", "PartitionKey": "k", "Data": "aGk=",
          "ApproximateArrivalTimestamp": 1.0}  # fmt: skip
FAULTS: dict[str, tuple[Respond, str]] = {
    "connection reset": (reset, "Connection"),
    "half a body": (half_a_body, ""),
    "500": (status(500), "500: Internal Server Error"),
    "502 from a proxy": (status(502, b"<html>Bad Gateway</html>"), "502: Bad Gateway"),
    "503 in plain text": (status(503, b"try later"), "HTTP 503: Service Unavailable"),
    "InternalFailure": (error("InternalFailure", number=500), "InternalFailure: so it is"),
    "400": (error("InvalidArgumentException"), "InvalidArgumentException: so it is"),
    "403 with a list": (status(403, b"[1]"), "HTTP 403: Forbidden"),
    "200 that is no JSON": (status(200, b"<p>hello</p>"), "a body that is no answer"),
    "200 that is empty": (status(200), "a body that is no answer"),
    "200 that is cut": (status(200, b'{"Records": [], "NextSh'), "a body that is no answer"),
    "200 with {}": (status(200, b"{}"), "a body that is no answer"),
    "200 with a list": (status(200, b"[]"), "a body that is no answer"),
    "200 with bytes": (status(200, b"\xff\xfe\x00"), "a body that is no answer"),
    "200 of brackets": (status(200, b"[" * 100_000), "a body that is no answer"),
    "200 without a next iterator": (answer(Records=[]), "without a next iterator"),
    "200 with an empty one": (
        answer(Records=[], NextShardIterator="", MillisBehindLatest=0), "without a next iterator",
    ),
    "200 with other types": (answer(Records=[5], NextShardIterator="on"), "cannot read"),
    "200 with a number": (answer(Records=[], NextShardIterator=5), "a body that is no answer"),
    "a sequence number of words": (
        answer(Records=[RECORD | {"SequenceNumber": "one"}], NextShardIterator="on"),
        "a record that is none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_fault_fails_the_poll_and_loses_nothing(kinesis, reader, fault, times):
    put(kinesis, "one", "two")
    first = read(reader, TrimHorizon(), kinesis, limit=1)
    respond, text = FAULTS[fault]
    kinesis.next("GetRecords", *[respond] * times)
    for _ in range(times):
        failed = refused(reader, last(first), kinesis)
        assert failed.reason is PollFailure.UNAVAILABLE
        assert text in failed.error
    second = read(reader, last(first), kinesis)
    assert (data(second), second.trimmed, second.end_of_shard) == (["two"], False, False)


@pytest.mark.parametrize(
    "respond",
    [
        error("ProvisionedThroughputExceededException"),
        error("LimitExceededException"),
        error("KMSThrottlingException"),
        error("ThrottlingException"),
        status(429, b"slow down"),
    ],
)
def test_throttling_keeps_the_iterator(kinesis, reader, respond):
    put(kinesis, "one")
    read(reader, TrimHorizon(), kinesis)
    kinesis.next("GetRecords", *[respond] * 5)
    failures = [refused(reader, TrimHorizon(), kinesis).reason for _ in range(5)]
    assert failures == [PollFailure.THROTTLED] * 5
    assert len(kinesis.asked_for("GetShardIterator")) == 1


def test_an_expired_iterator_is_renewed_where_reading_had_come_to(kinesis, reader):
    put(kinesis, "one", "two", "three")
    first = read(reader, TrimHorizon(), kinesis, limit=1)
    kinesis.now_ms += 6 * 60_000
    assert refused(reader, last(first), kinesis).reason is PollFailure.EXPIRED_ITERATOR
    assert data(read(reader, last(first), kinesis)) == ["two", "three"]


def test_an_endpoint_that_is_away_for_minutes(kinesis, reader):
    put(kinesis, "one")
    first = read(reader, TrimHorizon(), kinesis)
    kinesis.stop()
    put(kinesis, "two")
    for _ in range(3):
        failed = refused(reader, last(first), kinesis)
        assert failed.reason is PollFailure.UNAVAILABLE
        kinesis.now_ms += 120_000
    kinesis.start()
    assert refused(reader, last(first), kinesis).reason is PollFailure.EXPIRED_ITERATOR
    assert data(read(reader, last(first), kinesis)) == ["two"]


def test_an_answer_that_does_not_come(kinesis, shard_id):
    put(kinesis, "one")
    client = boto3.client(
        "kinesis", endpoint_url=kinesis.url, region_name="us-east-1",
        aws_access_key_id="a", aws_secret_access_key="b",
        config=Config(read_timeout=0.1, retries={"total_max_attempts": 1}),
    )  # fmt: skip
    reader = KinesisSource(ARN, client).open(shard_id, lambda: None)
    kinesis.next("GetRecords", nothing)
    assert "Read timeout" in refused(reader, TrimHorizon(), kinesis).error
    kinesis.over.set()
    assert data(read(reader, TrimHorizon(), kinesis)) == ["one"]
    client.close()


def test_a_server_that_was_started_anew_is_not_read_on(kinesis, source, reader):
    kinesis.headers = {"x-esm-incarnation": "before"}
    source.describe()
    put(kinesis, "one")
    first = read(reader, TrimHorizon(), kinesis)
    kinesis.headers = {"x-esm-incarnation": "after"}
    put(kinesis, "of another stream")
    for _ in range(3):
        assert "started anew" in refused(reader, last(first), kinesis).error
    with pytest.raises(SourceUnavailable, match="started anew"):
        source.list_shards(kinesis.now_ms)


# --- places --------------------------------------------------------------------------------------


def test_reading_goes_on_behind_a_checkpoint(kinesis, source, reader, shard_id):
    put(kinesis, "one", "two", "three")
    checkpoint = last(read(reader, TrimHorizon(), kinesis, limit=2))
    arrived = read(source.open(shard_id, lambda: None), checkpoint, kinesis)
    assert (data(arrived), arrived.trimmed) == (["three"], False)


def test_a_checkpoint_past_retention_is_told_once(kinesis, source, reader, shard_id):
    put(kinesis, "one", "lost")
    checkpoint = last(read(reader, TrimHorizon(), kinesis, limit=1))
    kinesis.now_ms += 25 * HOUR_MS
    put(kinesis, "three", "four")
    later = source.open(shard_id, lambda: None)
    first = read(later, checkpoint, kinesis, limit=1)
    assert (data(first), first.trimmed) == (["three"], True)
    assert not read(later, last(first), kinesis).trimmed


def test_a_checkpoint_past_retention_is_told_also_when_nothing_came_since(
    kinesis, source, reader, shard_id
):
    put(kinesis, "one", "lost")
    checkpoint = last(read(reader, TrimHorizon(), kinesis, limit=1))
    kinesis.now_ms += 25 * HOUR_MS
    later = source.open(shard_id, lambda: None)
    assert [read(later, checkpoint, kinesis).trimmed for _ in range(2)] == [True, False]


def test_who_has_read_all_misses_nothing_when_the_last_record_expires(kinesis, reader):
    put(kinesis, "one")
    position = last(read(reader, TrimHorizon(), kinesis))
    for _ in range(25 * 15):  # an iterator is renewed within five minutes
        kinesis.now_ms += 4 * 60_000
        assert read(reader, position, kinesis).records == []
    kinesis.now_ms += 6 * 60_000
    refused(reader, position, kinesis)
    put(kinesis, "two")
    arrived = read(reader, position, kinesis)
    assert (data(arrived), arrived.trimmed) == (["two"], False)


def test_a_server_that_knows_a_trimmed_number_no_more(kinesis, source, reader, shard_id):
    put(kinesis, "one", "two")
    checkpoint = last(read(reader, TrimHorizon(), kinesis, limit=1))
    kinesis.next("GetShardIterator", error("ResourceNotFoundException"))
    arrived = read(source.open(shard_id, lambda: None), checkpoint, kinesis)
    assert (data(arrived), arrived.trimmed) == (["two"], False)


def test_a_shard_past_retention_is_at_its_end(kinesis, source, reader):
    put(kinesis, "one", "lost")
    checkpoint = last(read(reader, TrimHorizon(), kinesis, limit=1))
    kinesis.stream.split()
    kinesis.now_ms += 25 * HOUR_MS
    kinesis.next("GetShardIterator", error("ResourceNotFoundException"))
    later = source.open(reader._shard_id, lambda: None)
    arrived = read(later, checkpoint, kinesis)
    assert (arrived.records, arrived.end_of_shard, arrived.trimmed) == ((), True, True)


MADE_AGAIN = {
    "StreamStatus": "ACTIVE", "RetentionPeriodHours": 24,
    "StreamCreationTimestamp": START_MS / 1000 + 60,
}  # fmt: skip


def test_a_stream_that_was_made_again_does_not_end_its_shards(kinesis, source, reader):
    kinesis.next("GetShardIterator", error("ResourceNotFoundException"))
    kinesis.next("DescribeStreamSummary", answer(StreamDescriptionSummary=MADE_AGAIN))
    assert "created again" in refused(reader, TrimHorizon(), kinesis).error


def test_a_stream_that_was_made_again_is_not_read_in_the_place_of_the_other(kinesis, reader):
    """Its shards may be others, and the checkpoints are those of the stream before it."""
    put(kinesis, "one")
    position = last(read(reader, TrimHorizon(), kinesis))
    kinesis.next("GetRecords", error("ResourceNotFoundException"))
    refused(reader, position, kinesis)
    for _ in range(2):
        kinesis.next("DescribeStreamSummary", answer(StreamDescriptionSummary=MADE_AGAIN))
        assert "created again" in refused(reader, position, kinesis).error
    put(kinesis, "two")  # it was only away
    assert data(read(reader, position, kinesis)) == ["two"]


def test_latest_is_just_behind_what_was_there(kinesis, source, shard_id):
    put(kinesis, "before")
    position = source.pin(shard_id, Latest(), kinesis.now_ms)
    put(kinesis, "at once")
    kinesis.now_ms += 60_000
    put(kinesis, "later")
    assert position == AtTimestamp(START_MS + 1_000)
    now = source.open(shard_id, lambda: None)
    after_a_restart = source.open(shard_id, lambda: None)
    assert data(read(now, position, kinesis)) == ["at once", "later"]
    assert data(read(after_a_restart, position, kinesis)) == ["at once", "later"]


@pytest.mark.parametrize(
    ("date", "expected_ms"),
    [
        (format_datetime(datetime(2026, 2, 3, tzinfo=UTC), usegmt=True), 1_770_076_800_000),
        ("Tue, 03 Feb 2026 00:00:00 -0000", 1_770_076_800_000),
        ("yesterday", START_MS),
    ],
)
def test_latest_goes_by_the_clock_of_a_server_elsewhere(kinesis, shard_id, date, expected_ms):
    # The address of every interface leads here and is no loopback address.
    url = kinesis.url.replace("127.0.0.1", "0.0.0.0")
    client = live_client("kinesis", url, "us-east-1", session=boto3.Session("a", "b"))
    kinesis.headers = {"Date": date}
    position = KinesisSource(ARN, client).pin(shard_id, Latest(), kinesis.now_ms)
    client.close()
    assert position == AtTimestamp(expected_ms)


def test_latest_that_cannot_be_had(kinesis, source, shard_id):
    kinesis.next("GetShardIterator", status(500))
    with pytest.raises(SourceUnavailable, match="500: Internal Server Error"):
        source.pin(shard_id, Latest(), kinesis.now_ms)


def test_other_places_stay_what_they_are(kinesis, source, shard_id):
    places = [TrimHorizon(), AtTimestamp(5), After(7)]
    assert [source.pin(shard_id, place, kinesis.now_ms) for place in places] == places
    assert source.beginning(shard_id) == TrimHorizon()
    assert (source.whole_before(shard_id, 7), source.sequence_number_of(7)) == (7, "7")
    assert kinesis.asked_for("GetShardIterator") == []


def test_an_instant_is_kept_to_the_millisecond(kinesis, reader):
    """Also where the server, or boto3, cuts it to a second."""
    put(kinesis, "one")
    kinesis.now_ms = START_MS + 1_500
    kinesis.stream.put("two")
    kinesis.now_ms = START_MS + 1_501
    kinesis.stream.put("three")
    kinesis.now_ms += 1_000
    iterator = kinesis.api.handle(
        "GetShardIterator",
        {"StreamName": "orders", "ShardId": reader._shard_id, "ShardIteratorType": "TRIM_HORIZON"},
        kinesis.now_ms,
    )
    kinesis.next("GetShardIterator", status(200, json.dumps(iterator).encode()))
    arrived = read(reader, AtTimestamp(START_MS + 1_501), kinesis)
    assert (data(arrived), arrived.trimmed) == (["three"], False)
