"""The capture that a recording writes: private, in whole lines, never replaced unasked."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from esm.errors import InputError, Place


class RecordingFile:
    """JSONL, packed if its name ends in .gz; there is no file before there is a record."""

    def __init__(self, path: Path, *, replace: bool) -> None:
        self._path = path
        self._replace = replace
        self._raw: IO[bytes] | None = None
        self._lines: IO[bytes] | gzip.GzipFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._errors():
            if self._lines is not None and self._lines is not self._raw:
                self._lines.close()  # what is packed gets its end
            if self._raw is not None:
                self._raw.close()

    def check(self) -> None:
        """Say before the recording what would be said at its first record. Raises InputError."""
        with self._errors():
            if self._path.exists() and not self._replace:
                raise FileExistsError
            if not self._path.parent.is_dir():
                raise NotADirectoryError(20, f"there is no folder {self._path.parent}")
            if not os.access(self._path if self._path.exists() else self._path.parent, os.W_OK):
                raise PermissionError(13, "Permission denied")

    def write(self, lines: bytes) -> None:
        """Append whole lines. Raises InputError E491 and E492."""
        with self._errors():
            if self._lines is None:
                self._lines = self._open()
            self._lines.write(lines)
            self._lines.flush()

    def _open(self) -> IO[bytes] | gzip.GzipFile:
        descriptor = os.open(
            self._path,
            os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if self._replace else os.O_EXCL),
            0o600,
        )
        self._raw = os.fdopen(descriptor, "wb")
        os.fchmod(descriptor, 0o600)  # of a file that was there before
        if self._path.suffix != ".gz":
            return self._raw
        return gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        place = Place(str(self._path))
        try:
            yield
        except FileExistsError:
            raise InputError(
                "E491",
                "there is a file already",
                place=place,
                why="a recording replaces no file unasked",
                fix="--force, or another name",
            ) from None
        except OSError as error:
            reason = error.strerror or error
            raise InputError("E492", f"it cannot be written: {reason}", place=place) from None
