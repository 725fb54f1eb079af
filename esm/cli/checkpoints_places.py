"""Where a shard is read on, in AWS's words, and as the JSON that `--export` writes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from esm.checkpoints.sqlite_file import Incarnation
from esm.core.model import Closing, TumblingWindow
from esm.errors import InvalidValue, Place, StateError
from esm.instants import iso_ms, parse_instant
from esm.payloads.kpl import PART_BITS, WHOLE
from esm.ports import Checkpoint

TRIM_HORIZON = "TRIM_HORIZON"

_VERSION = 1


class WindowForm(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """An open tumbling window."""

    start: str
    end: str
    state: str
    closing: Closing | None = None


class Form(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """A shard's checkpoint; without `sequence_number` and `starting_at` it has none.

    `sub_sequence_number` is the part of an aggregated record up to which all is resolved.
    `starting_at` is TRIM_HORIZON or an instant.
    """

    mapping: str
    stream: str
    shard_id: str
    incarnation: str | None = None
    sequence_number: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,129}$")] | None = None
    sub_sequence_number: Annotated[int, msgspec.Meta(ge=0, lt=WHOLE)] | None = None
    starting_at: str | None = None
    pinned: bool = False
    window: WindowForm | None = None


class _File(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    version: int
    checkpoints: list[Form]


def place_of(stream: str, checkpoint: Checkpoint | None) -> str:
    """`after 4959…`, `AT_TIMESTAMP 2026-01-01T00:00:00.000Z`, `TRIM_HORIZON`.

    Behind a slash is the part of an aggregated record: `after 4959…/3`.
    """
    if checkpoint is None:
        return "the starting position of the mapping"
    if checkpoint.pinned_at_ms is not None:
        at = _starting_at(checkpoint.pinned_at_ms)
        return at if at == TRIM_HORIZON else f"AT_TIMESTAMP {at}"
    number, part = sequence_number_of(stream, checkpoint.position)
    return f"after {number}" if part is None else f"after {number}/{part}"


def sequence_number_of(stream: str, position: int) -> tuple[str, int | None]:
    """The sequence number at a position, and the part of it where there is more than one."""
    if not _is_consumer(stream):
        return str(position), None
    number, part = divmod(position, 1 << PART_BITS)
    return str(number), None if part == WHOLE else part


def position_of(stream: str, sequence_number: str, part: int | None = None) -> int:
    """The position at a sequence number: behind all of its parts, or behind one of them."""
    if not _is_consumer(stream):
        return int(sequence_number)
    return int(sequence_number) << PART_BITS | (WHOLE if part is None else part)


def _is_consumer(stream: str) -> bool:
    return "/consumer/" in stream


def _starting_at(instant_ms: int) -> str:
    return iso_ms(instant_ms) if instant_ms else TRIM_HORIZON


# --- as JSON --------------------------------------------------------------------------------------


def form_of(incarnation: Incarnation, shard_id: str, checkpoint: Checkpoint | None) -> Form:
    """A checkpoint as JSON has it."""
    form = Form(
        mapping=incarnation.mapping,
        stream=incarnation.stream,
        incarnation=incarnation.incarnation,
        shard_id=shard_id,
    )
    if checkpoint is None:
        return form
    form.window = _window_form(checkpoint.window)
    if checkpoint.pinned_at_ms is not None:
        form.starting_at = _starting_at(checkpoint.pinned_at_ms)
    else:
        number, part = sequence_number_of(incarnation.stream, checkpoint.position)
        form.sequence_number, form.sub_sequence_number = number, part
        form.pinned = checkpoint.pinned
    return form


def _window_form(window: TumblingWindow | None) -> WindowForm | None:
    if window is None:
        return None
    start, end = iso_ms(window.start_ms), iso_ms(window.end_ms)
    return WindowForm(start, end, window.state, window.closing)


def checkpoint_of(form: Form) -> Checkpoint | None:
    """The checkpoint that a form means. Raises ValueError for an instant that is none."""
    window = None
    if form.window is not None:
        start_ms, end_ms = parse_instant(form.window.start), parse_instant(form.window.end)
        window = TumblingWindow(start_ms, end_ms, form.window.state, form.window.closing)
    if form.starting_at is not None:
        at = form.starting_at
        at_ms = 0 if at == TRIM_HORIZON else parse_instant(at)
        return Checkpoint(0, pinned=True, window=window, pinned_at_ms=at_ms)
    if form.sequence_number is None:
        return None
    position = position_of(form.stream, form.sequence_number, form.sub_sequence_number)
    return Checkpoint(position, form.pinned, window)


def written(forms: Iterable[Form]) -> bytes:
    """What `--export` writes and `--from-file` reads."""
    return msgspec.json.format(msgspec.json.encode(_File(_VERSION, list(forms)))) + b"\n"


def read_forms(content: bytes, file: str) -> list[Form]:
    """The checkpoints of such a file. Raises StateError E607."""
    try:
        found = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_export(file, str(error)) from None
    if found.version != _VERSION:
        raise _no_export(file, f"its version is {found.version}, not {_VERSION}")
    seen = set()
    for number, form in enumerate(found.checkpoints):
        here = f"checkpoints[{number}]"
        key = form.mapping, form.stream, form.shard_id
        if key in seen:
            raise _no_export(file, f"{here}: {form.shard_id} is there twice")
        seen.add(key)
        if form.sequence_number is not None and form.starting_at is not None:
            raise _no_export(file, f"{here} has both sequenceNumber and startingAt")
        try:
            checkpoint_of(form)
        except InvalidValue as error:
            raise _no_export(file, f"{here}: {error.message}") from None
    return found.checkpoints


def _no_export(file: str, what: str) -> StateError:
    return StateError(
        "E607",
        f"these are not checkpoints as --export writes them: {what}",
        place=Place(file),
        fix="esm checkpoints reset --all-mappings --export",
    )
