"""What a live run tells: a line for each problem while it goes on, and a summary at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from esm.cli.live_books import LiveSummary
from esm.core import messages as m
from esm.core.model import Cause, Fate
from esm.instants import iso_s
from esm.story.words import COLUMNS, clean, counted, elapsed, short_shard
from esm.trace import Entry, Idle, NotSaved, SavedAgain

_FATES = ("delivered", "filtered", "discarded", "expired", "blocked")
_NARROWEST, _WIDEST = 10, 11
_MINUTE_MS = 60_000

Write = Callable[[str], None]


@dataclass(slots=True)
class _Away:
    """A mapping that cannot be read: since when, which of its shards, and what was told of it.

    The shard None stands for the list of them.
    """

    since_ms: int
    shards: set[str | None] = field(default_factory=set)
    told: set[str] = field(default_factory=set)


class Problems:
    """Writes a line for what goes wrong, and when it is over; what goes on is not repeated.

    A batch that fails again is told of at its 2nd, 4th, 8th … attempt.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._away: dict[str, _Away] = {}
        self._in_flight: dict[tuple[str, str | None, int], m.Invoke] = {}
        self._unsaved_since_ms: int | None = None

    def hear(self, entry: Entry) -> None:
        """Tell of an entry, if it is a problem or the end of one."""
        match entry.message:
            case m.PollFailed(reason=m.PollFailure.UNAVAILABLE, error=error):
                self._is_away(entry, error)
            case m.OpenShard() | Idle():
                self._is_back(entry)
            case m.RecordsArrived() as read:
                self._is_back(entry)
                self._read(entry, read)
            case m.Invoke() as invoke:
                self._in_flight[entry.mapping, entry.shard_id, invoke.lane] = invoke
            case m.Succeeded() | m.PartlyFailed() | m.Failed() | m.Throttled() as outcome:
                self._has_ended(entry, outcome)
            case m.Resolved() as resolved:
                self._resolved(entry, resolved)
            case m.DestinationFailed(error=error):
                self._tell(entry, f"the destination did not take a batch: {clean(error)}")
            case m.StateDropped():
                self._tell(entry, "W702  the last call of a tumbling window was given up")
            case _:
                self._heard_of_checkpoints(entry)

    def _heard_of_checkpoints(self, entry: Entry) -> None:
        since_ms = self._unsaved_since_ms
        match entry.message:
            case NotSaved(error=error) if since_ms is None:
                self._unsaved_since_ms = entry.at_ms
                text = f"checkpoints cannot be saved: {clean(error)}"
                self._tell(entry, f"{text}; nothing is invoked until they are")
            case SavedAgain() if since_ms is not None:
                self._unsaved_since_ms = None
                self._tell(entry, f"checkpoints are saved again, {_after(since_ms, entry)}")

    def _is_away(self, entry: Entry, error: str) -> None:
        away = self._away.setdefault(entry.mapping, _Away(entry.at_ms))
        away.shards.add(entry.shard_id)
        text = clean(error)
        if text not in away.told:
            away.told.add(text)
            self._tell(entry, f"cannot be read, and is tried again: {text}")

    def _is_back(self, entry: Entry) -> None:
        """Told when nothing of the mapping is away any more."""
        away = self._away.get(entry.mapping)
        if away is None:
            return
        away.shards -= {entry.shard_id, None}
        if not away.shards:
            del self._away[entry.mapping]
            text = f"is read again, {_after(away.since_ms, entry)}"
            self._line(entry.at_ms, f"{entry.mapping}: ", text)

    def _read(self, entry: Entry, read: m.RecordsArrived) -> None:
        if read.trimmed:
            text = "the checkpoint's record is past the source's retention: records behind it may"
            self._tell(entry, f"{text} be lost; reading on from the oldest")

    def _has_ended(self, entry: Entry, outcome: m.Outcome) -> None:
        invoke = self._in_flight.pop((entry.mapping, entry.shard_id, outcome.lane), None)
        if invoke is not None and isinstance(outcome, m.Failed | m.PartlyFailed):
            self._failed(entry, invoke, outcome)

    def _failed(self, entry: Entry, invoke: m.Invoke, failed: m.Failed | m.PartlyFailed) -> None:
        if invoke.attempt & (invoke.attempt - 1) or invoke.cause is Cause.BISECT:
            return
        batch = counted(len(invoke.records), "record")
        again = f", attempt {invoke.attempt}" if invoke.attempt > 1 else ""
        if isinstance(failed, m.PartlyFailed):
            text = f"{batch}{again}: the function names number {failed.failed_from + 1} as failed"
        else:
            text = f"{batch}{again}: the function failed: {clean(failed.error)}"
        self._tell(entry, text)

    def _resolved(self, entry: Entry, resolved: m.Resolved) -> None:
        count = counted(len(resolved.records), "record")
        if resolved.fate is Fate.EXPIRED:
            self._tell(entry, f"{count} expired at the source")
        elif resolved.info is not None:
            how = "sent to the destination" if resolved.info.delivered else "kept nowhere"
            self._tell(entry, f"{count} discarded ({resolved.info.condition}), {how}")

    def _tell(self, entry: Entry, text: str) -> None:
        shard = f", shard {short_shard(entry.shard_id)}" if entry.shard_id else ""
        self._line(entry.at_ms, f"{entry.mapping}{shard}: " if entry.mapping else "", text)

    def _line(self, at_ms: int, who: str, text: str) -> None:
        self._write(f"{iso_s(at_ms)[11:-1]}  {who}{text}")


class Sparing:
    """Tells of a trouble that goes on once a minute; from any thread."""

    def __init__(self, tell: Callable[[str, int], None], now: Callable[[], int]) -> None:
        """`tell` gets the text and the instant."""
        self._tell = tell
        self._now = now
        self._lock = Lock()
        self._told_ms: dict[str, int] = {}

    def __call__(self, text: str) -> None:
        """Tell it, unless that was done less than a minute ago."""
        now_ms = self._now()
        with self._lock:
            recent = {t: at for t, at in self._told_ms.items() if now_ms - at < _MINUTE_MS}
            is_new = text not in recent
            self._told_ms = {text: now_ms} | recent
        if is_new:
            self._tell(text, now_ms)


def _after(since_ms: int, entry: Entry) -> str:
    return f"after {seconds_text(entry.at_ms - since_ms)}"


def seconds_text(duration_ms: int) -> str:
    """A duration in whole seconds, one at least."""
    return elapsed(max(duration_ms // 1000, 1) * 1000)


def summary_text(summary: LiveSummary) -> str:
    """What is printed at the end, in 80 columns."""
    mappings = summary.mappings
    width = max([len("mapping"), *map(len, mappings)])
    column = max(_NARROWEST, min(_WIDEST, (COLUMNS - width) // len(_FATES)))
    lines = [f"{'mapping':<{width}}" + "".join(f"{name:>{column}}" for name in _FATES)]
    for name, each in mappings.items():
        counts = "".join(f"{getattr(each, fate):>{column},}" for fate in _FATES)
        lines.append(f"{name:<{width}}{counts}")
        if each.dropped:
            lines.append(f"  {counted(each.dropped, 'record')} of them kept nowhere")
        if each.lost:
            lines.append("  records behind a checkpoint past the source's retention may be lost")
    calls = sum(each.invocations for each in mappings.values())
    failed = sum(each.failed for each in mappings.values())
    errors = f", {failed:,} failed" if failed else ""
    how = f"{summary.ended} after {elapsed(summary.milliseconds)}"
    return "\n".join([*lines, f"{counted(calls, 'invocation')}{errors}; {how}"]) + "\n"
