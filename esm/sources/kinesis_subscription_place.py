"""How far a shard was pushed: where to subscribe next, and what of an event is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Any

from esm.core.model import After, Position, TrimHorizon
from esm.payloads.kinesis import KinesisRecord
from esm.payloads.kpl import PART_BITS, WHOLE, may_be_aggregate, user_records
from esm.sources.aggregates import own_and_strays, parts_of
from esm.sources.hash_keys import HashKeyRange
from esm.sources.kinesis_subscription_wire import (
    PushedEvent,
    starting_position,
)
from esm.sources.live_resuming import Resuming

# Aggregates whose parts are not all resolved; a mapping reads ahead by far less.
_AGGREGATES_MAX = 100_000
# A position can tell no more parts apart: a larger aggregate stays as it is.
_PARTS_MAX = WHOLE


class Progress:
    """Where a shard is pushed from. `was_there`: a first subscription has begun there already.

    A subscription is renewed behind the number that its last event said, with or without records.
    After an outage for longer than records are kept it begins with the last record instead, so
    that its absence shows.
    """

    __slots__ = ("_continuation", "_last", "_position", "_resuming", "_retention_ms", "_up_to_ms")

    def __init__(
        self, position: Position, retention_ms: int | None, *, was_there: bool = False
    ) -> None:
        self._position = position
        self._resuming = Resuming(TrimHorizon() if was_there else position)
        self._retention_ms = retention_ms
        self._continuation: str | None = None
        self._last: int | None = None
        self._up_to_ms: int | None = None  # what arrived before was pushed

    def next_start(self, now_ms: int) -> dict[str, Any]:
        """Where to subscribe now."""
        if self._last is not None and self._is_outdated(now_ms):
            self._position, self._continuation = After(self._last), None
            self._resuming = Resuming(self._position)
        if self._continuation is None:
            return starting_position(self._position)
        return {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self._continuation}

    def begin_at_horizon(self) -> None:
        """The server does not take the place's number for one any more: its record is gone."""
        if self._last is not None:
            self._resuming = Resuming(After(self._last))
        self._position, self._continuation = TrimHorizon(), None

    def take(
        self, event: PushedEvent, records: Sequence[KinesisRecord], now_ms: int
    ) -> tuple[Sequence[KinesisRecord], bool]:
        """The event's records that are new, and whether others are lost before them."""
        resuming, behind_ms = self._resuming, event.millis_behind_latest
        trimmed = resuming.misses(records, at_tip=not behind_ms)
        kept = records if resuming.is_over else resuming.cut(records)
        self._continuation = event.continuation_sequence_number or self._continuation
        self._up_to_ms = now_ms - behind_ms
        if kept:
            self._last = kept[-1].position
        return kept, trimmed

    def _is_outdated(self, now_ms: int) -> bool:
        if self._retention_ms is None or self._up_to_ms is None:
            return False
        return now_ms - self._up_to_ms >= self._retention_ms


class Parts:
    """Takes the aggregates of one shard apart, and knows where a checkpoint may stand.

    A checkpoint says a sequence number, and the parts of an aggregate have one together.
    `ask_hash_keys` is asked when the first one comes.
    """

    __slots__ = ("_ask_hash_keys", "_before", "_hash_keys", "_last")

    def __init__(self, ask_hash_keys: Callable[[], HashKeyRange]) -> None:
        self._ask_hash_keys = ask_hash_keys
        self._hash_keys: HashKeyRange | None = None
        self._last: int | None = None
        self._before: dict[int, int | None] = {}  # by an aggregate's number

    def begin(self, position: Position) -> None:
        """The records that come are those behind this position."""
        self._last = position.position if isinstance(position, After) else None

    def prepare(self, records: Sequence[KinesisRecord]) -> None:
        """Ask for the shard's hash keys if these records call for them. Raises CallFailed."""
        if self._hash_keys is None and _has_aggregates(records):
            self._hash_keys = self._ask_hash_keys()

    def unpack(self, records: Sequence[KinesisRecord]) -> tuple[Sequence[KinesisRecord], int]:
        """The records with aggregates as their parts, and how many parts are dropped."""
        if not _has_aggregates(records):
            self._last = records[-1].position if records else self._last
            return records, 0
        unpacked = [self._unpack(record) for record in records]
        parts = chain.from_iterable(own for own, _ in unpacked)
        return list(parts), sum(strays for _, strays in unpacked)

    def whole_before(self, position: int) -> int | None:
        """The position itself; within an aggregate that of the record before it, if it is known."""
        if position & WHOLE == WHOLE:
            return position
        return self._before.get(position >> PART_BITS)

    def _unpack(self, record: KinesisRecord) -> tuple[Sequence[KinesisRecord], int]:
        before, self._last = self._last, record.position
        inside = user_records(record.data) if may_be_aggregate(record.base64) else None
        if inside is None or len(inside) > _PARTS_MAX:
            return (record,), 0
        assert self._hash_keys is not None, "it was asked for"
        own, strays = own_and_strays(inside, self._hash_keys)
        first = record.position - WHOLE
        positions = chain(range(first, first + len(own) - 1), repeat(record.position))
        self._note(record.position >> PART_BITS, before)
        return parts_of(record, own, positions, repeat(0)), len(strays)

    def _note(self, aggregate: int, before: int | None) -> None:
        self._before[aggregate] = before
        if len(self._before) > _AGGREGATES_MAX:
            del self._before[next(iter(self._before))]


def _has_aggregates(records: Sequence[KinesisRecord]) -> bool:
    return any(may_be_aggregate(record.base64) for record in records)
