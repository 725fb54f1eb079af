"""Streams whose shards split and merge at random, with every fault there is, and with crashes."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from drawn import ENVELOPE, FAULTS_MS, filtered_from, policies, seeds
from driver import Loop, RandomAnswers, Rec, ScriptedShard
from hypothesis import given
from hypothesis import strategies as st
from invariants import Watch

from esm.core import messages as m
from esm.core.model import After, Policy, Position, Shard, TrimHorizon, TumblingWindow
from esm.core.shard import ShardMachine
from esm.core.stream import StreamMachine


@dataclass
class Tree:
    """A stream whose shards split and merge at random."""

    shards: list[Shard]
    closes_ms: dict[str, int]
    records: dict[str, list[Rec]]

    def parents(self, shard_id: str) -> tuple[str, ...]:
        return next(shard.parent_ids for shard in self.shards if shard.shard_id == shard_id)

    def before(self, shard_id: str) -> set[int]:
        """Positions of all records of the shards that this one descends from."""
        found: set[int] = set()
        for parent in self.parents(shard_id):
            found |= self.before(parent) | {r.position for r in self.records[parent]}
        return found


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


@dataclass
class Life:
    """The mapping from a start of its process to its end, or to a crash after so many commands."""

    tree: Tree
    policy: Policy
    seed: int
    saved: dict[str, tuple[Position, TumblingWindow | None]]
    now_ms: int

    def run(self, most_commands: int | None) -> Loop:
        self.stream = StreamMachine(TrimHorizon())
        self.answers = RandomAnswers(self.seed, FAULTS_MS)
        self.loop = Loop(now_ms=self.now_ms, on_close=self.close)
        self.perform(self.stream.handle(m.ShardsListed(self.tree.shards)))
        return self.loop.run(most_commands=most_commands)

    def close(self, shard_id: str) -> None:
        self.perform(self.stream.handle(m.ShardDone(shard_id)))

    def perform(self, commands: list[m.StreamCommand]) -> None:
        for command in commands:
            match command:
                case m.ListShards():
                    self.perform(self.stream.handle(m.ShardsListed(self.tree.shards)))
                case m.OpenShard(shard_id=shard_id, position=position):
                    self.open(shard_id, *self.saved.get(shard_id, (position, None)))

    def open(self, shard_id: str, start: Position, window: TumblingWindow | None) -> None:
        tree, now_ms = self.tree, self.loop.now_ms
        machine = ShardMachine.open(shard_id, self.policy, ENVELOPE, start, None, now_ms, window)
        records = tree.records[shard_id]
        script = ScriptedShard(
            records, tree.closes_ms[shard_id], filtered=filtered_from(self.seed, records)
        )
        self.loop.add(machine, script, self.answers)

    def watches(self) -> dict[str, Watch]:
        """Nothing seen yet, from the checkpoints on that this life began with."""
        watches = {}
        for shard in self.tree.shards:
            position, window = self.saved.get(shard.shard_id, (TrimHorizon(), None))
            start = position.position if isinstance(position, After) else -1
            watches[shard.shard_id] = Watch(self.policy, ENVELOPE, None, start, window)
        return watches


@given(policy=policies, seed=seeds, crashes=st.lists(st.integers(0, 150), max_size=4))
def test_keys_keep_their_order_from_parent_to_child_and_nothing_is_lost(
    policy: Policy, seed: int, crashes: list[int]
) -> None:
    tree, now_ms = tree_from(seed), 0
    saved: dict[str, tuple[Position, TumblingWindow | None]] = {}
    resolved: set[int] = set()
    for most_commands in [*crashes, None]:
        life = Life(tree, policy, seed, dict(saved), now_ms)
        watches, loop = life.watches(), life.run(most_commands)
        for entry in loop.log:
            assert all(watches[parent].closed for parent in tree.parents(entry.shard_id))
            watches[entry.shard_id].see(entry)
            match entry.message:
                case m.Invoke():
                    assert tree.before(entry.shard_id) <= resolved
                case m.Resolved(records=records):
                    resolved |= {r.position for r in records}
                case m.SaveCheckpoint(position=position, window=window):
                    saved[entry.shard_id] = After(position), window
        now_ms = loop.now_ms
    for shard_id, watch in watches.items():
        watch.end([r for r in tree.records[shard_id] if r.position > watch.start])
    assert resolved == {r.position for records in tree.records.values() for r in records}


@given(policy=policies, seed=seeds)
def test_without_crashes_every_record_is_resolved_once(policy: Policy, seed: int) -> None:
    tree = tree_from(seed)
    log = Life(tree, policy, seed, {}, 0).run(None).log
    resolved = [
        r.position for e in log if isinstance(e.message, m.Resolved) for r in e.message.records
    ]
    assert sorted(resolved) == [r.position for records in tree.records.values() for r in records]
    closed = [e.shard_id for e in log if isinstance(e.message, m.CloseShard)]
    assert sorted(closed) == sorted(tree.records)
