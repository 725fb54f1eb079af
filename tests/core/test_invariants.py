"""Random runs with every fault there is, in which lanes finish out of order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import pytest
from drawn import (
    ENVELOPE,
    FAULTS_MS,
    filtered_from,
    policies,
    records_from,
    seeds,
    windowed_policies,
)
from driver import Loop, RandomAnswers, ScriptedShard
from hypothesis import event, given
from hypothesis import strategies as st
from invariants import Watch, watched

from esm.core import messages as m
from esm.core.model import Fate, Policy, TrimHorizon
from esm.core.shard import ShardMachine


@dataclass(frozen=True)
class Run:
    """Everything that decides a run."""

    policy: Policy
    seed: int
    retention_ms: int | None = None
    late_ms: int = 0

    def loop(self) -> Loop:
        lateness = Random(self.seed)
        loop = Loop(late_ms=lambda: lateness.randint(0, self.late_ms))
        machine = ShardMachine.open(
            "shard-0", self.policy, ENVELOPE, TrimHorizon(), self.retention_ms, 0
        )
        records = records_from(self.seed)
        filtered = filtered_from(self.seed, records)
        shard = ScriptedShard(records, 16_000, self.retention_ms, filtered)
        loop.add(machine, shard, RandomAnswers(self.seed, FAULTS_MS))
        return loop


runs = st.builds(
    Run, policies, seeds, st.sampled_from([None, None, 6_000]), st.sampled_from([0, 0, 1, 300])
)


@given(runs)
def test_every_record_is_resolved_once_in_order_and_behind_the_checkpoint(run: Run) -> None:
    loop = run.loop().run()
    watch = watched(loop.log, Watch(run.policy, ENVELOPE, run.retention_ms))
    watch.end(records_from(run.seed))
    filtered = filtered_from(run.seed, records_from(run.seed))
    for position, fate in watch.fates.items():
        assert (fate is Fate.FILTERED) is (position in filtered) or fate is Fate.EXPIRED
    for fate in set(watch.fates.values()):
        event(str(fate))


@given(runs)
def test_a_stopped_shard_comes_to_rest_with_its_books_in_order(run: Run) -> None:
    loop = run.loop().run(until_ms=5_000)
    actor = loop.actors["shard-0"]
    actor.machine.handle(m.Stopped(), loop.now_ms)
    before = len(loop.log)
    loop.run()
    watched(loop.log, Watch(run.policy, ENVELOPE, run.retention_ms))
    assert actor.machine.is_quiet
    assert actor.machine.deadline_ms is None
    new = [type(entry.message) for entry in loop.log[before:]]
    assert m.Invoke not in new
    assert m.GetRecords not in new


@given(runs)
def test_without_faults_everything_young_enough_is_delivered_once(run: Run) -> None:
    loop = run.loop()
    actor = loop.actors["shard-0"]
    actor.answers = RandomAnswers(run.seed, faults_until_ms=0, slowest_ms=2)
    loop.run()
    watch = watched(loop.log, Watch(run.policy, ENVELOPE, run.retention_ms))
    calls = [e.message for e in loop.log if isinstance(e.message, m.Invoke)]
    assert all(call.attempt == 1 for call in calls)
    invoked = [r.position for call in calls for r in call.records]
    delivered = [p for p, fate in watch.fates.items() if fate is Fate.DELIVERED]
    assert sorted(invoked) == sorted(delivered)


@given(windowed_policies, seeds)
def test_the_final_calls_get_every_delivered_record_once(policy: Policy, seed: int) -> None:
    policy = replace(policy, state_limit_bytes=10_000, payload_limit_bytes=10_000)
    log = Run(policy, seed).loop().run().log
    calls = [e.message for e in log if isinstance(e.message, m.Invoke) and not e.message.records]
    states = {call.batch: call.window.state for call in calls if call.window is not None}
    handed_over = [int(n) for state in states.values() if state != "{}" for n in state.split()]
    delivered = [
        r.position
        for e in log
        if isinstance(e.message, m.Resolved) and e.message.fate is Fate.DELIVERED
        for r in e.message.records
    ]
    assert handed_over == delivered
    event("final calls" if states else "none")


WRONG = (m.SaveCheckpoint, m.Resolved, m.StateDropped)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(Policy(batch_size=3, parallelization_factor=2), id="lanes"),
        pytest.param(
            Policy(batch_size=3, tumbling_window_ms=4_000, maximum_retry_attempts=0), id="windows"
        ),
    ],
)
def test_the_checks_see_what_they_should(policy: Policy, seed: int) -> None:
    """An invariant that cannot fail proves nothing: each of these logs is wrong in one way."""
    run = Run(policy, seed)
    log = run.loop().run().log
    watched(log, Watch(policy, ENVELOPE)).end(records_from(seed))
    for number, entry in enumerate(log):
        if isinstance(entry.message, WRONG):
            with pytest.raises((AssertionError, KeyError)):
                watched(log[:number] + log[number + 1 :], Watch(policy, ENVELOPE)).end(
                    records_from(seed)
                )
