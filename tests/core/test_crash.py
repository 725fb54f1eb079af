"""A crash at any command, and what a new machine makes of the last checkpoint."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from driver import (
    Entry,
    Loop,
    RandomAnswers,
    Rec,
    ScriptedShard,
    copied,
    last_checkpoint,
)
from invariants import Watch
from story import show

from esm.core import messages as m
from esm.core.model import After, Envelope, Policy, Position, TrimHorizon
from esm.core.shard import ShardMachine

ENVELOPE = Envelope(10, 5)
RECORDS = [
    Rec(position, key="abcde"[position * position % 5], arrived_ms=position * 170, size=position)
    for position in range(1, 31)
]


@dataclass(frozen=True)
class Scenario:
    """A mapping with troubles of its own; every run of it is the same."""

    policy: Policy
    seed: int
    retention_ms: int | None = None

    def loop(self, start: Position, now_ms: int) -> Loop:
        loop = Loop(now_ms=now_ms)
        machine = ShardMachine.open(
            "shard-0", self.policy, ENVELOPE, start, self.retention_ms, now_ms
        )
        shard = ScriptedShard(RECORDS, 6_000, self.retention_ms)
        loop.add(machine, shard, RandomAnswers(self.seed, faults_until_ms=15_000))
        return loop


SCENARIOS = {
    "one lane": Scenario(Policy(batch_size=4, maximum_retry_attempts=2, has_destination=True), 1),
    "bisect": Scenario(
        Policy(batch_size=9, bisect_batch_on_function_error=True, maximum_retry_attempts=0), 2
    ),
    "lanes": Scenario(
        Policy(
            batch_size=3, parallelization_factor=4, maximum_retry_attempts=1, has_destination=True
        ),
        3,
    ),
    "lanes with windows and a read-ahead of nothing": Scenario(
        Policy(
            batch_size=3,
            parallelization_factor=3,
            maximum_batching_window_ms=1_700,
            read_ahead_records=0,
            read_limit=4,
            payload_limit_bytes=90,
        ),
        4,
    ),
    "ages": Scenario(
        Policy(
            batch_size=5,
            parallelization_factor=2,
            maximum_record_age_ms=3_000,
            has_destination=True,
        ),
        5,
    ),
    "retention": Scenario(Policy(batch_size=5, parallelization_factor=2), 6, retention_ms=2_500),
}
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())


def resolved(log: list[Entry]) -> list[int]:
    found = [e.message.records for e in log if isinstance(e.message, m.Resolved)]
    return [record.position for records in found for record in records]


def follow(loop: Loop, watch: Watch) -> None:
    """Check a pass by itself; a crash may leave it between two commands."""
    for entry in loop.log:
        watch.see(entry)


@every_scenario
def test_a_crash_at_any_command_loses_no_record(scenario: Scenario) -> None:
    whole = scenario.loop(TrimHorizon(), 0).run()
    assert whole.commands > 30
    for number in range(whole.commands + 1):
        first = scenario.loop(TrimHorizon(), 0).run(most_commands=number)
        follow(first, Watch(scenario.policy, ENVELOPE, scenario.retention_ms))
        saved = last_checkpoint(first.log)

        second = scenario.loop(saved, first.now_ms).run()
        start = saved.position if isinstance(saved, After) else -1
        watch = Watch(scenario.policy, ENVELOPE, scenario.retention_ms, start)
        follow(second, watch)

        assert watch.closed
        assert {*resolved(first.log), *resolved(second.log)} == {r.position for r in RECORDS}
        assert all(position > start for position in watch.fates)  # what is saved is done


@every_scenario
def test_a_machine_can_be_moved_at_any_step(scenario: Scenario) -> None:
    stayed = scenario.loop(TrimHorizon(), 0).run()
    moved = scenario.loop(TrimHorizon(), 0)
    machine = moved.actors["shard-0"].machine
    moved.each_step = copied
    moved.run()
    assert moved.log == stayed.log
    assert moved.actors["shard-0"].machine is not machine
    assert moved.actors["shard-0"].machine == stayed.actors["shard-0"].machine


def trace(scenario: Scenario) -> str:
    """A whole run as text."""
    log = scenario.loop(TrimHorizon(), 0).run().log
    return "\n".join(
        f"{e.at_ms} {show(e.message) if isinstance(e.message, m.ShardCommand) else e.message!r}"
        for e in log
    )


@pytest.mark.parametrize("name", ["lanes", "ages"])
def test_a_run_is_the_same_under_any_hash_seed(name: str) -> None:
    program = f"import test_crash; print(test_crash.trace(test_crash.SCENARIOS[{name!r}]))"
    printed = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parent,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "4242")
    ]
    assert printed[0] == printed[1] == trace(SCENARIOS[name]) + "\n"
    assert "invoke" in printed[0]
