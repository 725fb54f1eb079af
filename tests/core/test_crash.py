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
from esm.core.model import After, Envelope, Policy, Position, TrimHorizon, TumblingWindow
from esm.core.shard import ShardMachine

OLDEST = TrimHorizon()
ENVELOPE = Envelope(10, 5, 8)
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
    filtered: frozenset[int] = frozenset()

    def loop(
        self, start: Position = OLDEST, window: TumblingWindow | None = None, now_ms: int = 0
    ) -> Loop:
        loop = Loop(now_ms=now_ms)
        machine = ShardMachine.open(
            "shard-0", self.policy, ENVELOPE, start, self.retention_ms, now_ms, window
        )
        shard = ScriptedShard(RECORDS, 6_000, self.retention_ms, self.filtered)
        loop.add(machine, shard, RandomAnswers(self.seed, faults_until_ms=15_000))
        return loop

    def watch(self, start: int = -1, window: TumblingWindow | None = None) -> Watch:
        return Watch(self.policy, ENVELOPE, self.retention_ms, start, window)


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
    "filters": Scenario(
        Policy(batch_size=2, parallelization_factor=2), 7, filtered=frozenset(range(1, 30, 3))
    ),
    "tumbling windows": Scenario(
        Policy(
            batch_size=4,
            tumbling_window_ms=1_000,
            maximum_retry_attempts=1,
            bisect_batch_on_function_error=True,
            has_destination=True,
        ),
        19,
        filtered=frozenset({3, 4, 19, 30}),
    ),
    "tumbling windows with states that are too large": Scenario(
        Policy(
            batch_size=4,
            tumbling_window_ms=2_000,
            tumbling_idle_grace_ms=0,
            maximum_batching_window_ms=1_300,
            maximum_retry_attempts=2,
            state_limit_bytes=12,
            hands_over_oversize_state=True,
        ),
        14,
    ),
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
    whole = scenario.loop().run()
    assert whole.commands > 30
    for number in range(whole.commands + 1):
        first = scenario.loop().run(most_commands=number)
        follow(first, scenario.watch())
        saved, window = last_checkpoint(first.log)

        second = scenario.loop(saved, window, first.now_ms).run()
        start = saved.position if isinstance(saved, After) else -1
        watch = scenario.watch(start, window)
        follow(second, watch)

        assert watch.closed
        assert {*resolved(first.log), *resolved(second.log)} == {r.position for r in RECORDS}
        assert all(position > start for position in watch.fates)  # what is saved is done


WINDOWED = [name for name, scenario in SCENARIOS.items() if scenario.policy.tumbling_window_ms]


@pytest.mark.parametrize("name", WINDOWED)
def test_no_crash_makes_a_state_forget_or_count_twice(name: str) -> None:
    """What is saved as a state are the records before the checkpoint, and each of them once."""
    scenario = SCENARIOS[name]
    whole = scenario.loop().run()
    for number in range(whole.commands + 1):
        first = scenario.loop().run(most_commands=number)
        saved, window = last_checkpoint(first.log)
        second = scenario.loop(saved, window, first.now_ms).run()
        start = saved.position if isinstance(saved, After) else -1
        for call in calls_in(second.log):
            counted = numbers_in(call.window)
            assert counted == sorted({*counted})
            assert all(r.position not in counted for r in call.records)
        kept = numbers_in(window)
        assert all(position <= start for position in kept)
        assert {*kept} <= {*resolved(first.log)}


def calls_in(log: list[Entry]) -> list[m.Invoke]:
    return [e.message for e in log if isinstance(e.message, m.Invoke)]


def numbers_in(window: TumblingWindow | None) -> list[int]:
    return (
        [int(number) for number in window.state.split()] if window and window.state != "{}" else []
    )


@every_scenario
def test_a_machine_can_be_moved_at_any_step(scenario: Scenario) -> None:
    stayed = scenario.loop().run()
    moved = scenario.loop()
    machine = moved.actors["shard-0"].machine
    moved.each_step = copied
    moved.run()
    assert moved.log == stayed.log
    assert moved.actors["shard-0"].machine is not machine
    assert moved.actors["shard-0"].machine == stayed.actors["shard-0"].machine


def trace(scenario: Scenario) -> str:
    """A whole run as text."""
    log = scenario.loop().run().log
    return "\n".join(
        f"{e.at_ms} {show(e.message) if isinstance(e.message, m.ShardCommand) else e.message!r}"
        for e in log
    )


@pytest.mark.parametrize("name", ["lanes", "ages", "tumbling windows"])
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
