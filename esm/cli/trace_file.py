"""The file of `--trace`: it replaces nothing that a run reads, and never ends one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from esm.cli.template_options import TemplateOptions
from esm.cli.variables import VariablesFile
from esm.errors import InputError, Place, TemplateError
from esm.sources.capture_text import CaptureFile, find_files
from esm.trace import Entry, TraceFile


def require_writable(
    trace: Path,
    captures: Iterable[str | CaptureFile],
    template: TemplateOptions,
    variables: VariablesFile | None,
) -> None:
    """Said before the run, not after it, which reads the others. Raises InputError E486."""
    inputs = {file.path.resolve(): "a capture" for file in find_files([*captures])}
    with suppress(TemplateError):  # there is none where a handler is named
        inputs[template.path.resolve()] = "the template"
    if variables is not None:
        inputs[Path(variables.path).resolve()] = "the file of variables"
    what = inputs.get(trace.resolve())
    if what is not None:
        raise InputError("E486", f"the trace would replace {what}", place=Place(str(trace)))
    with trace_errors(trace):
        absolute = trace.absolute()
        folder = next(folder for folder in absolute.parents if folder.exists())
        if not folder.is_dir():
            raise NotADirectoryError(20, "Not a directory")
        if absolute.exists() and not absolute.is_file():
            raise OSError(22, "Not a regular file")
        if not all(os.access(path, os.W_OK) for path in (folder, absolute) if path.exists()):
            raise PermissionError(13, "Permission denied")


@contextmanager
def trace_errors(trace: Path) -> Iterator[None]:
    """Have what the system says against the file said as E486."""
    try:
        yield
    except OSError as error:
        raise InputError(
            "E486",
            f"the trace cannot be written: {error.strerror or error}",
            place=Place(str(trace)),
        ) from None


class LiveTrace:
    """The trace of a run that goes on: where it cannot be written any more, it ends alone."""

    def __init__(self, path: Path, file: TraceFile, tell: Callable[[str], None]) -> None:
        """`tell` gets one line, when it ends early."""
        self._path = path
        self._file: TraceFile | None = file
        self._tell = tell

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        file, self._file = self._file, None
        if file is not None:
            with self._ending_early():
                file.close()

    def hear(self, entry: Entry) -> None:
        """Write one entry, as long as that is possible."""
        if self._file is not None:
            with self._ending_early():
                self._file.add(entry)

    @contextmanager
    def _ending_early(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            file, self._file = self._file, None
            if file is not None:
                with suppress(OSError):  # what it still holds cannot be written either
                    file.close()
            self._tell(f"{self._path}: the trace ends here: {error.strerror or error}")
