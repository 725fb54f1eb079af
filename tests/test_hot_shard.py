"""One hot key: what a split, ParallelizationFactor and another key do for it, and what not.

The tables of docs/scenarios/hot-shard.md are these; `python tests/test_hot_shard.py` writes them.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from esm import Harness
from esm.sources.memory import KinesisStream
from esm.sources.memory_limits import ThroughputExceeded

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scenarios" / "hot-shard.md"

HOT = "sneaker-1"
OTHERS = tuple(f"sneaker-{number}" for number in range(2, 42))


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to meet the load; `parts` is over how many keys the hot one is spread."""

    name: str
    shards: int = 1
    parts: int = 1
    parallelization_factor: int = 1


# --- writing -------------------------------------------------------------------------------------

HOT_PER_SECOND, OTHERS_PER_SECOND, SECONDS = 1_200, 400, 5
WRITING = (
    Setup("one shard"),
    Setup("split in two", shards=2),
    Setup("split in eight", shards=8),
    Setup("split in four, hot key in 8 parts", shards=4, parts=8),
)


def stream_of(harness: Harness, setup: Setup) -> KinesisStream:
    """A stream with limits, split as a setup says."""
    stream = harness.kinesis("clicks", limits=True)
    stream.update_shard_count(setup.shards)
    return stream


def keys_of(setup: Setup, hot: int, others: int) -> Iterator[str]:
    """The keys of one second, hot ones and others mixed."""
    number = count()
    for index in range(hot + others):
        if (index * hot) % (hot + others) < hot:
            yield HOT if setup.parts == 1 else f"{HOT}#{next(number) % setup.parts}"
        else:
            yield OTHERS[index % len(OTHERS)]


def refused(setup: Setup) -> dict[str, float]:
    """The share of puts that the shards refuse: of the hot key's, and of all others."""
    sent: Counter[bool] = Counter()
    lost: Counter[bool] = Counter()
    with Harness() as harness:
        stream = stream_of(harness, setup)
        for _ in range(SECONDS):
            for key in keys_of(setup, HOT_PER_SECOND, OTHERS_PER_SECOND):
                is_hot = key.split("#")[0] == HOT
                sent[is_hot] += 1
                try:
                    stream.put(b"{}", key=key)
                except ThroughputExceeded:
                    lost[is_hot] += 1
            harness.advance("1s")
    return {"hot": lost[True] / sent[True], "others": lost[False] / sent[False]}


# --- reading -------------------------------------------------------------------------------------

WORK_S = 0.02
HOT_READ, OTHERS_READ, READ_SECONDS = 60, 40, 60
READING = (
    Setup("one shard"),
    Setup("split in two", shards=2),
    Setup("ParallelizationFactor 10", parallelization_factor=10),
    Setup("split in two, ParallelizationFactor 10", shards=2, parallelization_factor=10),
    Setup("hot key in 4 parts, ParallelizationFactor 10", parts=4, parallelization_factor=10),
)


def ages(setup: Setup) -> dict[str, float]:
    """How old records are when they are done, in seconds: the median of the last ten seconds'."""
    seen: dict[str, list[float]] = {"hot": [], "others": []}

    def handler(event: dict[str, Any], context: Any) -> None:
        for record in event["Records"]:
            time.sleep(WORK_S)
            arrived = record["kinesis"]["approximateArrivalTimestamp"]
            if arrived >= late_s:
                is_hot = record["kinesis"]["partitionKey"].split("#")[0] == HOT
                seen["hot" if is_hot else "others"].append(time.time() - arrived)

    with Harness() as harness:
        late_s = harness.now.timestamp() + READ_SECONDS - 10
        stream = stream_of(harness, setup)
        harness.map(
            stream,
            handler,
            batch_size=50,
            parallelization_factor=setup.parallelization_factor,
        )
        for _ in range(READ_SECONDS):
            stream.put_many(keys_of(setup, HOT_READ, OTHERS_READ), key=lambda key: key)
            harness.advance("1s")
        harness.drain()
    return {kind: median(found) for kind, found in seen.items()}


# --- the page ------------------------------------------------------------------------------------


def writing_table() -> str:
    rows = [(setup.name, refused(setup)) for setup in WRITING]
    lines = [f"| {name} | {of['hot']:.0%} | {of['others']:.0%} |" for name, of in rows]
    return "\n".join(["| | hot key refused | others refused |", "|---|---|---|", *lines])


def reading_table() -> str:
    rows = [(setup.name, ages(setup)) for setup in READING]
    lines = [f"| {name} | {of['hot']:.1f} s | {of['others']:.1f} s |" for name, of in rows]
    return "\n".join(["| | hot key | others |", "|---|---|---|", *lines])


TABLES = {"writing": writing_table, "reading": reading_table}


def block_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n).*?(?=\n<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_the_page_shows_what_happens(name: str):
    found = block_of(name).search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == TABLES[name]()


def test_a_split_frees_the_other_keys_and_not_the_hot_one():
    alone, split = refused(WRITING[0]), refused(WRITING[2])
    assert alone["hot"] == pytest.approx(alone["others"], abs=0.1)
    assert split["others"] < alone["others"] / 4
    assert split["hot"] == pytest.approx(1 - 1_000 / HOT_PER_SECOND, abs=0.05)


def test_only_other_keys_let_a_shard_take_all_of_it():
    assert refused(WRITING[3]) == {"hot": 0, "others": 0}


def test_parallelization_keeps_others_from_waiting_for_the_hot_key():
    alone, parallel = ages(READING[0]), ages(READING[2])
    assert alone["others"] > 30
    assert parallel["others"] < 2
    assert parallel["hot"] > 5


def test_the_hot_key_is_only_as_fast_as_its_one_lane():
    lane, parts = ages(READING[3]), ages(READING[4])
    assert lane["hot"] > 5
    assert parts["hot"] < 5 < lane["hot"]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        text = block_of(name).sub(table().replace("\\", r"\\"), text)
    PAGE.write_text(text, encoding="utf-8")
