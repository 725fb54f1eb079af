"""The one position that may be saved."""

from __future__ import annotations

import pytest
from driver import Rec
from hypothesis import given
from hypothesis import strategies as st

from esm.core.watermark import Watermark


def after(*reads: list[int]) -> Watermark:
    watermark = Watermark()
    for read in reads:
        watermark.read([Rec(position, size=position) for position in read])
    return watermark


def test_nothing_read_is_nothing_to_save() -> None:
    watermark = Watermark()
    assert not watermark.advance(None)
    assert not watermark.advance(5)
    assert (watermark.position, watermark.span, watermark.span_bytes) == (None, 0, 0)


def test_what_is_read_counts_until_it_is_resolved() -> None:
    watermark = after([10, 20], [30])
    assert (watermark.position, watermark.span, watermark.span_bytes) == (None, 3, 60)


@pytest.mark.parametrize(
    ("lowest_open", "position", "span", "span_bytes"),
    [
        pytest.param(10, None, 5, 150, id="the first record is open"),
        pytest.param(20, 10, 4, 140, id="up to, not including, the lowest open record"),
        pytest.param(30, 20, 3, 120, id="a read passed to its end"),
        pytest.param(40, 30, 2, 90, id="into the second read"),
        pytest.param(50, 40, 1, 50, id="the last record is open"),
        pytest.param(None, 50, 0, 0, id="nothing is open"),
    ],
)
def test_it_moves_up_to_the_lowest_open_record(
    lowest_open: int | None, position: int | None, span: int, span_bytes: int
) -> None:
    watermark = after([10, 20], [30, 40, 50])
    assert watermark.advance(lowest_open) is (position is not None)
    assert (watermark.position, watermark.span, watermark.span_bytes) == (
        position,
        span,
        span_bytes,
    )


def test_it_says_whether_it_moved() -> None:
    watermark = after([10, 20, 30])
    assert watermark.advance(20)
    assert not watermark.advance(20)
    assert watermark.advance(30)
    assert watermark.advance(None)
    assert not watermark.advance(None)
    assert watermark.position == 30


def test_a_read_half_passed_is_not_counted_twice() -> None:
    watermark = after([10, 20, 30], [40])
    watermark.advance(20)
    watermark.advance(40)
    assert (watermark.position, watermark.span, watermark.span_bytes) == (30, 1, 40)
    watermark.read([Rec(50, size=5), Rec(60, size=6)])
    watermark.advance(60)
    assert (watermark.position, watermark.span, watermark.span_bytes) == (50, 1, 6)


@given(st.data())
def test_it_equals_a_set_of_open_records(data: st.DataObject) -> None:
    watermark, unread, open_, passed = Watermark(), list(range(0, 60, 2)), set[int](), [-1]
    for _ in range(data.draw(st.integers(1, 12), label="steps")):
        if unread and data.draw(st.booleans(), label="read"):
            read = [unread.pop(0) for _ in range(min(len(unread), data.draw(st.integers(1, 9))))]
            watermark.read([Rec(position) for position in read])
            open_.update(read)
            continue
        resolved = data.draw(st.integers(passed[-1], 60), label="everything below is resolved")
        passed += sorted(position for position in open_ if position < resolved)
        open_ = {position for position in open_ if position >= resolved}
        before = watermark.position
        moved = watermark.advance(min(open_, default=None))
        assert moved is (watermark.position != before)
        assert watermark.position == (passed[-1] if passed[-1] >= 0 else None)
        assert watermark.span == watermark.span_bytes == len(open_)
