"""A stream is split and merged while records are put, with code that we did not write behind it."""

from __future__ import annotations

from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from threading import Event, Thread, Timer
from typing import Any

import pytest

from esm.checkpoints.memory import MemoryCheckpoints
from esm.clock import SystemClock
from esm.core.messages import OpenShard, RecordsArrived, ShardDone, ShardsListed
from esm.core.model import After, Position, TrimHorizon
from esm.core.stream import StreamMachine
from esm.invokers.inline import Function
from esm.invokers.live import LiveFunction
from esm.live import LiveRun
from esm.mapping import create
from esm.payloads.kinesis import KinesisRecord
from esm.ports import ShardReader
from esm.runner import Ended
from esm.settings import Settings
from esm.sources.kinesis import KinesisSource
from esm.sources.live_clients import live_client

pytestmark = pytest.mark.kinesis_local

REGION = "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:count"
KEYS = 12
PER_KEY = 50
PATIENCE_MS = 30_000
names = (f"stream-{number}" for number in count(1))
clock = SystemClock()


@pytest.fixture(scope="module")
def client(kinesis_local: str) -> Iterator[Any]:
    it = live_client("kinesis", kinesis_local, REGION)
    yield it
    it.close()


class Stream:
    """A stream of two shards, into which somebody puts while its shards change."""

    def __init__(self, client: Any) -> None:
        self.name = next(names)
        self.client = client
        client.create_stream(StreamName=self.name, ShardCount=2)
        self.wait_until_active()
        arn = f"arn:aws:kinesis:{REGION}:123456789012:stream/{self.name}"
        self.source = KinesisSource(arn, client)
        self.source.describe()
        self.all_put = Event()

    def wait_until_active(self) -> None:
        waiter = self.client.get_waiter("stream_exists")
        waiter.wait(StreamName=self.name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})

    def open_shards(self) -> list[dict[str, Any]]:
        shards = self.client.list_shards(StreamName=self.name)["Shards"]
        return [s for s in shards if "EndingSequenceNumber" not in s["SequenceNumberRange"]]

    def split(self) -> None:
        shard = self.open_shards()[0]
        first, last = (int(key) for key in shard["HashKeyRange"].values())
        low, high = min(first, last), max(first, last)
        self.client.split_shard(
            StreamName=self.name,
            ShardToSplit=shard["ShardId"],
            NewStartingHashKey=str((low + high) // 2),
        )
        self.wait_until_active()

    def merge(self) -> None:
        left, right = sorted(
            self.open_shards(), key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"])
        )[:2]
        self.client.merge_shards(
            StreamName=self.name,
            ShardToMerge=left["ShardId"],
            AdjacentShardToMerge=right["ShardId"],
        )
        self.wait_until_active()

    def put_all(self) -> None:
        """Ordered by key: a number is put when the one before it has an answer."""
        for number in range(PER_KEY):
            records = [
                {"Data": b"%d" % number, "PartitionKey": f"key-{key}"} for key in range(KEYS)
            ]
            answer = self.client.put_records(StreamName=self.name, Records=records)
            assert answer["FailedRecordCount"] == 0
            if number in {10, 20, 30}:
                self.split()
            if number in {15, 25, 40}:
                self.merge()
        self.all_put.set()


class Readers:
    """A mapping's shards, read one after the other; a child when its parents are done."""

    def __init__(self, source: KinesisSource) -> None:
        self.source = source
        self.machine = StreamMachine(TrimHorizon())
        self.readers: dict[str, tuple[ShardReader, Position]] = {}
        self.read: list[KinesisRecord] = []
        self.ended: list[str] = []
        self.opened: list[str] = []
        self.discover()

    def discover(self) -> None:
        shards = tuple(self.source.list_shards(clock.now_ms()))
        for command in self.machine.handle(ShardsListed(shards)):
            assert isinstance(command, OpenShard)
            reader = self.source.open(command.shard_id, lambda: None)
            self.readers[command.shard_id] = reader, command.position
            self.opened.append(command.shard_id)

    def poll(self) -> bool:
        """Read each open shard once; whether nothing is left in any of them."""
        is_dry = True
        for shard_id, (reader, position) in list(self.readers.items()):
            arrived = reader.read(position, 20, clock.now_ms())
            assert isinstance(arrived, RecordsArrived), arrived
            assert not arrived.trimmed
            if arrived.records:
                self.read += arrived.records
                self.readers[shard_id] = reader, After(arrived.records[-1].position)
            is_dry &= not arrived.records and arrived.millis_behind == 0
            if arrived.end_of_shard:
                is_dry = False
                del self.readers[shard_id]
                self.ended.append(shard_id)
                self.machine.handle(ShardDone(shard_id))
                self.discover()
        return is_dry

    def drain(self, stream: Stream) -> None:
        until_ms = clock.now_ms() + PATIENCE_MS
        is_over = False
        while not is_over:
            all_put = stream.all_put.is_set()
            is_over = self.poll() and all_put
            assert clock.now_ms() < until_ms, f"{len(self.read)} records read"


@pytest.fixture
def stream(client: Any) -> Stream:
    return Stream(client)


def numbers_by_key(records: list[KinesisRecord]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for record in records:
        found[record.key].append(int(record.data))
    return found


def test_nothing_is_lost_and_keys_keep_their_order_while_shards_split_and_merge(stream: Stream):
    putting = Thread(target=stream.put_all)
    putting.start()
    readers = Readers(stream.source)
    readers.drain(stream)
    putting.join()

    assert numbers_by_key(readers.read) == {
        f"key-{key}": list(range(PER_KEY)) for key in range(KEYS)
    }
    assert (len(readers.opened), len(readers.ended)) == (2 + 3 * 2 + 3 * 1, 3 * 1 + 3 * 2)


def test_a_shard_is_opened_after_its_parents(stream: Stream):
    stream.split()
    stream.merge()
    readers = Readers(stream.source)
    stream.all_put.set()
    readers.drain(stream)

    parents = {s.shard_id: s.parent_ids for s in stream.source.list_shards(clock.now_ms())}
    order = {shard_id: place for place, shard_id in enumerate(readers.opened)}
    assert order.keys() == parents.keys()
    assert all(order[p] < order[s] for s, of_it in parents.items() for p in of_it)
    assert {len(of_it) for of_it in parents.values()} == {0, 1, 2}


def test_a_restart_in_the_middle_of_a_parent(stream: Stream):
    for number in range(6):
        stream.client.put_record(StreamName=stream.name, Data=b"%d" % number, PartitionKey="key")
    before = Readers(stream.source)
    while not before.read:
        before.poll()
    checkpoint = before.read[2]
    stream.split()

    again = stream.source.open(checkpoint.shard_id, lambda: None)
    arrived = again.read(After(checkpoint.position), 100, clock.now_ms())
    assert isinstance(arrived, RecordsArrived)
    assert [int(record.data) for record in arrived.records] == [3, 4, 5]
    assert not arrived.trimmed


def test_a_live_run_delivers_it_all_in_order(stream: Stream):
    delivered: list[tuple[str, int]] = []

    def handler(event: dict[str, Any], context: object) -> None:
        for record in event["Records"]:
            kinesis = record["kinesis"]
            delivered.append((kinesis["partitionKey"], int(b64decode(kinesis["data"]))))

    run = LiveRun(MemoryCheckpoints(), Settings(), lambda entry: None, poll_interval_ms=20)
    function = LiveFunction("count", lambda: handler, Function("count"), ARN, run.clock.now_ms)
    mapping = {"event_source_arn": stream.source.arn, "function_name": ARN,
               "starting_position": "TRIM_HORIZON"}  # fmt: skip
    run.map("count", stream.source, function, ARN, create(mapping, now_ms=clock.now_ms()))
    run.keep_busy(+1)

    def put() -> None:
        stream.put_all()
        run.keep_busy(-1)

    putting, patience = Thread(target=put), Timer(PATIENCE_MS / 1000, run.stop)
    patience.start()
    putting.start()
    ended = run.run("idle")
    patience.cancel()
    putting.join()

    assert ended is Ended.IDLE
    found: dict[str, list[int]] = defaultdict(list)
    for key, number in delivered:
        found[key].append(number)
    assert found == {f"key-{key}": list(range(PER_KEY)) for key in range(KEYS)}
