"""What a live run has done so far, counted from its trace: the summary, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from esm.core import messages as m
from esm.core.model import Fate
from esm.instants import iso_ms
from esm.trace import Entry, Idle


class MappingSummary(msgspec.Struct, frozen=True, rename="camel"):
    """Records by their fates, counted as often as they met them; `dropped`: nobody has them.

    `lost` counts the times that a place to read on from was past the source's retention, so that
    records behind it may be lost: whether there were any, nobody can know. `behind` is the age of
    the oldest unread record in milliseconds, of all shards as they were read last.
    """

    delivered: int
    filtered: int
    discarded: int
    dropped: int
    expired: int
    lost: int
    blocked: int
    invocations: int
    failed: int
    throttled: int
    behind: int


class LiveSummary(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of `esm run -o json`; `ended` is "idle", "limit" or "stopped"."""

    ended: str
    start: str
    milliseconds: int
    mappings: dict[str, MappingSummary]
    problems: list[str]


class CallLine(msgspec.Struct, frozen=True, rename="camel"):
    """One invocation, as `-o jsonl` prints it."""

    at: str
    mapping: str
    shard_id: str
    lane: int
    cause: str
    attempt: int
    batch_size: int
    start_sequence_number: str | None
    end_sequence_number: str | None
    request_id: str | None
    duration_ms: int
    outcome: str
    error: str | None


_OUTCOMES: dict[type, str] = {
    m.Succeeded: "succeeded",
    m.PartlyFailed: "partlyFailed",
    m.Failed: "failed",
    m.Throttled: "throttled",
}


@dataclass(slots=True)
class MappingBooks:
    """The counts of one mapping."""

    delivered: int = 0
    filtered: int = 0
    discarded: int = 0
    dropped: int = 0
    expired: int = 0
    lost: int = 0
    invocations: int = 0
    failed: int = 0
    throttled: int = 0
    in_flight: dict[tuple[str | None, int], Entry] = field(default_factory=dict)
    behind_ms: dict[str, int] = field(default_factory=dict)
    windows: set[str | None] = field(default_factory=set)
    """The shards with an open tumbling window."""

    @property
    def behind(self) -> int:
        """Milliseconds."""
        return max(self.behind_ms.values(), default=0)

    def summary(self, blocked: int) -> MappingSummary:
        """As it is printed."""
        names = [name for name in MappingSummary.__struct_fields__ if name != "blocked"]
        return MappingSummary(blocked=blocked, **{name: getattr(self, name) for name in names})


class LiveBooks:
    """Hears of every entry of the trace. `on_call` hears of each invocation that has ended."""

    def __init__(
        self, names: Iterable[str], on_call: Callable[[CallLine], None] = lambda _: None
    ) -> None:
        self.mappings = {name: MappingBooks() for name in names}
        self._on_call = on_call

    @property
    def delivered(self) -> int:
        """By all mappings."""
        return sum(books.delivered for books in self.mappings.values())

    def hear(self, entry: Entry) -> None:
        """Count what an entry counts for."""
        books = self.mappings.get(entry.mapping)
        if books is None:
            return
        match entry.message:
            case m.RecordsArrived() as read:
                assert entry.shard_id is not None
                books.behind_ms[entry.shard_id] = read.millis_behind
                books.lost += read.trimmed
            case m.Invoke() as invoke:
                books.in_flight[entry.shard_id, invoke.lane] = entry
            case m.Succeeded() | m.PartlyFailed() | m.Failed() | m.Throttled() as outcome:
                self._have_ended(books, entry, outcome)
            case m.Resolved() as resolved:
                _resolve(books, resolved)
            case m.SaveCheckpoint(window=None):
                books.windows.discard(entry.shard_id)
            case m.SaveCheckpoint():
                books.windows.add(entry.shard_id)
            case Idle():
                books.behind_ms[entry.shard_id or ""] = 0
            case m.CloseShard():
                books.behind_ms.pop(entry.shard_id or "", None)
            case _:
                pass

    def _have_ended(self, books: MappingBooks, entry: Entry, outcome: m.Outcome) -> None:
        if isinstance(outcome, m.Throttled):
            books.throttled += 1
        else:
            books.invocations += 1
            books.failed += not isinstance(outcome, m.Succeeded)
        began = books.in_flight.pop((entry.shard_id, outcome.lane), None)
        if began is not None:
            self._on_call(_line(began, entry, outcome))

    def summary(
        self, ended: str, start: str, duration_ms: int, blocked: dict[str, int]
    ) -> LiveSummary:
        """All of it, once the run is over; `blocked` are records of batches that go on failing."""
        mappings = {n: books.summary(blocked.get(n, 0)) for n, books in self.mappings.items()}
        every = list(mappings.values())
        found = {
            "discarded": any(each.discarded for each in every),
            "dropped": any(each.dropped for each in every),
            "expired": any(each.expired for each in every),
            "blocked": any(each.blocked for each in every),
            "function-error": any(each.failed for each in every),
        }
        problems = [word for word, is_so in found.items() if is_so]
        return LiveSummary(ended, start, duration_ms, mappings, problems)


def _resolve(books: MappingBooks, resolved: m.Resolved) -> None:
    count = len(resolved.records)
    match resolved.fate:
        case Fate.DELIVERED:
            books.delivered += count
        case Fate.FILTERED:
            books.filtered += count
        case Fate.EXPIRED:
            books.expired += count
        case Fate.DISCARDED:
            books.discarded += count
            is_kept = resolved.info is not None and resolved.info.delivered
            books.dropped += 0 if is_kept else count


def _line(began: Entry, ended: Entry, outcome: m.Outcome) -> CallLine:
    invoke: Any = began.message
    records = invoke.records
    return CallLine(
        at=iso_ms(began.at_ms),
        mapping=began.mapping,
        shard_id=began.shard_id or "",
        lane=invoke.lane,
        cause=invoke.cause,
        attempt=invoke.attempt,
        batch_size=len(records),
        start_sequence_number=records[0].sequence_number if records else None,
        end_sequence_number=records[-1].sequence_number if records else None,
        request_id=began.detail,
        duration_ms=ended.at_ms - began.at_ms,
        outcome=_OUTCOMES[type(outcome)],
        error=getattr(outcome, "error", "") or None,
    )
