"""Which shards may be read: splits, merges, and where a new shard starts."""

from __future__ import annotations

import pytest

from esm.core.messages import IllegalInput, ListShards, OpenShard, ShardDone, ShardsListed
from esm.core.model import AtTimestamp, Latest, Position, Shard, TrimHorizon
from esm.core.stream import StreamMachine

PARENT = Shard("parent")
LEFT, RIGHT = Shard("left", ("parent",)), Shard("right", ("parent",))


def listed(machine: StreamMachine, *shards: Shard) -> list[str]:
    """What is opened after a listing."""
    commands = machine.handle(ShardsListed(shards))
    assert all(isinstance(command, OpenShard) for command in commands)
    return [command.shard_id for command in commands]


def test_all_shards_without_parents_are_opened_at_once() -> None:
    machine = StreamMachine(TrimHorizon())
    assert machine.handle(ShardsListed([Shard("a"), Shard("b")])) == [
        OpenShard("a", TrimHorizon()),
        OpenShard("b", TrimHorizon()),
    ]


def test_a_shard_is_opened_once() -> None:
    machine = StreamMachine(TrimHorizon())
    assert listed(machine, PARENT) == ["parent"]
    assert listed(machine, PARENT) == []


def test_children_of_a_split_wait_until_their_parent_is_done() -> None:
    machine = StreamMachine(TrimHorizon())
    assert listed(machine, PARENT, LEFT, RIGHT) == ["parent"]
    assert listed(machine, PARENT, LEFT, RIGHT) == []
    assert machine.handle(ShardDone("parent")) == [ListShards()]
    assert listed(machine, PARENT, LEFT, RIGHT) == ["left", "right"]


def test_the_child_of_a_merge_waits_for_both_parents() -> None:
    a, b, child = Shard("a"), Shard("b"), Shard("child", ("a", "b"))
    machine = StreamMachine(TrimHorizon())
    assert listed(machine, a, b, child) == ["a", "b"]
    machine.handle(ShardDone("b"))
    assert listed(machine, a, b, child) == []
    machine.handle(ShardDone("a"))
    assert listed(machine, a, b, child) == ["child"]


def test_grandchildren_wait_for_their_own_parent() -> None:
    grandchild = Shard("grandchild", ("left",))
    machine = StreamMachine(TrimHorizon())
    listed(machine, PARENT, LEFT, grandchild)
    machine.handle(ShardDone("parent"))
    assert listed(machine, PARENT, LEFT, grandchild) == ["left"]


def test_a_parent_that_the_source_no_longer_lists_counts_as_done() -> None:
    assert listed(StreamMachine(TrimHorizon()), LEFT, RIGHT) == ["left", "right"]


def test_one_expired_parent_does_not_excuse_the_other() -> None:
    child = Shard("child", ("expired", "parent"))
    machine = StreamMachine(TrimHorizon())
    assert listed(machine, PARENT, child) == ["parent"]


def test_a_parent_that_expires_while_it_is_read_is_waited_for() -> None:
    machine = StreamMachine(TrimHorizon())
    listed(machine, PARENT)
    assert listed(machine, LEFT) == []
    machine.handle(ShardDone("parent"))
    assert listed(machine, LEFT) == ["left"]


@pytest.mark.parametrize("start", [Latest(), AtTimestamp(77), TrimHorizon()])
def test_the_starting_position_is_for_the_shards_of_the_first_listing(start: Position) -> None:
    machine = StreamMachine(start)
    assert machine.handle(ShardsListed([PARENT])) == [OpenShard("parent", start)]
    machine.handle(ShardDone("parent"))
    # What was written between the split and its discovery must not be lost.
    assert machine.handle(ShardsListed([PARENT, LEFT])) == [OpenShard("left", TrimHorizon())]


def test_a_child_that_was_there_from_the_start_has_the_starting_position_too() -> None:
    machine = StreamMachine(Latest())
    listed(machine, PARENT, LEFT)
    machine.handle(ShardDone("parent"))
    assert machine.handle(ShardsListed([PARENT, LEFT])) == [OpenShard("left", Latest())]


def test_an_empty_stream_has_had_its_first_listing() -> None:
    machine = StreamMachine(Latest())
    assert machine.handle(ShardsListed([])) == []
    assert machine.handle(ShardsListed([PARENT])) == [OpenShard("parent", TrimHorizon())]


@pytest.mark.parametrize("done", [[], ["parent"]], ids=["never opened", "done before"])
def test_only_a_shard_that_is_read_can_be_done(done: list[str]) -> None:
    machine = StreamMachine(TrimHorizon())
    if done:
        listed(machine, PARENT)
        machine.handle(ShardDone("parent"))
    with pytest.raises(IllegalInput, match="parent is not being read, so it cannot be done"):
        machine.handle(ShardDone("parent"))
    assert machine.done == set(done)


def test_an_input_that_is_none_is_our_mistake() -> None:
    with pytest.raises(AssertionError, match="listed"):
        StreamMachine(TrimHorizon()).handle("listed")  # type: ignore[arg-type]
