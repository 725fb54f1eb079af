"""Many threads at one embedded stream: what they put is there, once, and in order."""

from __future__ import annotations

import json
import sys
import threading
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count, groupby, pairwise
from typing import Any

import pytest
from kinesis_world import ARN, World

from esm.embedded.kinesis_wire import handle_json
from esm.sources.memory_reader import MemoryReader

WRITERS, CALLS, RECORDS = 8, 40, 25


@pytest.fixture(autouse=True)
def _impatient_threads() -> Iterator[None]:
    """Threads take turns a hundred times as often as they usually do."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 100)
    yield
    sys.setswitchinterval(usual)


class TickingWorld(World):
    """A millisecond passes with each call."""

    def __init__(self) -> None:
        super().__init__()
        self._clock = threading.Lock()

    def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """A call as it comes over the wire, by any thread."""
        with self._clock:
            self.now_ms = now_ms = self.now_ms + 1
        body = json.dumps(params).encode()
        answer: dict[str, Any] = json.loads(handle_json(self.api, operation, body, now_ms))
        return answer


def side_by_side(*jobs: Callable[[], None]) -> None:
    """Run jobs in threads; what goes wrong in one of them goes wrong here."""
    errors: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=[job], daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def put(world: TickingWorld, writer: int) -> None:
    for call in range(CALLS):
        numbers = range(call * RECORDS, (call + 1) * RECORDS)
        records = [
            {
                "Data": b64encode(f"{writer}:{number}".encode()).decode(),
                "PartitionKey": f"{writer}-{number % 3}",
            }
            for number in numbers
        ]
        answer = world.ask("PutRecords", StreamARN=ARN, Records=records)
        assert answer["FailedRecordCount"] == 0


def reshard(world: TickingWorld, writing: threading.Event) -> None:
    update = {"StreamARN": ARN, "ScalingType": "UNIFORM_SCALING"}
    for target in (3, 2, 4, 3, 5, 3, 6, 4):
        if writing.is_set():
            world.ask("UpdateShardCount", TargetShardCount=target, **update)
        world.ask("DescribeStream", StreamARN=ARN)
        world.ask("ListShards", StreamARN=ARN)


def read_shard(world: TickingWorld, shard_id: str, is_last: Callable[[], bool]) -> list[str]:
    """Payloads of a shard, to its end; an open shard ends when an empty read was the last one."""
    iterator = world.ask(
        "GetShardIterator", StreamARN=ARN, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    got: list[str] = []
    while iterator is not None:
        done = is_last()
        answer = world.ask("GetRecords", ShardIterator=iterator, Limit=100)
        got += [b64decode(record["Data"]).decode() for record in answer["Records"]]
        iterator = answer.get("NextShardIterator")
        if done and not answer["Records"]:
            break
    return got


def read_all(world: TickingWorld, is_last: Callable[[], bool], into: list[str]) -> None:
    """Every shard, parents before children, which is the order of their ids."""
    seen: set[str] = set()
    while True:
        done = is_last()
        shards = [s["ShardId"] for s in world.ask("ListShards", StreamARN=ARN)["Shards"]]
        fresh = [shard_id for shard_id in shards if shard_id not in seen]
        if done and not fresh:
            return
        for shard_id in fresh:
            seen.add(shard_id)
            into += read_shard(world, shard_id, is_last)


def test_nothing_is_lost_and_keys_keep_their_order_while_shards_split_and_merge():
    world = TickingWorld()
    world.stream(shards=2)
    writing, written = threading.Event(), threading.Event()
    writing.set()
    left = count(1)
    reads: list[list[str]] = [[], []]

    def write(writer: int) -> None:
        put(world, writer)
        if next(left) == WRITERS:
            written.set()

    side_by_side(
        *(lambda writer=writer: write(writer) for writer in range(WRITERS)),
        lambda: reshard(world, writing),
        *(lambda into=into: read_all(world, written.is_set, into) for into in reads),
    )
    everything = {
        f"{writer}:{number}" for writer in range(WRITERS) for number in range(CALLS * RECORDS)
    }
    assert len(world.streams["orders"].shards) > 10
    for got in reads:
        assert Counter(got) == Counter(everything)
    records = world.streams["orders"].records
    by_key = sorted(records, key=lambda record: record.key)
    for _, same in groupby(by_key, key=lambda record: record.key):
        in_order = sorted(same, key=lambda record: record.position)
        numbers = [int(record.data.decode().partition(":")[2]) for record in in_order]
        assert all(one < next_one for one, next_one in pairwise(numbers))


def test_a_subscription_is_woken_for_everything_that_threads_put():
    world = TickingWorld()
    world.stream()
    got: list[str] = []
    woken = threading.Event()
    subscription = world.subscribe(world.consumer(), on_put=woken.set)
    wanted = WRITERS * CALLS * RECORDS

    def listen() -> None:
        while len(got) < wanted:
            assert woken.wait(5), "nobody has called"
            woken.clear()
            while event := subscription.next_event(world.now_ms + 1_000):
                got.extend(record.data.decode() for record in event.records)

    side_by_side(*(lambda writer=writer: put(world, writer) for writer in range(WRITERS)), listen)
    assert len(set(got)) == len(got) == wanted


def test_every_reader_hears_of_a_put_whoever_else_comes_at_that_moment():
    world = TickingWorld()
    orders = world.stream()
    heard: Counter[int] = Counter()
    readers: list[MemoryReader] = []

    def come(number: int) -> None:
        readers.extend(
            orders.open("shardId-000000000000", lambda: heard.update([number])) for _ in range(200)
        )

    side_by_side(*(lambda number=number: come(number) for number in range(WRITERS)))
    orders.put("news")
    assert sum(heard.values()) == len(readers) == WRITERS * 200
