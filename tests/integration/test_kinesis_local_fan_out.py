"""Enhanced fan-out from a server that we did not write, while shards split and merge."""

from __future__ import annotations

from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator
from threading import Event, Thread, Timer
from typing import Any

import pytest
from test_kinesis_local import ARN, KEYS, PATIENCE_MS, PER_KEY, REGION, Stream, clock

from esm.checkpoints.memory import MemoryCheckpoints
from esm.core.messages import RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, TrimHorizon
from esm.invokers.inline import Function
from esm.invokers.live import LiveFunction
from esm.live import LiveRun
from esm.mapping import create
from esm.payloads.kinesis import KinesisRecord
from esm.ports import SourceUnavailable
from esm.runner import Ended
from esm.settings import Settings
from esm.sources.kinesis_subscription import KinesisConsumerSource
from esm.sources.kinesis_subscription_pace import Pace
from esm.sources.live_clients import live_client

pytestmark = pytest.mark.kinesis_local

QUICK = Pace(between_ms=0, first_ms=50, cap_ms=200, look_ms=100)


@pytest.fixture(scope="module")
def client(kinesis_local: str) -> Iterator[Any]:
    it = live_client("kinesis", kinesis_local, REGION)
    yield it
    it.close()


@pytest.fixture
def stream(client: Any) -> Stream:
    return Stream(client)


@pytest.fixture
def consumer(stream: Stream, client: Any) -> KinesisConsumerSource:
    arn = client.describe_stream_summary(StreamName=stream.name)["StreamDescriptionSummary"][
        "StreamARN"
    ]
    registered = client.register_stream_consumer(StreamARN=arn, ConsumerName="fast")
    it = KinesisConsumerSource(registered["Consumer"]["ConsumerARN"], client, pace=QUICK)
    until_ms = clock.now_ms() + PATIENCE_MS
    while not is_there(it):
        assert clock.now_ms() < until_ms
        clock.wait_until(clock.now_ms() + 20)
    return it


def is_there(consumer: KinesisConsumerSource) -> bool:
    """Whether it can be read yet."""
    try:
        consumer.describe()
    except SourceUnavailable as error:
        if error.fatal:
            raise
        return False
    return True


def pushed(
    consumer: KinesisConsumerSource, shard_id: str, position: Position, wanted: int
) -> list[KinesisRecord]:
    """As many records as are wanted, from a subscription of its own."""
    told = Event()
    reader = consumer.open(shard_id, told.set)
    found: list[KinesisRecord] = []
    while len(found) < wanted:
        told.clear()
        if reader.ready_ms(position, clock.now_ms()) is None:
            assert told.wait(PATIENCE_MS / 1000), f"{len(found)} records"
        arrived = reader.read(position, 100, clock.now_ms())
        if isinstance(arrived, RecordsArrived):
            assert not arrived.trimmed
            found += arrived.records
        else:  # the one before is not over yet, as far as the server knows
            assert "ResourceInUseException" in arrived.error
    reader.close()
    return found


def put(stream: Stream, *numbers: int) -> None:
    for number in numbers:
        stream.client.put_record(StreamName=stream.name, Data=b"%d" % number, PartitionKey="key")


def numbers(records: list[KinesisRecord]) -> list[int]:
    return [int(record.data) for record in records]


def shard_of_key(stream: Stream) -> str:
    put(stream, 0)
    reply = stream.client.put_record(StreamName=stream.name, Data=b"1", PartitionKey="key")
    return str(reply["ShardId"])


def test_records_are_pushed_and_a_checkpoint_goes_on(stream: Stream, consumer):
    shard_id = shard_of_key(stream)
    put(stream, 2, 3)
    first = pushed(consumer, shard_id, TrimHorizon(), 4)
    assert numbers(first) == [0, 1, 2, 3]
    again = pushed(consumer, shard_id, After(first[1].position), 2)
    assert numbers(again) == [2, 3]


def test_latest_is_exact(stream: Stream, consumer):
    shard_id = shard_of_key(stream)
    position = consumer.pin(shard_id, Latest(), clock.now_ms())
    assert isinstance(position, AtTimestamp)
    put(stream, 2, 3)
    assert numbers(pushed(consumer, shard_id, position, 2)) == [2, 3]


def put_all(stream: Stream) -> None:
    """Ordered by key: a number is put when the one before it has an answer."""
    for number in range(PER_KEY):
        records = [{"Data": b"%d" % number, "PartitionKey": f"key-{key}"} for key in range(KEYS)]
        assert stream.client.put_records(StreamName=stream.name, Records=records)[
            "FailedRecordCount"
        ] == 0  # fmt: skip
        if number == 10:
            stream.split()
        if number == 20:
            stream.merge()


def test_a_live_run_delivers_it_all_in_order_over_splits_and_merges(stream: Stream, consumer):
    delivered: list[tuple[str, int]] = []
    everything = KEYS * PER_KEY

    def handler(event: dict[str, Any], context: object) -> None:
        for record in event["Records"]:
            kinesis = record["kinesis"]
            delivered.append((kinesis["partitionKey"], int(b64decode(kinesis["data"]))))
        if len(delivered) == everything:
            run.stop()

    run = LiveRun(MemoryCheckpoints(), Settings(), lambda entry: None)
    function = LiveFunction("count", lambda: handler, Function("count"), ARN, run.clock.now_ms)
    mapping = {"event_source_arn": consumer.arn, "function_name": ARN,
               "starting_position": "TRIM_HORIZON"}  # fmt: skip
    run.map("count", consumer, function, ARN, create(mapping, now_ms=clock.now_ms()))
    putting, patience = Thread(target=put_all, args=(stream,)), Timer(PATIENCE_MS / 1000, run.stop)
    patience.start()
    putting.start()
    ended = run.run()
    patience.cancel()
    putting.join()

    assert ended is Ended.STOPPED
    found: dict[str, list[int]] = defaultdict(list)
    for key, number in delivered:
        found[key].append(number)
    assert found == {f"key-{key}": list(range(PER_KEY)) for key in range(KEYS)}
