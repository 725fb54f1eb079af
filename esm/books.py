"""What a mapping has done: invocations, and each record's fate. Kept as the run goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from esm.core.messages import Resolved
from esm.core.model import Cause, Condition, Fate, TumblingWindow
from esm.instants import from_ms, iso_ms
from esm.payloads.time_window import event_of
from esm.ports import Payloads


class Invocation(msgspec.Struct, frozen=True, eq=False):
    """One call of the function.

    `attempt` is 1 for the first of its batch; `response` the parsed JSON that came back; `error`
    what the function raised, or None. `lane` counts from 0.
    """

    records: Sequence[Any]
    attempt: int
    cause: Cause
    shard_id: str
    lane: int
    request_id: str
    response: Any
    error: BaseException | None
    started_ms: int
    ended_ms: int
    _payloads: Payloads
    _window: TumblingWindow | None = None

    def __repr__(self) -> str:
        what = f"{len(self.records)} records of {self.shard_id}, attempt {self.attempt}"
        how = f"error={self.error!r}" if self.error else f"response={self.response!r}"
        return f"<Invocation {iso_ms(self.started_ms)} {what}, {how}>"

    @property
    def event(self) -> dict[str, Any]:
        """The event, rebuilt from the records: what a handler did to its copy is not seen."""
        return event_of(self._payloads, self.shard_id, self.records, self._window)

    @property
    def started_at(self) -> datetime:
        """When the function was called, in the run's time."""
        return from_ms(self.started_ms)

    @property
    def ended_at(self) -> datetime:
        """When its outcome was known."""
        return from_ms(self.ended_ms)


@dataclass(frozen=True, slots=True)
class Discard:
    """Records given up together. `delivered`: whether a destination has the invocation record."""

    records: Sequence[Any]
    condition: Condition
    invocation_record: dict[str, Any]
    delivered: bool


class Books:
    """The lists behind a `Mapping`. Each record stands in one of them, once."""

    __slots__ = (
        "_resolved", "delivered", "discarded", "expired", "filtered", "invocations",
        "resolved_count",
    )  # fmt: skip

    def __init__(self, keep_invocations: int | None) -> None:
        self.invocations: deque[Invocation] = deque(maxlen=keep_invocations)
        self.delivered: list[Any] = []
        self.filtered: list[Any] = []
        self.expired: list[Any] = []
        self.discarded: list[Discard] = []
        self.resolved_count = 0
        """How many records have met their fate."""
        self._resolved: set[tuple[str, int]] | None = None

    def expect_redelivery(self) -> None:
        """From now on records may be resolved again; only their first fate counts."""
        lists = [self.delivered, self.filtered, self.expired]
        lists += [list(discard.records) for discard in self.discarded]
        self._resolved = {_identity(record) for each in lists for record in each}

    def resolve(self, resolved: Resolved, invocation_record: dict[str, Any] | None) -> None:
        """Note the fate of records; a discard comes with its invocation record."""
        records = self._first_time(resolved.records)
        self.resolved_count += len(records)
        match resolved.fate:
            case Fate.DELIVERED:
                self.delivered.extend(records)
            case Fate.FILTERED:
                self.filtered.extend(records)
            case Fate.EXPIRED:
                self.expired.extend(records)
            case Fate.DISCARDED if records:
                info = resolved.info
                assert info is not None
                assert invocation_record is not None
                self.discarded.append(
                    Discard(records, info.condition, invocation_record, info.delivered)
                )
            case _:
                pass

    def _first_time(self, records: Sequence[Any]) -> Sequence[Any]:
        if self._resolved is None:
            return records
        fresh = [record for record in records if _identity(record) not in self._resolved]
        self._resolved.update(map(_identity, fresh))
        return fresh


class Tally(Books):
    """Books of a run without end: they count, and keep no record."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(keep_invocations=0)

    def resolve(self, resolved: Resolved, invocation_record: dict[str, Any] | None) -> None:
        """Count the records."""
        self.resolved_count += len(resolved.records)


def _identity(record: Any) -> tuple[str, int]:
    return record.shard_id, record.position
