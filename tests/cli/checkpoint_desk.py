"""A folder in which mappings have run, and `esm checkpoints` in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from esm.checkpoints.sqlite import SqliteCheckpoints
from esm.checkpoints.sqlite_file import Incarnation, read_file
from esm.cli.main import main
from esm.clock import VirtualClock
from esm.core.model import TumblingWindow
from esm.ports import Checkpoint

SIGNUPS = "arn:aws:kinesis:us-east-1:123456789012:stream/signups"
CONSUMER = f"{SIGNUPS}/consumer/alerts:1767225600"
FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"
NUMBER = 49590338271490256608559692538361571095921575989136588898
NOW_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
WINDOW = TumblingWindow(NOW_MS - 60_000, NOW_MS, '{"count": 1}')


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Desk:
    """The folder."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def path(self) -> Path:
        return self.folder / ".esm" / "checkpoints.db"

    def store(self, ago_ms: int = 12_000) -> SqliteCheckpoints:
        """What `esm run` has."""
        return SqliteCheckpoints(self.path, clock=VirtualClock(NOW_MS - ago_ms))

    def current(self) -> dict[tuple[str, str], Incarnation]:
        """What the next run would apply, by mapping and stream."""
        found = read_file(self.path)
        return {(e.mapping, e.stream): e for e in found if e.set_aside_at_ms is None}

    def checkpoints(self, mapping: str = "Enrich", stream: str = SIGNUPS) -> dict[str, Checkpoint]:
        """What it would go on from, by shard."""
        shards = self.current()[mapping, stream].shards
        return {shard_id: saved.checkpoint for shard_id, saved in shards.items()}

    def run(self, *arguments: str) -> Ended:
        """`esm checkpoints …`; what it prints fits a terminal."""
        code = main(["checkpoints", *arguments])
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err
        if not {"json", "--export", "--help"} & {*arguments}:
            assert max(map(len, (*out.splitlines(), ""))) <= 80
        return Ended(code, out, err)

    def reset(self, *arguments: str) -> Ended:
        return self.run("reset", *arguments)


def seed(store: SqliteCheckpoints) -> None:
    """Two mappings, one of them with an enhanced fan-out consumer."""
    store.claim("Enrich", SIGNUPS, "Monday", embedded=True)
    store.claim("Alert", CONSUMER, "Monday", embedded=True)
    store.save("Enrich", SIGNUPS, FIRST, Checkpoint(NUMBER))
    store.save("Enrich", SIGNUPS, SECOND, Checkpoint(NUMBER + 7, window=WINDOW))
    store.save("Alert", CONSUMER, FIRST, Checkpoint(NUMBER << 20 | 3))
    store.commit()
