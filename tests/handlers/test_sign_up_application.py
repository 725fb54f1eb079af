"""InternetProvider as a whole: what goes wrong behind it, and what becomes of everything twice."""

from __future__ import annotations

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sign_up_world import World, copies_on, sign_up

from esm import Harness

A_SECOND_OF_A_SHARD = b"x" * (1024 * 1024 - 1)
CUT_OFF = b'{"user": {"id": "user-7", "na'


@pytest.fixture
def world(esm: Harness) -> World:
    return World(esm)


def test_a_sign_up_comes_out_with_its_bandwidth_under_its_user(world: World):
    mapping = world.mapping
    event_id = world.put(sign_up(1, country="GB", postal_code="EH1 1BB"))
    world.h.advance("29s")
    assert mapping.invocations == [], "a batch waits for company"
    assert world.h.drain() == "idle"

    [record] = world.enriched.records
    assert record.partition_key == "user-1"
    assert record.json["event_id"] == event_id
    assert record.json["sign_up"]["location"]["postal_code"] == "EH1 1BB"
    assert [option["id"] for option in record.json["bandwidth"]["options"]] == [
        "gb-cable-500",
        "gb-fibre-150",
        "gb-dsl-67",
    ]


def test_a_second_stream_that_takes_only_some_gets_the_others_later(world: World):
    narrow = world.h.kinesis("narrow", shards=2, limits=True)
    at_once = {"batch_size": 500, "maximum_batching_window_in_seconds": 0}
    mapping = world.another("Throttled", enriched="narrow", **at_once)
    sent = [world.put(sign_up(number)) for number in range(2_500)]
    assert world.h.drain() == "idle"

    in_part = [each for each in mapping.invocations if (each.response or {})["batchItemFailures"]]
    assert in_part, "two shards take 2,000 records a second"
    assert all(each.error is None for each in in_part)
    copies = copies_on(narrow)
    assert copies.keys() == set(sent)
    assert any(len(each) > 1 for each in copies.values()), "one shard refuses what the other takes"
    assert all(len(set(each)) == 1 for each in copies.values())
    assert mapping.discarded == []


def test_what_a_second_stream_refuses_to_the_end_is_put_aside_and_can_be_read_again(world: World):
    crowded = world.h.kinesis("crowded", limits=True)
    mapping = world.another("Crowded", enriched="crowded")
    sent = {world.put(sign_up(number)) for number in range(5)}
    world.h.advance("250ms")  # so that attempts are in the middle of a second
    for _ in range(40):
        crowded.put(A_SECOND_OF_A_SHARD, key="-")
        world.h.advance("1s")

    assert {len(record.data) for record in crowded.records} == {len(A_SECOND_OF_A_SHARD)}
    assert [each.error for each in mapping.invocations if each.error] == []
    notes = [message["KinesisBatchInfo"] for message in world.failed.messages]
    assert {note["batchSize"] for note in notes} == {1}
    assert {f"{note['shardId']}:{note['startSequenceNumber']}" for note in notes} == sent

    again = world.mapping  # begins with the oldest sign-up
    assert world.h.drain() == "idle"
    assert len(again.delivered) == len(sent)
    assert world.published.keys() == sent


def test_a_malformed_sign_up_is_put_aside_alone(world: World):
    mapping = world.mapping
    first = world.put(sign_up(1, user="one-key"))
    spoilt = world.put(CUT_OFF, key="one-key")
    last = world.put(sign_up(2, user="one-key"))
    assert world.h.drain() == "idle"

    [note] = [message["KinesisBatchInfo"] for message in world.failed.messages]
    assert (note["batchSize"], f"{note['shardId']}:{note['startSequenceNumber']}") == (1, spoilt)
    assert [each.error for each in mapping.invocations if each.error] == []
    assert list(world.published) == [first, last]
    assert {len(copies) for copies in world.published.values()} == {1}


Arrivals = list[tuple[int, int, bool]]
ARRIVALS = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 40), st.sampled_from([True] * 7 + [False])),
    min_size=1,
    max_size=14,
)


def play(world: World, arrivals: Arrivals, crashes: frozenset[int] = frozenset()) -> set[str]:
    """Put sign-ups of few users with pauses of seconds; the event ids of those that are sound."""
    sound = set()
    for number, (user, pause_s, is_sound) in enumerate(arrivals):
        key = f"user-{user}"
        event_id = world.put(sign_up(number, user=key) if is_sound else CUT_OFF, key=key)
        if is_sound:
            sound.add(event_id)
        world.h.advance(pause_s)
        if number in crashes:
            world.h.restart()
    assert world.h.drain() == "idle"
    return sound


@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    arrivals=ARRIVALS,
    crashes=st.frozensets(st.integers(0, 13)),
    size=st.integers(1, 5),
    lanes=st.sampled_from([1, 10]),
)
def test_everything_twice_is_as_once_to_who_keeps_the_ids(
    arrivals: Arrivals, crashes: frozenset[int], size: int, lanes: int
):
    """A second mapping reads it all, in other batches and lanes, and both crash in between."""
    with Harness() as h:
        world = World(h)
        only = world.mapping
        sound = play(world, arrivals)
        once = world.published
        assert len(only.delivered) == len(sound)
    assert once.keys() == sound
    assert all(len(copies) == 1 for copies in once.values())

    with Harness(latency="2s") as h:
        world = World(h)
        first = world.mapping
        second = world.another("Second", batch_size=size, parallelization_factor=lanes)
        assert play(world, arrivals, crashes) == sound
        twice = world.published
        assert len(first.delivered) == len(second.delivered) == len(sound)

    assert all(len(copies) >= 2 for copies in twice.values())
    assert {event_id: set(copies) for event_id, copies in twice.items()} == {
        event_id: set(copies) for event_id, copies in once.items()
    }
