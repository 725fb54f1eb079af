"""Streams that forget and reshard, mappings that are updated: nothing is lost without a count."""

from __future__ import annotations

from typing import Any

import pytest

from esm import Function, Harness
from esm.core.messages import ShardDone, ShardsListed
from esm.core.model import Shard, TrimHorizon
from esm.core.stream import StreamMachine
from esm.errors import InputError, MappingError, NotEmulated


def accept(event: dict[str, Any], context: object) -> None:
    return None


def refuse_bad(event: dict[str, Any], context: object) -> None:
    if any(record["kinesis"]["partitionKey"] == "bad" for record in event["Records"]):
        raise ValueError("bad")


def ordinals(records: list[Any]) -> list[int]:
    return sorted(record.ordinal for record in records)


# --- records that expire unread ------------------------------------------------------------------


def test_records_behind_a_stuck_parent_expire_and_are_counted() -> None:
    h = Harness()
    s = h.kinesis()
    m = h.map(s, refuse_bad)
    s.put("x", key="bad")
    h.advance("1s")
    s.split()
    s.put_many("abcd")
    assert h.drain() == "idle"
    assert ordinals(m.expired) == [1, 2, 3, 4, 5]
    assert m.lag() == 0


def test_records_of_a_shard_that_expires_while_the_mapping_is_off_are_counted() -> None:
    h = Harness()
    s = h.kinesis()
    m = h.map(s, accept)
    h.advance("1s")
    m.disable()
    s.put_many("ab")
    s.split()
    s.put_many("cd")
    h.advance("25h")
    s.put("e")
    m.enable()
    assert h.drain() == "idle"
    assert ordinals(m.expired) == [1, 2, 3, 4]
    assert ordinals(m.delivered) == [5]
    assert m.lag() == 0


@pytest.mark.parametrize("start", ["TRIM_HORIZON", "LATEST"])
def test_shards_that_had_expired_before_do_not_count(start: str) -> None:
    h = Harness()
    s = h.kinesis()
    s.put_many("abc")
    s.split()
    h.advance("25h")
    s.put("d")
    m = h.map(s, accept, starting_position=start)
    s.put("e")
    h.drain()
    assert ordinals(m.delivered) == ([4, 5] if start == "TRIM_HORIZON" else [5])
    assert m.lag() == 0
    assert [line["shardId"][-1] for line in h.trace if line["type"] == "OpenShard"] == ["1", "2"]


def test_a_split_under_latest_is_read_whole_also_after_a_restart() -> None:
    h = Harness()
    s = h.kinesis()
    s.put("before")
    m = h.map(s, accept, starting_position="LATEST")
    s.split()
    s.put_many("abcd")
    h.restart()
    h.drain()
    assert ordinals(m.delivered) == [2, 3, 4, 5]
    assert m.lag() == 0


def test_a_disabled_mapping_counts_what_waits_for_it() -> None:
    h = Harness()
    s = h.kinesis()
    m = h.map(s, accept, enabled=False)
    s.put_many("ab")
    assert (h.drain(), m.lag()) == ("idle", 2)
    h.advance("25h")
    m.enable()
    h.drain()
    assert ordinals(m.expired) == [1, 2]
    assert m.lag() == 0


def test_many_shards_are_opened_with_few_looks_at_their_parents() -> None:
    class CountedParents(tuple[str, ...]):
        looks = 0

        def __iter__(self) -> Any:
            CountedParents.looks += 1
            return super().__iter__()

    roots = [Shard(f"root-{n}") for n in range(200)]
    child = Shard("child", CountedParents(["root-0", "root-1"]))
    machine = StreamMachine(TrimHorizon())
    machine.handle(ShardsListed([*roots, child]))
    for root in roots:
        machine.handle(ShardDone(root.shard_id))
        machine.handle(ShardsListed([*roots, child]))
    assert CountedParents.looks <= 3


# --- updates -------------------------------------------------------------------------------------


def test_what_is_in_flight_ends_under_the_terms_that_it_began_with() -> None:
    h = Harness(latency="2s")
    s = h.kinesis()
    q = h.queue("q")
    m = h.map(s, lambda e, c: 1 / 0, maximum_retry_attempts=0, on_failure=q)
    s.put("a")
    h.advance("1s")
    m.update(destination_config={"OnFailure": {"Destination": ""}})
    s.put("b")
    assert h.drain() == "idle"
    assert len(q.messages) == 1
    assert [(ordinals(list(d.records)), d.delivered) for d in m.discarded] == [
        ([1], True),
        ([2], False),
    ]


def test_a_refused_update_changes_nothing() -> None:
    h = Harness()
    m = h.map(h.kinesis(), accept)
    with pytest.raises(MappingError, match="E280"):
        m.update(
            batch_size=7,
            destination_config={
                "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:nope"}
            },
        )
    assert m.properties.batch_size == 100
    m.update(batch_size=3)
    m.disable()
    assert (m.properties.batch_size, m.properties.enabled) == (3, False)


def test_an_update_that_changes_nothing_leaves_a_batch_its_attempts() -> None:
    h = Harness()
    s = h.kinesis()
    m = h.map(s, lambda e, c: 1 / 0, maximum_retry_attempts=2)
    s.put("a")
    for _ in range(6):
        h.advance("1s")
        m.enable()
        m.update(batch_size=100)
    assert [i.attempt for i in m.invocations] == [1, 2, 3]
    assert len(m.discarded) == 1


def test_a_destination_can_be_given_later() -> None:
    h = Harness()
    s = h.kinesis()
    m = h.map(s, lambda e, c: 1 / 0, maximum_retry_attempts=0)
    q = h.queue("q")
    m.update(on_failure=q)
    s.put("a")
    h.drain()
    assert len(q.messages) == 1


# --- properties that the Harness says itself ------------------------------------------------------


def test_the_function_of_a_mapping_cannot_be_swapped() -> None:
    h = Harness()
    m = h.map(h.kinesis(), accept)
    with pytest.raises(NotEmulated, match="E290"):
        m.update(function_name="another")
    assert m.function_arn.endswith(":function:accept")


def test_a_function_name_is_that_of_the_function() -> None:
    h = Harness()
    m = h.map(h.kinesis(), accept, function_name="orders")
    assert m.function_arn == "arn:aws:lambda:us-east-1:123456789012:function:orders"


def test_saying_a_thing_twice_is_refused_when_it_differs() -> None:
    h = Harness()
    s, other, q = h.kinesis("s"), h.kinesis("other"), h.queue("q")
    another = {"OnFailure": {"Destination": h.queue("q2").arn}}
    for properties in (
        {"event_source_arn": other.arn},
        {"function_name": "a", "function": Function(name="b")},
        {"on_failure": q, "destination_config": another},
    ):
        with pytest.raises(InputError, match="E432"):
            h.map(s, accept, **properties)
    assert h.mappings == {}
    assert h.map(s, accept, event_source_arn=s.arn).source is s


def test_none_is_the_same_as_left_out() -> None:
    h = Harness()
    m = h.map(h.kinesis(), accept, starting_position=None, batch_size=None)
    assert (str(m.properties.starting_position), m.properties.batch_size) == ("TRIM_HORIZON", 100)


# --- what was seen stays as it was seen -----------------------------------------------------------


def test_lists_are_the_readers_own() -> None:
    h = Harness()
    s = h.kinesis()
    m = h.map(s, accept)
    s.put("a")
    h.drain()
    before = m.delivered
    s.put("b")
    h.drain()
    assert (len(before), len(m.delivered)) == (1, 2)
    m.delivered.clear()
    assert m.lag() == 0


def test_until_can_wait_for_an_instant() -> None:
    h = Harness()
    start = h.now
    assert h.until(lambda: (h.now - start).total_seconds() >= 90)
    assert (h.now - start).total_seconds() == 90


def test_until_does_not_wait_for_what_nothing_can_bring_about() -> None:
    h = Harness()
    start = h.now
    asked = []
    assert not h.until(lambda: asked.append(1), limit="8d")
    assert h.now == start
    assert len(asked) < 5
