"""How far a live run is: a table that is drawn anew on a terminal, a line every 10 s elsewhere."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, Self

from esm.cli.live_books import LiveBooks
from esm.cli.live_lines import seconds_text
from esm.cli.text import counted
from esm.clock import Stopwatch
from esm.trace import Entry

_LINE_EVERY_MS = 10_000
_REDRAWN_PER_SECOND = 4
_MOST_ROWS = 20
"""A table of more mappings would scroll."""


class Standing:
    """On stderr; whatever else is written there goes through `write`, which keeps them apart."""

    def __init__(self, books: LiveBooks) -> None:
        self._books = books
        self._stopwatch = Stopwatch()
        self._next_ms = _LINE_EVERY_MS
        self._live: Any = _live(books) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def write(self, line: str) -> None:
        """A line above what is drawn.

        Where nobody takes it any more, or the disk is full, it is gone: functions print here, too,
        and none of their invocations may fail of that.
        """
        if self._live is not None:
            self._live.console.out(line, highlight=False)
            return
        with suppress(OSError):
            sys.stderr.write(f"{line}\n")  # in one piece: several threads write here
            sys.stderr.flush()

    def hear(self, _entry: Entry) -> None:
        """Something has happened; a line may be due."""
        if self._live is None and self._stopwatch.elapsed_ms() >= self._next_ms:
            self._next_ms = self._stopwatch.elapsed_ms() + _LINE_EVERY_MS
            self.write(_line(self._books))


def _line(books: LiveBooks) -> str:
    every = books.mappings.values()
    failed = sum(each.failed for each in every)
    behind_ms = max((each.behind for each in every), default=0)
    errors = f", {counted(failed, 'call')} failed" if failed else ""
    behind = f", {seconds_text(behind_ms)} behind" if behind_ms >= 1000 else ""
    open_windows = sum(len(each.windows) for each in every)
    windows = f", {counted(open_windows, 'tumbling window')} open" if open_windows else ""
    return f"running: {counted(books.delivered, 'record')} delivered{errors}{behind}{windows}"


def _live(books: LiveBooks) -> Any:
    """rich's live display, where rich is installed."""
    try:
        from rich.console import Console
        from rich.live import Live
        from rich.table import Table
    except ImportError:
        return None

    def draw() -> Any:
        if len(books.mappings) > _MOST_ROWS:
            return _line(books)
        table = Table(box=None, pad_edge=False)
        table.add_column("mapping", no_wrap=True)
        for name in ("delivered", "filtered", "discarded", "failed", "behind"):
            table.add_column(name, justify="right")
        for name, each in books.mappings.items():
            counts = (each.delivered, each.filtered, each.discarded, each.failed)
            behind = seconds_text(each.behind) if each.behind >= 1000 else "-"
            table.add_row(name, *(f"{count:,}" for count in counts), behind)
        return table

    return Live(
        get_renderable=draw,
        console=Console(file=sys.stderr),
        refresh_per_second=_REDRAWN_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
