"""Random runs with every fault there is, in which lanes finish out of order."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from driver import Loop, RandomAnswers, Rec, ScriptedShard
from hypothesis import event, given
from hypothesis import strategies as st
from invariants import Watch, watched

from esm.core import messages as m
from esm.core.model import Envelope, Fate, Policy, Shard, TrimHorizon
from esm.core.shard import ShardMachine
from esm.core.stream import StreamMachine

FAULTS_MS = 20_000
ENVELOPE = Envelope(event_bytes=10, record_bytes=5)

policies = st.builds(
    Policy,
    batch_size=st.integers(1, 7),
    maximum_batching_window_ms=st.sampled_from([0, 0, 1_000, 2_300]),
    parallelization_factor=st.integers(1, 5),
    bisect_batch_on_function_error=st.booleans(),
    maximum_retry_attempts=st.sampled_from([-1, 0, 1, 3]),
    maximum_record_age_ms=st.sampled_from([-1, -1, 3_000, 8_000]),
    has_destination=st.booleans(),
    read_limit=st.integers(1, 12),
    payload_limit_bytes=st.sampled_from([70, 150, 10_000]),
    read_ahead_records=st.integers(0, 10),
    read_ahead_bytes=st.sampled_from([0, 200, 10_000]),
    bisect_midpoint_upper=st.booleans(),
)
seeds = st.integers(0, 2**32)


def records_from(seed: int, most: int = 40, first: int = 1) -> list[Rec]:
    """Records in read order; arrival times are approximate, so they may go back a little."""
    rng = Random(seed)
    arrivals = sorted(rng.randrange(15_000) for _ in range(rng.randrange(most + 1)))
    return [
        Rec(
            position=first + 3 * number,
            key=rng.choice("abcdefgh"),
            arrived_ms=max(0, arrived_ms - rng.randrange(2_000)),
            size=rng.randrange(1, 70),
        )
        for number, arrived_ms in enumerate(arrivals)
    ]


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
        shard = ScriptedShard(records_from(self.seed), 16_000, self.retention_ms)
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


@dataclass
class Tree:
    """A stream whose shards split and merge at random, and what a run of it did."""

    shards: list[Shard]
    closes_ms: dict[str, int]
    records: dict[str, list[Rec]]


def tree_from(seed: int) -> Tree:
    rng = Random(seed)
    open_ = [Shard(f"root-{n}") for n in range(rng.randrange(1, 4))]
    tree = Tree(list(open_), {}, {})
    born_ms = dict.fromkeys((s.shard_id for s in open_), 0)
    for generation in range(rng.randrange(5)):
        at_ms = 2_000 * (generation + 1)
        if len(open_) > 1 and rng.random() < 0.5:
            parents = tuple(open_.pop(rng.randrange(len(open_))).shard_id for _ in range(2))
            children = [Shard(f"merged-{generation}", parents)]
        else:
            parents = (open_.pop(rng.randrange(len(open_))).shard_id,)
            children = [Shard(f"{side}-{generation}", parents) for side in ("left", "right")]
        tree.closes_ms |= dict.fromkeys(parents, at_ms)
        born_ms |= dict.fromkeys((s.shard_id for s in children), at_ms)
        tree.shards += children
        open_ += children
    tree.closes_ms |= {s.shard_id: 12_000 for s in open_}
    position = 0
    for shard in tree.shards:
        start_ms, end_ms = born_ms[shard.shard_id], tree.closes_ms[shard.shard_id]
        arrivals = sorted(rng.randrange(start_ms, end_ms) for _ in range(rng.randrange(8)))
        tree.records[shard.shard_id] = [
            Rec(position := position + 1, rng.choice("abcd"), arrived_ms) for arrived_ms in arrivals
        ]
    rng.shuffle(tree.shards)
    return tree


@given(policy=policies, seed=seeds)
def test_a_child_is_not_read_before_its_parents_are_resolved(policy: Policy, seed: int) -> None:
    tree = tree_from(seed)
    stream = StreamMachine(TrimHorizon())
    answers = RandomAnswers(seed, FAULTS_MS)
    closed: list[str] = []

    def perform(commands: list[m.StreamCommand]) -> None:
        for command in commands:
            match command:
                case m.ListShards():
                    perform(stream.handle(m.ShardsListed(tree.shards)))
                case m.OpenShard(shard_id=shard_id, position=position):
                    machine = ShardMachine.open(
                        shard_id, policy, ENVELOPE, position, None, loop.now_ms
                    )
                    script = ScriptedShard(tree.records[shard_id], tree.closes_ms[shard_id])
                    loop.add(machine, script, answers)

    def close(shard_id: str) -> None:
        closed.append(shard_id)
        perform(stream.handle(m.ShardDone(shard_id)))

    loop = Loop(on_close=close)
    perform(stream.handle(m.ShardsListed(tree.shards)))
    loop.run()

    watches = {s.shard_id: Watch(policy, ENVELOPE) for s in tree.shards}
    parents = {s.shard_id: s.parent_ids for s in tree.shards}
    for entry in loop.log:
        assert all(watches[parent].closed for parent in parents[entry.shard_id])
        watches[entry.shard_id].see(entry)
    for shard_id, watch in watches.items():
        watch.end(tree.records[shard_id])
    assert sorted(closed) == sorted(parents)


@pytest.mark.parametrize("seed", range(3))
def test_the_checks_see_what_they_should(seed: int) -> None:
    """An invariant that cannot fail proves nothing: each of these logs is wrong in one way."""
    run = Run(Policy(batch_size=3, parallelization_factor=2), seed)
    log = run.loop().run().log
    commands = [
        n for n, e in enumerate(log) if isinstance(e.message, m.SaveCheckpoint | m.Resolved)
    ]
    for number in commands:
        with pytest.raises((AssertionError, KeyError)):
            watched(log[:number] + log[number + 1 :], Watch(run.policy, ENVELOPE)).end(
                records_from(seed)
            )
