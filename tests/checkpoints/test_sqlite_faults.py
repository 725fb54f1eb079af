"""Checkpoints in a file against a process that is killed, and a disk that is full."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from esm.checkpoints.sqlite import SqliteCheckpoints

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
SHARDS = [f"shard-{number}" for number in range(8)]

COMMON = f"""
import sys
from pathlib import Path
from esm.checkpoints.sqlite import SqliteCheckpoints
from esm.ports import Checkpoint, StoreUnavailable
from esm.core.model import TumblingWindow

store = SqliteCheckpoints(Path("checkpoints.db"))
store.claim("orders", {STREAM!r}, "Monday", embedded=True)
loaded = store.load("orders", {STREAM!r})
position = max((each.position for each in loaded.values()), default=0)


def save_all(position, state="{{}}"):
    for shard_id in {SHARDS!r}:
        checkpoint = Checkpoint(position, window=TumblingWindow(0, 1, state))
        store.save("orders", {STREAM!r}, shard_id, checkpoint)
"""

SAVES_FOR_EVER = """
while True:
    position += 1
    save_all(position, "x" * 3_000)
    store.commit()
    print(position, flush=True)
"""

# A file may have 200 KB until the limit is lifted; Python ignores the signal of a larger one.
RUNS_OUT_OF_DISK = """
import resource

save_all(1)
store.commit()
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, most))
refusals = []
for position in range(2, 100):
    save_all(position, "x" * 3_000)
    try:
        store.commit()
    except StoreUnavailable as error:
        refusals.append(str(error))
    if len(refusals) == 3:
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
store.commit()
print(position, *refusals, sep="\\n")
store.close()
"""


def test_what_was_committed_outlives_kill_9(tmp_path: Path):
    seed = random.randrange(1_000)
    chance = random.Random(seed)
    position = 0
    for _ in range(5):
        told = commits_until_killed(tmp_path, after=chance.randint(1, 150))
        with SqliteCheckpoints(tmp_path / "checkpoints.db") as store:
            loaded = store.load("orders", STREAM)
        places = {checkpoint.position for checkpoint in loaded.values()}
        # All shards of a commit, or none; one commit may have come too late to be told of.
        assert (sorted(loaded), len(places)) == (SHARDS, 1), f"seed {seed}"
        assert places <= {position + told, position + told + 1}, f"seed {seed}"
        (position,) = places


def commits_until_killed(folder: Path, after: int) -> int:
    """How many commits a process tells of before it is killed within one of the next."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMON + SAVES_FOR_EVER], cwd=folder, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(after):
            process.stdout.readline()
        process.kill()
        return after + len(process.stdout.readlines())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
def test_a_disk_that_is_full_for_a_while(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", COMMON + RUNS_OUT_OF_DISK],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    position, *refusals = done.stdout.splitlines()
    assert refusals == ["checkpoints.db: disk I/O error"] * 3
    with SqliteCheckpoints(tmp_path / "checkpoints.db") as store:
        loaded = store.load("orders", STREAM)
    assert {each.position for each in loaded.values()} == {int(position)}
