"""What functions print, line by line, with the function's name.

Only what goes through `sys.stdout` and `sys.stderr`; C code and child processes write past them.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from esm.invokers.execution_environment import HERE, told_of_pauses
from esm.invokers.replacing import replaced

WriteLine = Callable[[str, str], None]


@contextmanager
def named_output(write: WriteLine) -> Iterator[None]:
    """Inside, `write(function, line)` gets what live functions print, in their own threads.

    A line that no newline ends comes when the invocation or the thread ends. What others print goes
    where it went, and so does everything afterwards, also through streams that were kept.
    """
    turn = _Turn()
    with ExitStack() as undo:
        for name in ("stdout", "stderr"):
            stream = _Named(getattr(sys, name), write, turn)
            undo.enter_context(replaced(sys, name, stream))
            undo.enter_context(told_of_pauses(stream.end_line))
            undo.callback(stream.retire)
        yield


class _Named(io.TextIOBase):
    """In place of a stream: lines of functions here, everything else into the stream."""

    def __init__(self, stream: TextIO, write: WriteLine, turn: _Turn) -> None:
        self._stream = stream
        self._write_line: WriteLine | None = write
        self._turn = turn
        self._open = _OpenLine()
        self.buffer = _Bytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        """Of the stream."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """Of the stream."""
        return self._stream.errors

    def write(self, text: str) -> int:
        """Whole lines go on, the rest waits for its end."""
        environment, write_line = HERE.environment, self._write_line
        if environment is None or write_line is None or self._turn.is_taken:
            return self._stream.write(text)
        *lines, self._open.text = (self._open.text + text).split("\n")
        self._turn.is_taken = True
        try:
            for line in lines:
                write_line(environment.function, line)
        finally:
            self._turn.is_taken = False
        return len(text)

    def end_line(self) -> None:
        """Let what this thread has printed be a line."""
        if self._open.text:
            self.write("\n")

    def flush(self) -> None:
        """Lines are never held back."""
        if HERE.environment is None or self._write_line is None or self._turn.is_taken:
            self._stream.flush()

    def retire(self) -> None:
        """Hand everything to the stream from now on."""
        self._write_line = None

    def fileno(self) -> int:
        """Of the stream."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Of the stream."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """The stream is not the function's to close."""


class _Turn(threading.local):
    """Whether a line of the calling thread is being written: that goes where it says."""

    is_taken = False


class _OpenLine(threading.local):
    """What the calling thread has printed since its last newline."""

    text = ""


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`, for who writes bytes."""

    def __init__(self, named: _Named) -> None:
        self._named = named

    def write(self, data: Any) -> int:
        """Bytes of text."""
        text = bytes(data)
        self._named.write(text.decode(errors="replace"))
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True
