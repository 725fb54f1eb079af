"""SubscribeToShard at the level of the API: what a consumer is pushed, when, and for how long."""

from __future__ import annotations

import json

import pytest
from kinesis_world import ARN, FIRST, SECOND, START_MS, World

from esm.embedded.kinesis_errors import KinesisApiError
from esm.embedded.kinesis_subscribe import HEARTBEAT_MS, Subscription
from esm.errors import EndpointError
from esm.instants import from_ms

DELAY_MS = 70


@pytest.fixture
def world() -> World:
    world = World()
    world.stream()
    return world


def data_of(world: World, subscription: Subscription) -> list[bytes]:
    event = subscription.next_event(world.now_ms)
    return [] if event is None else [record.data for record in event.records]


def ended(world: World, subscription: Subscription) -> KinesisApiError:
    with pytest.raises(KinesisApiError) as refusal:
        subscription.next_event(world.now_ms)
    return refusal.value


def test_the_first_event_comes_at_once_and_says_where_the_subscription_stands(world):
    event = world.subscribe(world.consumer()).next_event(world.now_ms)
    first = world.streams["orders"].shards[0].starting_sequence_number
    assert event is not None
    assert event.shown() == {
        "Records": [],
        "ContinuationSequenceNumber": first,
        "ChildShards": [],
        "MillisBehindLatest": 0,
    }


def test_records_are_pushed_when_they_have_come_and_the_delay_is_over(world):
    subscription = world.subscribe(world.consumer(), "LATEST")
    assert data_of(world, subscription) == []
    record = world.streams["orders"].put("hi", key="a")
    assert world.woken == 1
    assert subscription.next_event(world.now_ms) is None
    assert subscription.ready_ms(world.now_ms) == world.now_ms + DELAY_MS
    world.now_ms += DELAY_MS
    event = subscription.next_event(world.now_ms)
    assert event is not None
    assert event.shown() == {
        "Records": [
            {
                "SequenceNumber": record.sequence_number,
                "ApproximateArrivalTimestamp": from_ms(START_MS),
                "Data": b"hi",
                "PartitionKey": "a",
            }
        ],
        "ContinuationSequenceNumber": record.sequence_number,
        "ChildShards": [],
        "MillisBehindLatest": 0,
    }
    assert json.loads(event.json()) == event.shown() | {
        "Records": [
            {
                "SequenceNumber": record.sequence_number,
                "ApproximateArrivalTimestamp": START_MS / 1000,
                "Data": "aGk=",
                "PartitionKey": "a",
            }
        ]
    }


def test_an_aggregate_is_pushed_whole(world):
    data = bytes.fromhex("f3899ac2") + b"not even well made"
    world.streams["orders"].put(data)
    world.now_ms += DELAY_MS
    assert data_of(world, world.subscribe(world.consumer())) == [data]


def test_many_records_come_in_many_events(world):
    world.streams["orders"].put_many(str(number) for number in range(2_500))
    world.now_ms += DELAY_MS
    subscription = world.subscribe(world.consumer())
    sizes = [len(data_of(world, subscription)) for _ in range(4)]
    assert sizes == [1_000, 1_000, 500, 0]


def test_a_quiet_shard_sends_signs_of_life(world):
    subscription = world.subscribe(world.consumer())
    assert subscription.next_event(world.now_ms) is not None
    assert subscription.next_event(world.now_ms) is None
    assert subscription.ready_ms(world.now_ms) == world.now_ms + HEARTBEAT_MS
    world.now_ms += HEARTBEAT_MS
    event = subscription.next_event(world.now_ms)
    assert event is not None
    assert event.records == []


def test_the_continuation_goes_on_where_the_last_event_ended(world):
    orders, arn = world.streams["orders"], world.consumer()
    orders.put("a")
    world.now_ms += DELAY_MS
    subscription = world.subscribe(arn)
    event = subscription.next_event(world.now_ms)
    subscription.close()
    orders.put("b")
    world.now_ms += DELAY_MS
    assert event is not None
    onward = {"SequenceNumber": event.continuation}
    assert data_of(world, world.subscribe(arn, "AFTER_SEQUENCE_NUMBER", **onward)) == [b"b"]
    world.now_ms += 6_000
    again = world.subscribe(arn, "AT_SEQUENCE_NUMBER", **onward)
    assert data_of(world, again) == [b"a", b"b"]


def test_a_continuation_without_records_is_a_place_too(world):
    arn = world.consumer()
    subscription = world.subscribe(arn, "TRIM_HORIZON")
    event = subscription.next_event(world.now_ms)
    subscription.close()
    assert event is not None
    world.streams["orders"].put("a")
    world.now_ms += DELAY_MS
    where = {"SequenceNumber": event.continuation}
    assert data_of(world, world.subscribe(arn, "AFTER_SEQUENCE_NUMBER", **where)) == [b"a"]


def test_a_subscription_may_begin_at_an_instant(world):
    orders = world.streams["orders"]
    orders.put("old")
    world.now_ms += 1_000
    orders.put("new")
    world.now_ms += DELAY_MS
    at = from_ms(START_MS + 1)
    assert data_of(world, world.subscribe(world.consumer(), "AT_TIMESTAMP", Timestamp=at)) == [
        b"new"
    ]


def test_the_end_of_a_closed_shard_names_its_children_and_is_the_end(world):
    orders = world.streams["orders"]
    subscription = world.subscribe(world.consumer())
    orders.put("last")
    orders.split()
    world.now_ms += DELAY_MS
    event = subscription.next_event(world.now_ms)
    assert event is not None
    shown = event.shown()
    assert [record["Data"] for record in shown["Records"]] == [b"last"]
    assert [child["ShardId"] for child in shown["ChildShards"]] == [
        SECOND, "shardId-000000000002",
    ]  # fmt: skip
    assert "ContinuationSequenceNumber" not in shown
    assert subscription.is_over
    assert subscription.next_event(world.now_ms) is None


def test_a_subscription_lasts_five_minutes(world):
    subscription = world.subscribe(world.consumer())
    world.now_ms += 299_999
    subscription.next_event(world.now_ms)
    assert not subscription.is_over
    assert subscription.ready_ms(world.now_ms) == START_MS + 300_000
    world.now_ms += 1
    assert subscription.next_event(world.now_ms) is None
    assert subscription.is_over


# --- one for each consumer and shard -------------------------------------------------------------


def test_a_second_subscription_is_refused_for_five_seconds_and_takes_over_later(world):
    arn = world.consumer()
    older = world.subscribe(arn)
    older.next_event(world.now_ms)
    world.now_ms += 4_999
    with pytest.raises(KinesisApiError) as refusal:
        world.subscribe(arn)
    assert refusal.value.code == "ResourceInUseException"
    world.now_ms += 1
    newer = world.subscribe(arn)
    assert world.woken == 1
    assert ended(world, older).code == "ResourceInUseException"
    assert older.is_over
    assert newer.next_event(world.now_ms) is not None
    assert world.api.find({"ConsumerARN": arn}) is world.streams["orders"]


def test_a_connection_that_is_gone_is_not_in_the_way(world):
    arn = world.consumer()
    world.subscribe(arn).close()
    assert world.subscribe(arn).next_event(world.now_ms) is not None


def test_consumers_do_not_share_a_subscription(world):
    world.streams["orders"].put("a")
    world.now_ms += DELAY_MS
    subscriptions = [world.subscribe(world.consumer(name)) for name in ("one", "two")]
    assert [data_of(world, each) for each in subscriptions] == [[b"a"], [b"a"]]


@pytest.mark.parametrize("change", ["consumer", "stream"])
def test_it_ends_when_its_consumer_or_stream_is_gone(world, change):
    arn = world.consumer()
    subscription = world.subscribe(arn)
    if change == "consumer":
        world.call("DeregisterStreamConsumer", ConsumerARN=arn)
    else:
        world.call("DeleteStream", StreamName="orders", EnforceConsumerDeletion=True)
    assert world.woken >= 1
    assert ended(world, subscription).code == "ResourceNotFoundException"
    assert subscription.is_over


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"arn": f"{ARN}/consumer/nobody:1"}, "ResourceNotFoundException"),
        ({"arn": "arn:aws:kinesis:us-east-1:123456789012:stream/x/consumer/fast:1"},
         "ResourceNotFoundException"),
        ({"shard": "shardId-9"}, "ResourceNotFoundException"),
        ({"start": "SOMEWHERE"}, "ValidationException"),
        ({"start": "AT_SEQUENCE_NUMBER"}, "ValidationException"),
        ({"start": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}, "InvalidArgumentException"),
        ({"start": "AT_TIMESTAMP"}, "InvalidArgumentException"),
        ({"arn": "fast"}, "ValidationException"),
    ],
)  # fmt: skip
def test_what_aws_refuses(world, change, code):
    ask = {"arn": world.consumer()} | change
    with pytest.raises(KinesisApiError) as refusal:
        world.subscribe(**ask)
    assert refusal.value.code == code


def test_a_consumer_gets_two_megabytes_a_second_where_there_are_limits():
    world = World(limits=True)
    orders = world.stream()
    for _ in range(4):
        orders.put(b"x" * 1_000_000)
        world.now_ms += 2_000
    subscription = world.subscribe(world.consumer())
    got = []
    for _ in range(4):
        got.append(len(data_of(world, subscription)))
        world.now_ms += 500
    assert got == [2, 0, 2, 0]


def test_the_call_itself_needs_a_connection(world):
    with pytest.raises(EndpointError, match=r"E502 .*SubscribeToShard in a Harness"):
        world.call("SubscribeToShard", ConsumerARN=world.consumer(), ShardId=FIRST)
