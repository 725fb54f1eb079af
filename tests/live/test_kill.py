"""`esm run` is killed again and again while its stream is fed, split and merged.

The stream lives on in an `esm serve`. ESM_KILL_SEED repeats the moments of a run.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Thread
from time import monotonic, sleep
from typing import Any

from live_desk import Desk, Running

KILLS = 20
RECORDS = 20_000
KEYS = 60
CHUNK = 100
SHARDS = 2
MOST_SHARDS = 6
FAST = ("--poll-interval", "0.02")

# A line ends with a full stop: one that the kill has cut is no record.
HANDLER = """\
import base64
import os
import time

def handler(event, context):
    life = os.environ["LIFE"]
    numbers = [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
    lines = "".join(f"{life} {number}.\\n" for number in numbers)
    with open(os.environ["SEEN"], "a") as file:
        file.write(lines)
    time.sleep(0.005)
"""
LINE = re.compile(r"^(\d+) (\d+)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Put:
    """A record as the stream has taken it; the numbers rise in the order of putting."""

    number: int
    key: str
    shard_id: str
    position: int


@dataclass
class Feeder:
    """Puts records one chunk after the other, and changes the shards between two of them."""

    client: Any
    rng: random.Random
    puts: list[Put] = field(default_factory=list)
    splits: int = 0
    merges: int = 0

    def feed(self, count: int) -> None:
        reshard_at = self.rng.randrange(count // CHUNK)
        for chunk in range(count // CHUNK):
            if chunk == reshard_at:
                self.reshard()
            self.put(CHUNK)
            sleep(self.rng.uniform(0, 0.15))

    def put(self, count: int) -> None:
        first = len(self.puts)
        keys = [f"k{self.rng.randrange(KEYS)}" for _ in range(count)]
        entries = [
            {"Data": str(number), "PartitionKey": key} for number, key in enumerate(keys, first)
        ]
        answer = self.client.put_records(StreamName="orders", Records=entries)
        assert answer["FailedRecordCount"] == 0
        self.puts += [
            Put(number, key, kept["ShardId"], int(kept["SequenceNumber"]))
            for (number, key), kept in zip(enumerate(keys, first), answer["Records"], strict=True)
        ]

    def reshard(self) -> None:
        """Split a shard in the middle, or merge two neighbours."""
        ranges = sorted(self._open_ranges())
        if len(ranges) < MOST_SHARDS and (len(ranges) == 1 or self.rng.random() < 0.6):
            start, end, shard_id = self.rng.choice(ranges)
            middle = str((start + end) // 2)
            self.client.split_shard(
                StreamName="orders", ShardToSplit=shard_id, NewStartingHashKey=middle
            )
            self.splits += 1
        else:
            left, right = self.rng.choice(list(pairwise(ranges)))
            self.client.merge_shards(
                StreamName="orders", ShardToMerge=left[2], AdjacentShardToMerge=right[2]
            )
            self.merges += 1
        until(self._is_active)

    def _open_ranges(self) -> Iterable[tuple[int, int, str]]:
        for shard in self.client.list_shards(StreamName="orders")["Shards"]:
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]:
                keys = shard["HashKeyRange"]
                yield int(keys["StartingHashKey"]), int(keys["EndingHashKey"]), shard["ShardId"]

    def _is_active(self) -> bool:
        answer = self.client.describe_stream_summary(StreamName="orders")
        return answer["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"


def until(happened: Callable[[], object], patience_s: float = 20) -> None:
    end = monotonic() + patience_s
    while not happened():
        assert monotonic() < end, "it has not happened"
        sleep(0.005)


class Witness:
    """What the function has written down, and what is saved."""

    def __init__(self, desk: Desk, puts: list[Put]) -> None:
        self._desk = desk
        self._puts = puts

    @property
    def size(self) -> int:
        file = self._desk.seen_file
        return file.stat().st_size if file.exists() else 0

    @property
    def deliveries(self) -> list[tuple[int, int]]:
        """The life and the number of each record that has reached the function, in order."""
        text = self._desk.seen_file.read_text() if self.size else ""
        return [(int(life), int(number)) for life, number in LINE.findall(text)]

    def require_nothing_is_skipped(self) -> None:
        """Everything up to a checkpoint has reached the function."""
        saved, seen = self._desk.checkpoints, {number for _, number in self.deliveries}
        behind = {p.number for p in self._puts if p.position <= saved.get(p.shard_id, 0)}
        assert not behind - seen

    def require_order(self) -> None:
        """Each key's records in the order of putting: first and last time, and in each life."""
        deliveries = self.deliveries
        firsts = list(dict.fromkeys(number for _, number in deliveries))
        lasts = list(dict.fromkeys(number for _, number in reversed(deliveries)))[::-1]
        passes = [
            [number for life, number in deliveries if life == each]
            for each in sorted({life for life, _ in deliveries})
        ]
        for numbers in (firsts, lasts, *passes):
            for of_key in self._by_key(numbers):
                assert of_key == sorted(set(of_key))

    def _by_key(self, numbers: Iterable[int]) -> Iterable[list[int]]:
        found: dict[str, list[int]] = {}
        for number in numbers:
            found.setdefault(self._puts[number].key, []).append(number)
        return found.values()


def live_and_die(desk: Desk, witness: Witness, life: int, rng: random.Random) -> None:
    """One life: killed some time after its start, or after its first delivery."""
    before, began = witness.size, monotonic()
    running = desk.start("run", *FAST, LIFE=str(life))
    if life % 2:
        running.until(lambda: witness.size > before)
        moment = monotonic() + rng.uniform(0, 0.8)
    else:
        moment = began + rng.uniform(0.3, 2.5)
    until(lambda: monotonic() >= moment)
    assert running.code is None, running.stderr
    running.kill()


def last_life(desk: Desk) -> Running:
    return desk.run("run", *FAST, "--until", "idle", LIFE=str(KILLS), COLUMNS="200")


def test_whoever_kills_it_twenty_times_loses_no_record_and_no_order(desk: Desk, record_property):
    seed = int(os.environ.get("ESM_KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"ESM_KILL_SEED={seed}")
    rng = random.Random(seed)
    desk.write(HANDLER, shards=SHARDS, batch=40, lanes=2)

    feeder = Feeder(desk.serve().client(), random.Random(seed))
    witness = Witness(desk, feeder.puts)
    for life in range(KILLS):
        feeding = Thread(target=feeder.feed, args=(RECORDS // KILLS,))
        feeding.start()
        live_and_die(desk, witness, life, rng)
        feeding.join()
        witness.require_nothing_is_skipped()
    done = last_life(desk)
    assert done.code == 0, done.stderr

    deliveries = witness.deliveries
    assert {number for _, number in deliveries} == set(range(RECORDS))
    witness.require_order()
    assert desk.checkpoints == {p.shard_id: p.position for p in feeder.puts}
    assert feeder.splits
    assert feeder.merges
    again = len(deliveries) - RECORDS
    told = f"{KILLS} kills, {RECORDS:,} records, {feeder.splits} splits, {feeder.merges} merges"
    print(f"{told}: {again:,} records delivered more than once, none lost")
    record_property("redelivered", again)
