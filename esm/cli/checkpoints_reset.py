"""`esm checkpoints reset`: shows what it would do, and does it when it is told to.

What was there before is written to an undo file first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from esm.checkpoints.sqlite import Key, SqliteCheckpoints, resource_of
from esm.checkpoints.sqlite_file import Incarnation, read_file
from esm.cli.checkpoints_list import labelled
from esm.cli.checkpoints_places import form_of, place_of, read_forms, written
from esm.cli.checkpoints_plan import (
    Change,
    Scope,
    Target,
    from_forms,
    shift_by,
    to_current,
    to_instant,
    to_sequence_number,
    undo_fresh,
)
from esm.cli.output import write_answer
from esm.clock import SystemClock
from esm.errors import InputError
from esm.instants import iso_ms
from esm.ports import Checkpoint
from esm.state import CHECKPOINTS, FOLDER, create_private, unusable
from esm.story.words import cut, window_text

Value = str | int | tuple[str, bytes] | None


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is the option that says where to, `value` what was given with it.

    That is milliseconds of an instant or a duration, a sequence number, a number of records, or a
    file's name with its content.
    """

    scope: Scope
    target: str
    value: Value
    execute: bool
    export: bool


def reset_all(request: Request) -> int:
    """Show, export or execute a plan."""
    path = Path(FOLDER, CHECKPOINTS)
    target = _target_of(request.target, request.value)
    if request.execute and path.exists():
        with SqliteCheckpoints(path) as store:
            changes = target(read_file(path), request.scope)
            undo = _execute(store, changes)
        write_answer(_text_of(changes, _done(undo)))
        return 0
    changes = target(read_file(path), request.scope)
    if request.export:
        write_answer(written(form_of(e.incarnation, e.shard_id, e.after) for e in changes))
    else:
        write_answer(_text_of(changes, ["nothing was changed: --execute does it"]))
    return 0


def _target_of(target: str, value: Value) -> Target:
    now_ms = SystemClock().now_ms()
    match target, value:
        case "to_current", _:
            return to_current
        case "undo_fresh", _:
            return undo_fresh
        case "to_earliest", _:
            return to_instant(0)
        case "to_latest", _:
            return to_instant(now_ms)
        case "to_datetime", int():
            return to_instant(_past(value, now_ms))
        case "by_duration", int():
            return to_instant(max(0, now_ms - value))
        case "to_sequence_number", str():
            return to_sequence_number(value)
        case "shift_by", int():
            return shift_by(value)
        case "from_file", (str() as name, bytes() as content):
            return from_forms(read_forms(content, name))
        case _:
            raise AssertionError(target)


def _past(instant_ms: int, now_ms: int) -> int:
    if instant_ms > now_ms:
        message = f"--to-datetime {iso_ms(instant_ms)} lies in the future"
        raise InputError("E480", message, fix="--to-latest")
    return max(0, instant_ms)


# --- doing it -------------------------------------------------------------------------------------


def _execute(store: SqliteCheckpoints, changes: Sequence[Change]) -> Path | None:
    """Put the checkpoints where the plan has them; gives the undo file."""
    new: dict[Key, dict[str, Checkpoint | None]] = {}
    for each in changes:
        if each.is_one:
            key = each.incarnation.mapping, each.incarnation.stream
            new.setdefault(key, {})[each.shard_id] = each.after
    if not new:
        return None
    undo = _write_undo(changes)
    store.replace(new)
    return undo


def _write_undo(changes: Sequence[Change]) -> Path:
    """Raises StateError E605."""
    instant = iso_ms(SystemClock().now_ms()).replace(":", "").replace("-", "")
    path = Path(FOLDER, f"undo-{instant}.json")
    content = written(form_of(e.incarnation, e.shard_id, e.before) for e in changes if e.is_one)
    try:
        with os.fdopen(create_private(path), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unusable(path, error.strerror or str(error)) from None
    return path


def _done(undo: Path | None) -> list[str]:
    if undo is None:
        return []
    return [
        "done, and this undoes it:",
        f"esm checkpoints reset --from-file {undo.as_posix()} --execute",
    ]


# --- showing it -----------------------------------------------------------------------------------


def _text_of(changes: Sequence[Change], after: Sequence[str]) -> str:
    if not changes:
        return "no checkpoints here to reset\n"
    if not any(each.is_one for each in changes):
        after = ["there is nothing to change"]
    return "".join(f"{line}\n" for line in [*map(cut, _lines(changes)), *after])


def _lines(changes: Sequence[Change]) -> Iterator[str]:
    incarnation: Incarnation | None = None
    for each in changes:
        if each.incarnation is not incarnation:
            incarnation = each.incarnation
            yield f"{incarnation.mapping} reads {resource_of(incarnation.stream)}"
        yield f"  {each.shard_id}"
        yield from _of_shard(each)


def _of_shard(change: Change) -> Iterator[str]:
    before, after, stream = change.before, change.after, change.incarnation.stream
    if not change.is_one:
        yield labelled("stays", place_of(stream, before))
        return
    yield labelled("now", place_of(stream, before))
    yield labelled("then", place_of(stream, after))
    if before is not None and before.window is not None and (not after or not after.window):
        yield labelled("gives up", f"what was counted in {window_text(before.window)}")
