"""A DynamoDB stream behind an endpoint: what is read from it, and what may come in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from scripted_kinesis import (
    START_MS,
    Respond,
    ScriptedKinesis,
    answer,
    error,
    half_a_body,
    on_the_wire,
    reset,
    status,
)

from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, Shard, TrimHorizon
from esm.embedded.dynamodb_streams import DynamoDbStreamsApi
from esm.payloads.dynamodb import TTL_IDENTITY, DynamoDbEvents
from esm.ports import ShardReader, SourceUnavailable
from esm.sources.dynamodb import DynamoDbStreamSource
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.live_clients import live_client

HOUR_MS = 3_600_000
HORIZON = TrimHorizon()


class ScriptedStreams(ScriptedKinesis):
    """The stream of one table behind a server."""

    def begin(self, shards: int = 1) -> None:
        super().begin()
        self.table = DynamoDbTable("users", now=lambda: self.now_ms)
        self.api = DynamoDbStreamsApi({"users": self.table})


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedStreams]:
    it = ScriptedStreams()
    yield it
    it.stop()


@pytest.fixture(scope="module")
def client(server: ScriptedStreams) -> Iterator[Any]:
    it = live_client("dynamodbstreams", server.url, "us-east-1")
    yield it
    it.close()


@pytest.fixture
def streams(server: ScriptedStreams) -> ScriptedStreams:
    server.begin()
    return server


@pytest.fixture
def table(streams: ScriptedStreams) -> DynamoDbTable:
    return streams.table


@pytest.fixture
def source(table: DynamoDbTable, client: Any) -> DynamoDbStreamSource:
    it = DynamoDbStreamSource(table.arn, client)
    it.describe()
    return it


@pytest.fixture
def shard_id(table: DynamoDbTable) -> str:
    return table.shards[0].shard_id


@pytest.fixture
def reader(source: DynamoDbStreamSource, shard_id: str) -> ShardReader:
    return source.open(shard_id, lambda: None)


def read(
    reader: ShardReader, streams: ScriptedStreams, position: Position = HORIZON, limit: int = 10_000
) -> RecordsArrived:
    it = reader.read(position, limit, streams.now_ms)
    assert isinstance(it, RecordsArrived), it
    return it


def failure(
    reader: ShardReader, streams: ScriptedStreams, position: Position = HORIZON
) -> PollFailed:
    it = reader.read(position, 100, streams.now_ms)
    assert isinstance(it, PollFailed), it
    return it


def put(streams: ScriptedStreams, *keys: object) -> None:
    for key in keys:
        streams.table.put_item({"pk": key})


def keys(it: RecordsArrived) -> list[str]:
    return [next(iter(record.json["Keys"]["pk"].values())) for record in it.records]


# --- records -------------------------------------------------------------------------------------


def test_a_function_sees_what_it_would_see_of_the_table_itself(streams, table, reader):
    table.put_item({"pk": "a", "raw": b"\x00\xff", "tags": {"b", "a"}, "none": None})
    table.update_item({"pk": "a"}, note="héllo ☃")
    table.ttl_delete({"pk": "a"})
    arrived = read(reader, streams)
    events = DynamoDbEvents(table.arn, "us-east-1")
    shard_id = table.shards[0].shard_id
    assert events.build(shard_id, arrived.records) == events.build(shard_id, table.records)
    assert arrived.records[2].user_identity is not None


def test_records_weigh_and_are_called_as_those_of_the_table(streams, table, reader):
    put(streams, "a", "b")
    table.ttl_delete({"pk": "b"})
    for wire, own in zip(read(reader, streams).records, table.records, strict=True):
        assert (wire.position, wire.key, wire.size) == (own.position, own.key, own.size)
        assert (wire.arrived_ms, wire.event_id) == (own.arrived_ms, own.event_id)
        assert wire.ordinal == 0, "nobody counts"


def test_keys_of_two_attributes_are_called_alike_in_whatever_order_they_come(streams, reader):
    put(streams, "a", "b")
    it = page_of(streams)
    sk, pk = {"N": "1"}, {"S": "a"}
    it["Records"][0]["dynamodb"]["Keys"] = {"sk": sk, "pk": pk}
    it["Records"][1]["dynamodb"]["Keys"] = {"pk": pk, "sk": sk}
    body = json.dumps(it, separators=(",", ":")).encode()
    streams.next("GetRecords", status(200, body))
    assert {r.key for r in read(reader, streams).records} == {'{"pk":{"S":"a"},"sk":{"N":"1"}}'}


@pytest.mark.parametrize("names", [("Type", "PrincipalId"), ("type", "principalId")])
def test_who_deleted_an_item_may_be_said_in_two_ways(streams, reader, names):
    put(streams, "a")
    (it,) = page_of(streams)["Records"]
    it["userIdentity"] = dict(zip(names, ("Service", "dynamodb.amazonaws.com"), strict=True))
    streams.next("GetRecords", answer(Records=[it], NextShardIterator="next"))
    (record,) = read(reader, streams).records
    assert record.user_identity == TTL_IDENTITY


@pytest.mark.parametrize("shape", [{"indent": 2}, {"separators": (", ", ": ")}, {}])
def test_a_server_that_pads_and_escapes_makes_no_record_heavier(streams, table, reader, shape):
    table.put_item({"pk": "schön"})
    it = page_of(streams)
    streams.next("GetRecords", status(200, json.dumps(it, **shape).encode()))
    assert read(reader, streams).records[0].size <= table.records[0].size


def page_of(streams: ScriptedStreams) -> dict[str, Any]:
    """What the server would answer now, as it stands on the wire."""
    shard_id = streams.table.shards[0].shard_id
    place = {"ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"}
    params = {"StreamArn": streams.table.arn, **place}
    iterator = streams.api.handle("GetShardIterator", params, streams.now_ms)
    it: dict[str, Any] = on_the_wire(streams.api.handle("GetRecords", iterator, streams.now_ms))
    return it


# --- pages ---------------------------------------------------------------------------------------


def test_a_full_page_is_behind_and_any_other_is_all_there_was(streams, reader):
    put(streams, *range(1_500))
    streams.now_ms += 7_000
    first = read(reader, streams)
    assert (len(first.records), first.millis_behind) == (1_000, 7_000)
    rest = read(reader, streams, After(first.records[-1].position))
    assert (len(rest.records), rest.millis_behind) == (500, 0)
    assert read(reader, streams).records == []


def test_a_page_of_large_items_may_have_left_one_behind(streams, table, reader):
    for number in range(3):
        table.put_item({"pk": number, "text": "x" * 390_000})
    first = read(reader, streams)
    assert (keys(first), first.millis_behind) == (["0", "1"], 1)
    assert keys(read(reader, streams, After(first.records[-1].position))) == ["2"]


def test_a_smaller_limit_is_kept(streams, reader):
    put(streams, 1, 2, 3)
    it = read(reader, streams, limit=2)
    assert (keys(it), it.millis_behind > 0) == (["1", "2"], True)
    assert [params["Limit"] for params in streams.asked_for("GetRecords")] == [2]


# --- iterators -----------------------------------------------------------------------------------


def test_an_iterator_is_kept_between_reads(streams, reader):
    for number in range(3):
        put(streams, number)
        assert keys(read(reader, streams)) == [str(number)]
    assert len(streams.asked_for("GetShardIterator")) == 1


def test_an_iterator_that_has_expired_is_told_and_replaced(streams, reader):
    put(streams, 1)
    (record,) = read(reader, streams).records
    put(streams, 2)
    streams.now_ms += 16 * 60_000
    position = After(record.position)
    assert failure(reader, streams, position).reason is PollFailure.EXPIRED_ITERATOR
    assert keys(read(reader, streams, position)) == ["2"]
    *_, asked = streams.asked_for("GetShardIterator")
    assert asked["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"
    assert asked["SequenceNumber"] == record.sequence_number


def test_a_checkpoint_that_is_past_retention_goes_on_at_the_horizon_and_says_so(
    streams, source, shard_id, reader
):
    put(streams, 1, 2)
    checkpoint = After(read(reader, streams, limit=1).records[0].position)
    streams.now_ms += 23 * HOUR_MS
    put(streams, 3)
    streams.now_ms += 2 * HOUR_MS
    again = source.open(shard_id, lambda: None)
    streams.next("GetRecords", error("InternalServerError", number=500))
    streams.next("GetShardIterator", error("TrimmedDataAccessException"))
    assert failure(again, streams, checkpoint).reason is PollFailure.UNAVAILABLE
    it = read(again, streams, checkpoint)
    assert (keys(it), it.trimmed) == (["3"], True)
    assert not read(again, streams, After(it.records[-1].position)).trimmed


def test_a_kept_iterator_whose_place_is_past_retention(streams, reader):
    put(streams, 1)
    (record,) = read(reader, streams).records
    put(streams, 2)
    streams.next("GetRecords", error("TrimmedDataAccessException"))
    it = read(reader, streams, After(record.position))
    assert (keys(it), it.trimmed) == (["1", "2"], True)


def test_numbers_are_long_enough_for_the_api(source):
    assert source.sequence_number_of(7) == "0" * 20 + "7"
    assert source.sequence_number_of(10**30) == str(10**30)


# --- places --------------------------------------------------------------------------------------


def test_records_before_an_instant_are_passed_over_in_one_read(streams, reader):
    put(streams, *range(2_500))
    streams.now_ms += 60_000
    put(streams, "late")
    it = read(reader, streams, AtTimestamp(streams.now_ms - 1_000))
    assert keys(it) == ["late"]


def test_the_whole_second_of_an_instant_is_read(streams, reader):
    put(streams, "before")
    streams.now_ms += 1_100
    put(streams, "within")
    streams.now_ms += 700
    assert keys(read(reader, streams, AtTimestamp(streams.now_ms))) == ["within"]


def test_what_is_too_old_is_not_read_twice(streams, reader):
    put(streams, 1, 2)
    place = AtTimestamp(streams.now_ms + HOUR_MS)
    assert read(reader, streams, place).records == []
    streams.now_ms += HOUR_MS
    put(streams, 3)
    assert failure(reader, streams, place).reason is PollFailure.EXPIRED_ITERATOR
    assert keys(read(reader, streams, place)) == ["3"]
    *_, asked = streams.asked_for("GetShardIterator")
    assert asked["SequenceNumber"] == streams.table.records[1].sequence_number


def test_latest_is_taken_at_once(streams, source, shard_id):
    put(streams, "before")
    streams.now_ms += 400
    position = source.pin(shard_id, Latest(), streams.now_ms)
    assert position == AtTimestamp(streams.now_ms)
    put(streams, "after")
    assert keys(read(source.open(shard_id, lambda: None), streams, position)) == ["after"]


def test_latest_without_a_pin_begins_with_the_first_read(streams, reader):
    put(streams, "before")
    assert read(reader, streams, Latest()).records == []
    put(streams, "after")
    assert keys(read(reader, streams, Latest())) == ["after"]


def test_the_instant_of_latest_is_the_servers_where_that_is_another_machine(
    streams, table, client, shard_id, monkeypatch
):
    monkeypatch.setattr("esm.sources.dynamodb.is_loopback", lambda url: False)
    source = DynamoDbStreamSource(table.arn, client)
    then = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    streams.headers["Date"] = format_datetime(then, usegmt=True)
    assert source.pin(shard_id, Latest(), 0) == AtTimestamp(int(then.timestamp()) * 1_000)
    streams.headers.clear()
    assert source.pin(shard_id, Latest(), 77) == AtTimestamp(77)


# --- faults --------------------------------------------------------------------------------------

UNAVAILABLE, THROTTLED = PollFailure.UNAVAILABLE, PollFailure.THROTTLED


@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (error("LimitExceededException"), THROTTLED),
        (error("ThrottlingException"), THROTTLED),
        (error("InternalServerError", number=500), UNAVAILABLE),
        (error("AccessDeniedException"), UNAVAILABLE),
        (status(503, b"<html>"), UNAVAILABLE),
        (status(400), UNAVAILABLE),
        (status(204), UNAVAILABLE),
        (status(200, b"<html>"), UNAVAILABLE),
        (status(200, b"[]"), UNAVAILABLE),
        (status(200, b"{}"), UNAVAILABLE),
        (status(200, b"\xff\xfe"), UNAVAILABLE),
        (answer(Records=[{"eventID": "1"}]), UNAVAILABLE),
        (answer(Records=[{"eventID": "1", "eventName": "INSERT", "dynamodb": {}}]), UNAVAILABLE),
        (answer(Records=None), UNAVAILABLE),
        (reset, UNAVAILABLE),
        (half_a_body, UNAVAILABLE),
    ],
)
def test_nothing_is_lost_by_a_read_that_fails(
    streams, reader, operation: str, fault: Respond, reason: PollFailure
):
    put(streams, 1, 2)
    streams.next(operation, fault)
    failed = failure(reader, streams)
    assert (failed.reason, bool(failed.error)) == (reason, True)
    it = read(reader, streams)
    assert (keys(it), it.end_of_shard, it.trimmed) == (["1", "2"], False, False)


def test_a_server_that_comes_back(streams, reader):
    put(streams, 1)
    (record,) = read(reader, streams).records
    streams.stop()
    assert failure(reader, streams).reason is UNAVAILABLE
    streams.start()
    put(streams, 2)
    assert keys(read(reader, streams, After(record.position))) == ["2"]


# --- the end of a shard --------------------------------------------------------------------------


def test_a_shard_that_was_rolled_over_ends_and_its_child_follows(streams, table, source, reader):
    put(streams, 1)
    parent, *_ = (shard.shard_id for shard in table.shards)
    table.roll_shard()
    put(streams, 2)
    first = read(reader, streams)
    assert (keys(first), first.end_of_shard, first.millis_behind > 0) == (["1"], False, True)
    last = read(reader, streams, After(first.records[-1].position))
    assert (keys(last), last.end_of_shard) == ([], True)
    first_shard, child = source.list_shards(streams.now_ms)
    assert (first_shard, child.parent_ids) == (Shard(parent), (parent,))
    assert keys(read(source.open(child.shard_id, lambda: None), streams)) == ["2"]


@pytest.mark.parametrize("iterator", [{}, {"NextShardIterator": None}, {"NextShardIterator": ""}])
def test_a_missing_iterator_is_no_end_while_the_shard_is_open(streams, reader, iterator):
    streams.next("GetRecords", answer(Records=[], **iterator))
    assert failure(reader, streams).reason is UNAVAILABLE
    put(streams, 1)
    assert keys(read(reader, streams)) == ["1"]


def test_a_shard_that_is_gone_has_ended_and_nobody_knows_what_was_in_it(
    streams, table, source, shard_id
):
    put(streams, 1)
    table.roll_shard()
    streams.now_ms += 25 * HOUR_MS
    reader = source.open(shard_id, lambda: None)
    it = read(reader, streams)
    assert (keys(it), it.end_of_shard, it.trimmed) == ([], True, True)


def test_a_stream_that_is_gone_is_not_the_end_of_its_shards(streams, reader):
    put(streams, 1)
    read(reader, streams)
    streams.api = DynamoDbStreamsApi({})
    assert "not found" in failure(reader, streams).error


def test_a_stream_that_was_made_anew_is_not_the_end_either(streams, table, reader):
    streams.now_ms += 1_000
    again = DynamoDbTable("users", now=lambda: streams.now_ms)
    streams.api = DynamoDbStreamsApi({"users": again})
    streams.next("GetShardIterator", error("ResourceNotFoundException"))
    assert "created again" in failure(reader, streams).error


# --- the stream ----------------------------------------------------------------------------------


def test_the_incarnation_is_the_instant_of_creation_and_the_server(streams, source):
    assert source.incarnation == str(START_MS)
    streams.headers["x-esm-incarnation"] = "first"
    source.describe()
    assert source.incarnation == f"{START_MS}/first"


def test_records_of_a_server_that_was_started_anew_are_not_taken(streams, source, reader):
    streams.headers["x-esm-incarnation"] = "first"
    source.describe()
    put(streams, 1)
    streams.headers["x-esm-incarnation"] = "second"
    assert "started anew" in failure(reader, streams).error


@pytest.mark.parametrize("state", ["ENABLING", "ENABLED", "DISABLING", "DISABLED"])
def test_a_stream_can_be_read_in_every_state(streams, source, state):
    description = {"StreamStatus": state, "CreationRequestDateTime": 5.5, "Shards": []}
    streams.next("DescribeStream", answer(StreamDescription=description))
    source.describe()
    assert source.incarnation == "5500"


def called(name: str) -> str:
    """An id that is long enough for the API."""
    return f"shardId-{name:0>24}"


def shard(name: str, parent: str | None = None) -> dict[str, Any]:
    of = {"ParentShardId": called(parent)} if parent else {}
    return {"ShardId": called(name), "SequenceNumberRange": {}, **of}


def test_shards_come_page_by_page_and_parents_first(streams, source):
    child, grandchild, parent = called("child"), called("grandchild"), called("parent")
    pages = [
        {"Shards": [shard("child", "parent"), shard("grandchild", "child")],
         "LastEvaluatedShardId": grandchild},
        {"Shards": [shard("parent", "expired"), shard("single")]},
    ]  # fmt: skip
    streams.next("DescribeStream", *(answer(StreamDescription=page) for page in pages))
    listed = source.list_shards(streams.now_ms)
    ids = [each.shard_id for each in listed]
    assert sorted(ids) == sorted([child, grandchild, parent, called("single")])
    assert ids.index(parent) < ids.index(child) < ids.index(grandchild)
    assert Shard(parent, (called("expired"),)) in listed
    *_, asked = streams.asked_for("DescribeStream")
    assert asked["ExclusiveStartShardId"] == grandchild


@pytest.mark.parametrize(
    ("fault", "is_fatal"),
    [
        (error("ResourceNotFoundException"), True),
        (error("AccessDeniedException"), True),
        (error("UnrecognizedClientException"), True),
        (error("LimitExceededException"), False),
        (error("InternalServerError", number=500), False),
        (status(200, b"<html>"), False),
        (answer(StreamDescription={"Shards": [shard("a", "b"), shard("b", "a")]}), False),
        (reset, False),
        (half_a_body, False),
    ],
)
def test_a_stream_that_cannot_be_asked_now(streams, source, fault, is_fatal):
    streams.next("DescribeStream", fault)
    with pytest.raises(SourceUnavailable) as raised:
        source.list_shards(streams.now_ms)
    assert raised.value.fatal is is_fatal


def test_latest_cannot_be_pinned_now(streams, source, shard_id):
    streams.next("GetShardIterator", error("InternalServerError", number=500))
    with pytest.raises(SourceUnavailable):
        source.pin(shard_id, Latest(), streams.now_ms)


def test_an_emulators_host_has_no_account_in_its_name(client, server):
    assert client.meta.config.account_id_endpoint_mode == "disabled"
    assert client.meta.endpoint_url == server.url
