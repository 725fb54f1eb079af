"""How far long work has come, on stderr: a bar on a terminal, a line every 10 s elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from esm.clock import Stopwatch

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_LINE_EVERY_MS = 10_000
_BAR_AFTER_MS = 1_000
_BAR_EVERY_MS = 200


class Progress:
    """Told often, shows seldom: nothing at all of what is quick."""

    def __init__(self, stream: TextIO | None = None, stopwatch: Stopwatch | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._stopwatch = stopwatch or Stopwatch()
        self._on_terminal = self._stream.isatty()
        self._next_ms = _BAR_AFTER_MS if self._on_terminal else _LINE_EVERY_MS
        self._bar: _Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def is_due(self) -> bool:
        """Whether `tell` would show anything now."""
        return self._stopwatch.elapsed_ms() >= self._next_ms

    def tell(self, what: str, done: int, total: int | None) -> None:
        """`what` is being done; `total` is None where nobody knows it yet."""
        if not self.is_due():
            return
        elapsed_ms = self._stopwatch.elapsed_ms()
        if self._on_terminal and self._bar is None:
            self._bar = _make_bar(self._stream, self._stopwatch)
        if self._bar is not None:
            self._next_ms = elapsed_ms + _BAR_EVERY_MS
            self._bar.show(what, done, total)
        else:
            # From one due time to the next: lines do not drift.
            self._next_ms += (elapsed_ms - self._next_ms) // _LINE_EVERY_MS * _LINE_EVERY_MS
            self._next_ms += _LINE_EVERY_MS
            of = f" of {total:,}" if total is not None else ""
            print(f"{what}: {done:,}{of} records", file=self._stream, flush=True)


class _Bar:
    """rich's bar, drawn by this thread when it is told."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar
        self._task: TaskID = bar.add_task("", total=None)
        bar.start()

    def show(self, what: str, done: int, total: int | None) -> None:
        self._bar.update(self._task, description=what, completed=done, total=total)
        self._bar.refresh()

    def stop(self) -> None:
        self._bar.stop()


def _make_bar(stream: TextIO, stopwatch: Stopwatch) -> _Bar | None:
    """A bar, where rich is installed."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    except ImportError:
        return None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Its own thread and clock would see the frozen time of handlers.
    return _Bar(
        Progress(
            *columns,
            console=Console(file=stream),
            get_time=lambda: stopwatch.elapsed_ms() / 1000,
            auto_refresh=False,
            transient=True,
        )
    )
