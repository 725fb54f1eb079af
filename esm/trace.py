"""The trace: every input and command of a run with its time. Whatever shows a run reads this.

While a run goes on an entry is a tuple that refers to the message itself, which costs next to
nothing; it becomes a JSON object when it is read. Keys are camelCase where AWS has the word.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from esm.core import messages as m
from esm.core.model import After, AtTimestamp, Position, TumblingWindow
from esm.instants import iso_ms, iso_s

VERSION = 1
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{4,}")


class Idle(NamedTuple):
    """Polls that found nothing: one made, or `polls` of the cadence that were not needed."""

    polls: int


class Updated(NamedTuple):
    """The mapping was updated; `changes` as `Enabled=False`."""

    changes: tuple[str, ...]


class Restarted(NamedTuple):
    """Every machine of the mapping was thrown away, with what it had in flight."""


class NotSaved(NamedTuple):
    """Checkpoints could not be written, and are kept until they can be."""

    error: str


class SavedAgain(NamedTuple):
    """Checkpoints that could not be written are written."""


class Entry(NamedTuple):
    """One line of a trace. `detail` is a request id, a delivery's place or an error."""

    at_ms: int
    mapping: str
    shard_id: str | None
    message: object
    detail: str | None = None


class Trace:
    """Entries in the order in which they happened; the newest `keep` of them, or all.

    `on_cut` are told of each entry that is no longer kept.
    """

    __slots__ = ("entries", "on_cut", "start_ms")

    def __init__(self, start_ms: int, keep: int | None = None) -> None:
        self.start_ms = start_ms
        self.entries: deque[Entry] = deque(maxlen=keep)
        self.on_cut: list[Callable[[Entry], None]] = []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (as_json(entry, self.start_ms) for entry in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def add(
        self,
        at_ms: int,
        mapping: str,
        shard_id: str | None,
        message: object,
        detail: str | None = None,
    ) -> None:
        """Note one message."""
        if len(self.entries) == self.entries.maxlen and self.entries:
            for tell in self.on_cut:
                tell(self.entries[0])
        self.entries.append(Entry(at_ms, mapping, shard_id, message, detail))

    def write(self, path: Path, edit: Callable[[Any], Any] = lambda line: line) -> None:
        """Write JSONL, private to the user; `edit` changes each object on its way."""
        with TraceFile(path, self.start_ms, edit) as file:
            for entry in self.entries:
                file.add(entry)


class TraceFile:
    """A trace that is written as the run goes on: JSONL, private to the user."""

    def __init__(
        self, path: Path, start_ms: int, edit: Callable[[Any], Any] = lambda line: line
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600, exist_ok=False)
        self._start_ms = start_ms
        self._edit = edit
        self._file = path.open("w", encoding="utf-8")
        self._write({"type": "trace", "version": VERSION, "start": iso_ms(start_ms)})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is still held back, and let go of the file, also where that fails."""
        self._file.close()

    def add(self, entry: Entry) -> None:
        """Write one entry."""
        self._write(as_json(entry, self._start_ms))

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(self._edit(line)) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The objects of a written trace, without its head; raises ValueError for another version."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = json.loads(lines[0])
    if head.get("version") != VERSION:
        raise ValueError(f"{path}: trace version {head.get('version')}, expected {VERSION}")
    return [json.loads(line) for line in lines[1:]]


def error_text(error: BaseException) -> str:
    """Kind and text of an error, also of one whose text cannot be made."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as why:
        return f"{type(error).__name__} (its text raises {type(why).__name__})"


def scrub(text: str) -> str:
    """Text without memory addresses, so that two runs of the same thing say the same."""
    return _ADDRESS.sub("0x…", text)


def as_json(entry: Entry, start_ms: int) -> dict[str, Any]:
    """The JSON object of an entry: only the keys that apply, in one order."""
    fields: dict[str, Any] = {
        "t": (entry.at_ms - start_ms) / 1000,
        "at": iso_ms(entry.at_ms),
        "type": _type(entry.message),
        "mapping": entry.mapping,
        "shardId": entry.shard_id or getattr(entry.message, "shard_id", None),
        **dict(_fields(entry.message)),
    }
    if entry.detail is not None:
        fields[_DETAIL.get(type(entry.message), "error")] = scrub(entry.detail)
    return {key: value for key, value in fields.items() if value is not None}


_DETAIL: dict[type, str] = {
    m.Invoke: "requestId",
    m.SendToDestination: "destination",
    m.SaveCheckpoint: "sequenceNumber",
}
_OUTCOMES: dict[type, str] = {
    m.Succeeded: "succeeded",
    m.PartlyFailed: "partlyFailed",
    m.Failed: "failed",
    m.Throttled: "throttled",
}


def _type(message: object) -> str:
    return "idle" if isinstance(message, Idle) else type(message).__name__


def _fields(message: object) -> Iterable[tuple[str, Any]]:
    for name in ("lane", "batch", "parent", "cause", "attempt"):
        value = getattr(message, name, None)
        if value is not None:
            yield name, value
    records: Sequence[Any] | None = getattr(message, "records", None)
    if records:
        yield "startSequenceNumber", records[0].sequence_number
        yield "endSequenceNumber", records[-1].sequence_number
    if records is not None:
        yield "batchSize", len(records)
    error = getattr(message, "error", None)
    if error:
        yield "error", scrub(error)
    if type(message) in _OUTCOMES:
        yield "outcome", _OUTCOMES[type(message)]
    yield from _own_fields(message)
    window = getattr(message, "window", None)
    if window is not None:
        yield "window", _window(window)


def _own_fields(message: object) -> Iterable[tuple[str, Any]]:
    match message:
        case Idle(polls=polls):
            yield "polls", polls
        case m.RecordsArrived():
            yield "millisBehindLatest", message.millis_behind
            yield "endOfShard", message.end_of_shard or None
            yield "lost", len(message.lost) or None
            yield "filtered", len(message.filtered) or None
            yield "aggregates", message.aggregates or None
            yield "strays", message.strays or None
            yield "trimmed", message.trimmed or None
        case m.PollFailed():
            yield "reason", message.reason
        case m.PartlyFailed():
            yield "failedFrom", message.failed_from
        case m.GetRecords() | m.OpenShard():
            yield "from", position_text(message.position)
        case Updated(changes=changes):
            yield "changes", list(changes)
        case m.SaveCheckpoint():
            yield "sequenceNumber", str(message.position)
        case m.Resolved() | m.SendToDestination():
            yield "fate", getattr(message, "fate", None)
            if message.info is not None:
                yield "condition", message.info.condition
                yield "approximateInvokeCount", message.info.approximate_invoke_count
        case _:
            pass


def _window(window: TumblingWindow) -> dict[str, Any]:
    times = {"start": iso_s(window.start_ms), "end": iso_s(window.end_ms)}
    return times | {"stateBytes": len(window.state.encode()), "closing": window.closing}


def position_text(position: Position) -> str:
    """A place in AWS's words, such as `AFTER_SEQUENCE_NUMBER 49…`."""
    match position:
        case After():
            return f"AFTER_SEQUENCE_NUMBER {position.position}"
        case AtTimestamp():
            return f"AT_TIMESTAMP {iso_ms(position.timestamp_ms)}"
        case _:
            return "LATEST" if type(position).__name__ == "Latest" else "TRIM_HORIZON"
