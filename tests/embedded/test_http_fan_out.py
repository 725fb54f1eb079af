"""SubscribeToShard over HTTP, read by botocore's own parser of event streams."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st
from over_http import Clients, wait_for

from esm.embedded.api import ApiError
from esm.embedded.aws import EmbeddedAws
from esm.embedded.http import event_stream

SHARD = "shardId-000000000000"


@pytest.fixture
def consumer(clients: Clients, request: pytest.FixtureRequest) -> str:
    """The ARN of a consumer of a stream that has the test's name."""
    kinesis, name = clients("kinesis"), request.node.name[:100]
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
    made = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="fast")
    return str(made["Consumer"]["ConsumerARN"])


def stream_of(consumer: str) -> str:
    return consumer.partition("/consumer/")[0].rpartition("/")[2]


def subscribe(clients: Clients, consumer: str, kind: str = "TRIM_HORIZON") -> Any:
    answer = clients("kinesis").subscribe_to_shard(
        ConsumerARN=consumer, ShardId=SHARD, StartingPosition={"Type": kind}
    )
    return answer["EventStream"]


def events(stream: Any) -> Iterator[dict[str, Any]]:
    return (each["SubscribeToShardEvent"] for each in stream)


def records(stream: Any) -> Iterator[bytes]:
    return (record["Data"] for event in events(stream) for record in event["Records"])


def test_records_are_pushed_as_they_come(clients: Clients, consumer: str):
    put = clients("kinesis").put_record
    put(StreamName=stream_of(consumer), Data=b"before", PartitionKey="a")
    with closing(subscribe(clients, consumer)) as stream:
        pushed = records(stream)
        assert next(pushed) == b"before"
        for data in (b"1", b"\x00\xff"):
            put(StreamName=stream_of(consumer), Data=data, PartitionKey="a")
            assert next(pushed) == data


def test_an_event_tells_where_to_go_on(clients: Clients, consumer: str):
    clients("kinesis").put_record(StreamName=stream_of(consumer), Data=b"1", PartitionKey="a")
    with closing(subscribe(clients, consumer)) as stream:
        event = next(event for event in events(stream) if event["Records"])
    assert event["ContinuationSequenceNumber"] == event["Records"][0]["SequenceNumber"]
    assert event["MillisBehindLatest"] == 0


def test_the_end_of_a_shard_ends_the_subscription(clients: Clients, consumer: str):
    clients("kinesis").put_record(StreamName=stream_of(consumer), Data=b"1", PartitionKey="a")
    clients("kinesis").split_shard(
        StreamName=stream_of(consumer), ShardToSplit=SHARD, NewStartingHashKey=str(2**127)
    )
    with closing(subscribe(clients, consumer)) as stream:
        found = list(events(stream))
    assert [r["Data"] for event in found for r in event["Records"]] == [b"1"]
    children = [child["ShardId"] for child in found[-1]["ChildShards"]]
    assert children == ["shardId-000000000001", "shardId-000000000002"]


def test_a_second_subscription_is_refused_at_once(clients: Clients, consumer: str):
    kinesis = clients("kinesis")
    with closing(subscribe(clients, consumer)) as stream:
        next(events(stream))
        with pytest.raises(kinesis.exceptions.ResourceInUseException):
            subscribe(clients, consumer)


def test_a_connection_that_is_lost_frees_the_place(clients: Clients, consumer: str):
    with closing(subscribe(clients, consumer)) as stream:
        next(events(stream))

    def again() -> Any:
        try:
            return subscribe(clients, consumer)
        except clients("kinesis").exceptions.ResourceInUseException:
            return None

    with closing(wait_for(again)) as stream:
        assert next(events(stream))["Records"] == []


def test_a_stream_that_is_deleted_tells_its_subscribers(clients: Clients, consumer: str):
    with closing(subscribe(clients, consumer)) as stream:
        pushed = events(stream)
        next(pushed)
        clients("kinesis").delete_stream(
            StreamName=stream_of(consumer), EnforceConsumerDeletion=True
        )
        with pytest.raises(Exception, match="ResourceNotFoundException"):
            list(pushed)


def test_a_server_that_stops_ends_its_subscriptions():
    with EmbeddedAws(port=0) as aws, ThreadPoolExecutor(1) as reader:
        clients = Clients(aws.url)
        clients("kinesis").create_stream(StreamName="s", ShardCount=1)
        arn = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
        made = clients("kinesis").register_stream_consumer(StreamARN=arn, ConsumerName="fast")
        stream = subscribe(clients, made["Consumer"]["ConsumerARN"])
        pushed = events(stream)
        next(pushed)
        rest = reader.submit(list, pushed)
        aws.stop()
        assert all(event["Records"] == [] for event in rest.result(timeout=2))
        stream.close()
        clients.close()


# --- the form ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(min_size=1, max_size=40), st.binary(max_size=300)), max_size=5))
def test_botocore_reads_every_message_that_we_write(messages: list[tuple[str, bytes]]):
    buffer = EventStreamBuffer()
    for kind, body in messages:
        buffer.add_data(event_stream.event(kind, body))
    read = [(each.headers[":event-type"], each.payload) for each in buffer]
    assert read == messages


def test_a_message_is_what_the_specification_says():
    raw = event_stream.event("E", b"{}")
    total, of_headers, checksum = struct.unpack(">III", raw[:12])
    assert (total, checksum) == (len(raw), crc32(raw[:8]))
    assert struct.unpack(">I", raw[-4:]) == (crc32(raw[:-4]),)
    assert raw[12 : 12 + of_headers].startswith(b"\x0b:event-type\x07\x00\x01E")
    assert raw[12 + of_headers : -4] == b"{}"


def test_an_error_is_an_exception_in_the_stream():
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream.exception(ApiError("ResourceInUseException", "taken")))
    (message,) = buffer
    assert message.headers[":message-type"] == "exception"
    assert message.headers[":exception-type"] == "ResourceInUseException"
    assert message.payload == b'{"message":"taken"}'


def test_the_answer_of_the_operation_comes_first():
    buffer = EventStreamBuffer()
    buffer.add_data(event_stream.initial_response())
    (message,) = buffer
    assert (message.headers[":event-type"], message.payload) == ("initial-response", b"{}")
