"""What a mapping has done: each record in one list, once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from esm.books import Books
from esm.core.messages import Resolved
from esm.core.model import Condition, DiscardInfo, Fate


@dataclass(frozen=True)
class Rec:
    position: int
    shard_id: str = "shard-0"


@pytest.fixture
def books() -> Books:
    return Books(keep_invocations=None)


def resolved(fate: Fate, *positions: int, delivered: bool = False) -> Resolved:
    info = None
    if fate is Fate.DISCARDED:
        info = DiscardInfo(Condition.RETRY_ATTEMPTS_EXHAUSTED, 1, delivered=delivered)
    return Resolved(0, 1, [Rec(position) for position in positions], fate, info)


def positions(records: list[Rec]) -> list[int]:
    return [record.position for record in records]


def test_every_fate_has_its_list(books):
    books.resolve(resolved(Fate.DELIVERED, 1, 2), None)
    books.resolve(resolved(Fate.FILTERED, 3), None)
    books.resolve(resolved(Fate.EXPIRED, 4), None)
    books.resolve(resolved(Fate.DISCARDED, 5, 6, delivered=True), {"version": "1.0"})

    assert positions(books.delivered) == [1, 2]
    assert positions(books.filtered) == [3]
    assert positions(books.expired) == [4]
    (discard,) = books.discarded
    assert positions(discard.records) == [5, 6]
    assert discard.condition == "RetryAttemptsExhausted"
    assert discard.invocation_record == {"version": "1.0"}
    assert discard.delivered
    assert books.resolved_count == 6


def test_after_a_restart_only_the_first_fate_counts(books):
    books.resolve(resolved(Fate.DELIVERED, 1), None)
    books.resolve(resolved(Fate.DISCARDED, 2), {})
    books.expect_redelivery()
    books.resolve(resolved(Fate.DISCARDED, 1), {})
    books.resolve(resolved(Fate.DELIVERED, 1, 2, 3), None)
    books.resolve(resolved(Fate.DELIVERED, 3, 4), None)

    assert positions(books.delivered) == [1, 3, 4]
    assert [positions(discard.records) for discard in books.discarded] == [[2]]
    assert books.resolved_count == 4


def test_the_same_place_in_two_shards_is_two_records(books):
    books.resolve(resolved(Fate.DELIVERED, 1), None)
    books.expect_redelivery()
    other = Resolved(0, 1, [Rec(1, "shard-1")], Fate.DELIVERED)
    books.resolve(other, None)
    assert [record.shard_id for record in books.delivered] == ["shard-0", "shard-1"]
