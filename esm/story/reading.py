"""Makes a plot of a trace. Pure: it knows messages and nothing of pipelines."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import cast

from esm.core import messages as m
from esm.core.model import After, Fate, Position
from esm.story.plot import (
    Attempts,
    Batch,
    Came,
    End,
    Happening,
    Moment,
    Note,
    Numbered,
    Opened,
    Read,
    ReadFailures,
    StateLost,
)
from esm.story.words import AGGREGATES
from esm.trace import Entry, Idle, Restarted, Updated, position_text

_position = attrgetter("position")

_CAME: dict[type, Came] = {
    m.Succeeded: Came.SUCCEEDED,
    m.PartlyFailed: Came.PARTLY_FAILED,
    m.Failed: Came.FAILED,
    m.Throttled: Came.THROTTLED,
}


@dataclass(slots=True)
class _Shard:
    """What is known of a shard since it was opened last."""

    reads: list[Sequence[Numbered]] = field(default_factory=list)
    batches: dict[int, Batch] = field(default_factory=dict)
    unfinished: list[Batch] = field(default_factory=list)
    empty_polls: int = 0
    read_failures: ReadFailures | None = None
    resolver: Attempts | End | None = None

    def innermost_with(self, record: Numbered) -> Batch | None:
        """The latest batch that is not finished and has this record."""
        self.unfinished = [b for b in self.unfinished if b.untried or b.is_open]
        for batch in reversed(self.unfinished):
            at = bisect_left(batch.records, record.position, key=_position)
            if at < len(batch.records) and batch.records[at].position == record.position:
                return batch
        return None

    def record_at(self, position: int) -> Numbered | None:
        """The record of a checkpoint, if its read is in the trace."""
        at = bisect_left(self.reads, position, key=lambda records: records[-1].position)
        if at == len(self.reads):
            return None
        records = self.reads[at]
        index = bisect_left(records, position, key=_position)
        return records[index] if records[index].position == position else None


class Plot:
    """The happenings of one mapping in order of their beginnings, and its batches."""

    def __init__(self, entries: Iterable[Entry], mapping: str) -> None:
        self.moments: list[Moment] = []
        self.batches: list[Batch] = []
        self.delivered: set[int] = set()
        """Ordinals: a record that a restart brings again is delivered once."""
        self.filtered: set[int] = set()
        self.invocations = 0
        self.has_aggregates = False
        self._shards: dict[str, _Shard] = {}
        for entry in entries:
            if entry.mapping == mapping:
                self._take(entry)
        self.moments = [each for each in self.moments if not _is_told_before(each.what)]

    @property
    def roots(self) -> list[Batch]:
        """Batches that came from no other, in order of their first attempts."""
        return [batch for batch in self.batches if batch.parent is None]

    @property
    def ends(self) -> list[End]:
        """What was given up or lost, in order."""
        return [moment.what for moment in self.moments if isinstance(moment.what, End)]

    def _take(self, entry: Entry) -> None:
        message, shard_id = entry.message, entry.shard_id
        match message:
            case m.OpenShard():
                place = self._place(message.shard_id, message.position)
                self._shards[message.shard_id] = _Shard()
                self._add(entry.at_ms, message.shard_id, Opened(place))
            case Restarted():
                self._add(entry.at_ms, None, Note("restarted: goes on from the checkpoints"))
                self._throw_away()
            case Updated(changes=changes):
                self._add(entry.at_ms, None, Note(f"updated: {', '.join(changes)}"))
            case _ if shard_id is not None:
                shard = self._shards.setdefault(shard_id, _Shard())
                self._take_of_shard(shard, shard_id, entry)
            case _:
                pass

    def _take_of_shard(self, shard: _Shard, shard_id: str, entry: Entry) -> None:
        at_ms, message = entry.at_ms, entry.message
        match message:
            case Idle(polls=polls):
                shard.empty_polls += polls
                shard.read_failures = None
            case m.RecordsArrived():
                self._read(shard, shard_id, message, at_ms)
            case m.PollFailed():
                self._read_failed(shard, shard_id, message, at_ms)
            case m.SaveCheckpoint(position=position):
                if shard.resolver is not None:
                    shard.resolver.checkpoint = shard.record_at(position)
            case m.StateDropped(window=window):
                self._add(at_ms, shard_id, StateLost(window))
            case m.CloseShard():
                self._add(at_ms, shard_id, Note("closed: read to its end, and all resolved"))
            case _:
                self._take_of_batch(shard, shard_id, entry)

    def _take_of_batch(self, shard: _Shard, shard_id: str, entry: Entry) -> None:
        at_ms, message = entry.at_ms, entry.message
        match message:
            case m.Invoke():
                self._invoke(shard, shard_id, message, at_ms)
            case m.Succeeded() | m.PartlyFailed() | m.Failed() | m.Throttled():
                self._outcome(shard, message, at_ms)
            case m.SendToDestination():
                batch = self._batch(shard, shard_id, message)
                batch.destination, batch.delivery_error = entry.detail, ""
            case m.DestinationFailed() if message.batch in shard.batches:
                shard.batches[message.batch].delivery_error = message.error or "failed"
            case m.Resolved():
                self._resolve(shard, shard_id, message, at_ms)
            case _:
                pass

    def _add(self, at_ms: int, shard_id: str | None, what: Happening) -> None:
        self.moments.append(Moment(at_ms, shard_id, what))

    def _place(self, shard_id: str, position: Position) -> str:
        """Where a shard is opened; a saved place as the record before it, if that was read."""
        if not isinstance(position, After):
            return f"at {position_text(position)}"
        before = self._shards.get(shard_id)
        record = before.record_at(position.position) if before else None
        return f"behind #{record.ordinal}" if record else "at its saved position"

    def _throw_away(self) -> None:
        for shard in self._shards.values():
            for batch in shard.batches.values():
                if batch.is_open or batch.untried:
                    batch.is_thrown_away = True

    def _read(self, shard: _Shard, shard_id: str, message: m.RecordsArrived, at_ms: int) -> None:
        records = _numbered([*message.records, *message.filtered])
        if records:
            records = sorted(records, key=_position)
            shard.reads.append(records)
        filtered, is_last = len(message.filtered), message.end_of_shard
        read = Read(records, filtered, message.strays, shard.empty_polls, is_last)
        self._add(at_ms, shard_id, read)
        if message.aggregates and not self.has_aggregates:
            self.has_aggregates = True
            code, what, _ = AGGREGATES
            self._add(at_ms, shard_id, Note(f"{code} {what}"))
        shard.empty_polls, shard.read_failures = 0, None

    def _read_failed(self, shard: _Shard, shard_id: str, message: m.PollFailed, at_ms: int) -> None:
        failures = shard.read_failures
        if failures is not None and failures.reason == message.reason:
            failures.count += 1
            return
        shard.read_failures = ReadFailures(message.reason)
        self._add(at_ms, shard_id, shard.read_failures)

    def _batch(
        self, shard: _Shard, shard_id: str, message: m.Invoke | m.SendToDestination | m.Resolved
    ) -> Batch:
        """The batch that a message speaks of; before its first attempt it may lose records."""
        assert message.batch is not None
        assert message.lane is not None
        records = _numbered(message.records)
        batch = shard.batches.get(message.batch)
        if batch is None:
            batch = Batch(shard_id, message.lane, message.batch, records)
            batch.parent = _parent(shard, message, records[0]) if records else None
            if batch.parent is not None:
                batch.parent.children.append(batch)
            shard.batches[message.batch] = batch
            self.batches.append(batch)
        elif not batch.attempts:
            known = {record.position: record for record in (*batch.records, *records)}
            batch.records = [known[position] for position in sorted(known)]
        return batch

    def _invoke(self, shard: _Shard, shard_id: str, message: m.Invoke, at_ms: int) -> None:
        batch = self._batch(shard, shard_id, message)
        if not batch.attempts:
            batch.cause = message.cause
            batch.window = None if message.records else message.window
        attempts = Attempts(batch, message.attempt, message.attempt, at_ms, at_ms)
        batch.attempts.append(attempts)
        self.invocations += 1
        self._add(at_ms, shard_id, attempts)

    def _outcome(self, shard: _Shard, outcome: m.Outcome, at_ms: int) -> None:
        batch = shard.batches.get(outcome.batch)
        if batch is None:  # the trace is cut, and its invocation was before the cut
            return
        attempts = batch.attempts[-1]
        attempts.came, attempts.ended_ms = _CAME[type(outcome)], at_ms
        attempts.error = getattr(outcome, "error", "")
        attempts.failed_from = getattr(outcome, "failed_from", 0)
        if attempts.came is Came.THROTTLED:
            self.invocations -= 1
        if attempts.came is not Came.SUCCEEDED and len(batch.attempts) == 1:
            shard.unfinished.append(batch)
        if len(batch.attempts) > 1 and attempts.continues(batch.attempts[-2]):
            batch.attempts.pop()
            attempts.count = 0
            before = batch.attempts[-1]
            before.last, before.ended_ms = attempts.last, at_ms
            before.count += 1

    def _resolve(self, shard: _Shard, shard_id: str, message: m.Resolved, at_ms: int) -> None:
        records = _numbered(message.records)
        batch = None if message.batch is None else self._batch(shard, shard_id, message)
        if batch is not None:
            batch.resolved += len(records)
        if message.fate is Fate.FILTERED:
            self.filtered.update(record.ordinal for record in records)
            shard.resolver = None
            return
        if message.fate is Fate.DELIVERED:
            self.delivered.update(record.ordinal for record in records)
            shard.resolver = batch.attempts[-1] if batch and batch.attempts else None
            return
        end = End(at_ms, shard_id, batch, records, message.fate, message.info)
        if batch is not None:
            end.destination, end.error = batch.destination, batch.delivery_error
            batch.ends.append(end)
        shard.resolver = end
        self._add(at_ms, shard_id, end)


def _parent(
    shard: _Shard, message: m.Invoke | m.SendToDestination | m.Resolved, first: Numbered
) -> Batch | None:
    """The batch that this one came from; what is given up before any attempt does not say it."""
    if isinstance(message, m.Invoke):
        return None if message.parent is None else shard.batches.get(message.parent)
    return shard.innermost_with(first)


def _is_told_before(what: Happening) -> bool:
    return isinstance(what, Attempts) and what.count == 0


def _numbered(records: Sequence[object]) -> Sequence[Numbered]:
    return cast("Sequence[Numbered]", records)
