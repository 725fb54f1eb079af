"""What `esm generate` does: write what is made, as it is made."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

import msgspec

from esm.cli.output import write_answer
from esm.cli.progress import Progress
from esm.errors import InputError, Place
from esm.generating import Generated, events_of

_PIECE_BYTES = 1 << 20

Write = Callable[[bytes], object]
"""Takes a piece; False when nobody wants more."""


def write(plan: Generated, batch_size: int | None, out: Path | None) -> None:
    """Write events of so many records, or records, to a file or stdout; JSONL.

    Raises InputError E454 for a file that cannot be written, E457 where there is nothing to write.
    """
    entries = _records(plan) if batch_size is None else events_of(plan, batch_size)
    with Progress() as progress:
        lines = _lines(entries, plan.count, progress)
        # The first line is made before a file is opened, so that a mistake leaves it as it was.
        first = next(lines, None)
        if first is None:
            raise InputError(
                "E457", "nothing happens in so short a time", fix="--duration 1h --rate 10"
            )
        lines = chain([first], lines)
        if out is None:
            _copy(lines, write_answer)
        else:
            with _file_errors(out), _opened(out) as file:
                _copy(lines, file.write)


def _records(plan: Generated) -> Iterator[dict[str, Any]]:
    """Records as they stand in events."""
    events = plan.builder()
    for record in plan.records():
        yield from events.build(record.shard_id, [record])["Records"]


def _lines(entries: Iterator[dict[str, Any]], total: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    for entry in entries:
        yield msgspec.json.encode(entry) + b"\n"
        done += len(entry.get("Records", (entry,)))
        progress.tell("generating", done, total)


def _copy(lines: Iterator[bytes], write: Write) -> None:
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE_BYTES:
            if write(bytes(piece)) is False:
                return
            piece.clear()
    write(bytes(piece))


@contextmanager
def _file_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            "E454", f"it cannot be written: {error.strerror or error}", place=Place(str(out))
        ) from None


@contextmanager
def _opened(out: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The file; what is packed holds neither name nor time, so that it is always the same."""
    with out.open("wb") as file:
        if out.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            yield packed
