"""Which lane, how many records, when the window closes."""

from __future__ import annotations

import pytest
from driver import Rec
from hypothesis import given
from hypothesis import strategies as st

from esm.core import batching
from esm.core.model import PAYLOAD_LIMIT_BYTES, Envelope, Policy


def weighing(*sizes: int) -> list[Rec]:
    return [Rec(position, size=size) for position, size in enumerate(sizes)]


BY_THREE = Policy(batch_size=3, payload_limit_bytes=100)
WRAPPED = Envelope(event_bytes=10, record_bytes=5)


@pytest.mark.parametrize(
    ("key", "factor", "lane"),
    [
        pytest.param("user-1", 1, 0, id="one lane takes every key"),
        pytest.param("user-1", 10, 4, id="crc32 of the key, modulo the factor"),
        pytest.param("user-2", 10, 0, id="another key, another lane"),
        pytest.param("Zoë", 10, 8, id="the key counts as UTF-8"),
        pytest.param("", 10, 0, id="an empty key has a lane too"),
    ],
)
def test_a_key_sticks_to_its_lane(key: str, factor: int, lane: int) -> None:
    assert batching.lane_of(key, factor) == lane


def test_every_lane_gets_keys() -> None:
    assert {batching.lane_of(f"user-{n}", 10) for n in range(200)} == set(range(10))


@pytest.mark.parametrize(
    ("sizes", "total"),
    [
        pytest.param([7], 22, id="one record: the event, its envelope, itself"),
        pytest.param([7, 8, 9], 49, id="the event once, the envelope for each record"),
    ],
)
def test_the_payload_is_event_and_envelopes_and_records(sizes: list[int], total: int) -> None:
    assert batching.payload_bytes(weighing(*sizes), WRAPPED) == total


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        pytest.param([1], 1, id="BatchSize is a maximum, not a target"),
        pytest.param([1, 1, 1, 1, 1], 3, id="never more than BatchSize"),
        pytest.param([25, 25, 25], 3, id="a payload of exactly the limit goes whole"),
        pytest.param([25, 25, 26], 2, id="the record that would pass the limit stays behind"),
        pytest.param([5, 80, 1], 1, id="cut before the second record"),
        pytest.param([5, 75, 1], 2, id="two records that fill the limit exactly"),
        pytest.param([85, 1, 1], 1, id="a record that fits exactly alone goes alone"),
        pytest.param([86, 1, 1], 1, id="a record too large alone is a batch of its own"),
        pytest.param([500], 1, id="also when nothing follows it"),
        pytest.param([1, 500, 1], 1, id="what stands before a record too large goes without it"),
    ],
)
def test_how_many_records_make_a_batch(sizes: list[int], count: int) -> None:
    assert batching.take(weighing(*sizes), BY_THREE, WRAPPED) == count


@given(
    sizes=st.lists(st.integers(1, 90), min_size=1, max_size=12),
    batch_size=st.integers(1, 12),
    limit=st.integers(1, 300),
)
def test_a_batch_is_the_longest_front_that_is_allowed(
    sizes: list[int], batch_size: int, limit: int
) -> None:
    policy = Policy(batch_size=batch_size, payload_limit_bytes=limit)
    buffer = weighing(*sizes)
    allowed = [
        n
        for n in range(1, min(batch_size, len(buffer)) + 1)
        if 10 + 5 * n + sum(sizes[:n]) <= limit
    ]
    assert batching.take(buffer, policy, WRAPPED) == max(allowed, default=1)


@pytest.mark.parametrize(
    ("sizes", "full"),
    [
        pytest.param([1, 1], False, id="fewer than BatchSize"),
        pytest.param([1, 1, 1], True, id="BatchSize reached"),
        pytest.param([1, 1, 1, 1], True, id="BatchSize exceeded"),
        pytest.param([40, 40], False, id="a payload of exactly the limit has room for none"),
        pytest.param([40, 41], True, id="the payload limit exceeded"),
    ],
)
def test_when_a_batch_is_due_whatever_the_window_says(sizes: list[int], full: bool) -> None:
    assert batching.is_full(weighing(*sizes), BY_THREE, WRAPPED) is full


@pytest.mark.parametrize(
    ("size", "too_large"),
    [
        pytest.param(PAYLOAD_LIMIT_BYTES - 15, False, id="6,291,456 bytes still fit"),
        pytest.param(PAYLOAD_LIMIT_BYTES - 14, True, id="one byte more does not"),
    ],
)
def test_a_record_that_can_never_be_invoked(size: int, too_large: bool) -> None:
    assert batching.is_too_large(Rec(1, size=size), Policy(), WRAPPED) is too_large


@pytest.mark.parametrize(
    ("start", "now", "due"),
    [
        pytest.param(0, 0, 5_000, id="records at the start wait the whole window"),
        pytest.param(0, 1, 5_000, id="records later wait for the rest of it"),
        pytest.param(0, 4_999, 5_000, id="at the last moment, for almost nothing"),
        pytest.param(0, 5_000, 5_000, id="read just as the window ends, they go with it"),
        pytest.param(0, 5_001, 10_000, id="a window that ended empty has started anew"),
        pytest.param(0, 12_000, 15_000, id="as often as it takes"),
        pytest.param(700, 1_000, 5_700, id="the window counts from its own start"),
        pytest.param(4_000, 4_001, 9_000, id="whole, however late that is"),
        pytest.param(700, 5_701, 10_700, id="and so do the ones after it"),
    ],
)
def test_when_a_batching_window_closes(start: int, now: int, due: int) -> None:
    assert batching.window_due_ms(start, now, 5_000) == due
