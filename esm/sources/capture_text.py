"""Capture files as JSON documents, and the place of everything in them.

A file holds one document, or one on each line; either may be gzipped. What is wrong with a
document is told by a path inside it, and shown to the user as line and column.
"""

from __future__ import annotations

import glob
import gzip
import os
import re
import shlex
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from pathlib import Path

import msgspec

from esm.errors import InputError, Place
from esm.sources.capture_places import JsonPath, locate

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_UTF8_BOM = b"\xef\xbb\xbf"
# Which of the first four bytes are zero tells what a JSON text is written in.
# https://www.rfc-editor.org/rfc/rfc4627#section-3
_ENCODINGS = (
    ("UTF-32", re.compile(rb"\xff\xfe\0\0|\0\0\xfe\xff|\0\0\0[^\0]|[^\0]\0\0\0")),
    ("UTF-16", re.compile(rb"\xff\xfe|\xfe\xff|\0[^\0]\0[^\0]|[^\0]\0[^\0]\0")),
)
_MALFORMED = re.compile(r"malformed: (.*) \(byte (\d+)\)")  # as msgspec says it
_LINES = (".jsonl", ".ndjson")
# In a folder: what is named like JSON, and objects as Lambda names them in a bucket.
_NAMES = re.compile(
    r"[^.].*\.(json|jsonl|ndjson)(\.gz)?|\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[^.]+(\.gz)?"
)


class Wrong(Exception):
    """What is wrong at a path of a document; becomes an InputError where the file is known."""

    def __init__(
        self,
        code: str,
        message: str,
        path: JsonPath = (),
        *,
        why: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.why = why
        self.fix = fix


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A file with captures, by the name that errors call it; `content` is of what has no path."""

    name: str
    path: Path
    content: bytes | None = None

    def open(self) -> BufferedIOBase:
        """The bytes as they are, packed or not."""
        return self.path.open("rb") if self.content is None else BytesIO(self.content)


@dataclass(frozen=True, slots=True)
class Document:
    """One JSON text; `first_line` is where it starts in its file."""

    file: str
    first_line: int
    data: bytes

    def place(self, path: JsonPath = ()) -> Place:
        """Where the value at a path begins."""
        text = self.data.decode(errors="replace")
        return self._place_at(text, locate(text, path))

    def error(self, wrong: Wrong) -> InputError:
        """What the user reads."""
        return InputError(
            wrong.code, wrong.message, place=self.place(wrong.path), why=wrong.why, fix=wrong.fix
        )

    def syntax_error(self, error: Exception) -> InputError:
        """The same for a text that is no JSON, at the character that is not."""
        if b"\0" in self.data:
            return InputError(
                "E422", "not JSON: this is binary", place=Place(self.file, self.first_line)
            )
        problem, byte = _explain(self.data, error)
        text = self.data.decode(errors="replace")
        offset = len(self.data[:byte].decode(errors="replace"))
        return InputError(
            "E422", f"not JSON: {problem}", place=self._place_at(text, offset),
            why="a capture is JSON, or one JSON document on each line",
        )  # fmt: skip

    def _place_at(self, text: str, offset: int) -> Place:
        start = text.rfind("\n", 0, offset) + 1
        line = text[start:].partition("\n")[0].rstrip("\r")
        return Place(
            self.file,
            self.first_line + text.count("\n", 0, offset),
            offset - start + 1,
            line if line.replace("\t", " ").isprintable() else None,
        )


def find_files(paths: Sequence[str | Path | CaptureFile]) -> list[CaptureFile]:
    """The files that paths, globs and folders name, in the order given, each once."""
    found: dict[Path, CaptureFile] = {}
    for path in paths:
        if isinstance(path, CaptureFile):
            found.setdefault(path.path, path)
            continue
        with _readable(str(path)):
            for file in _expand(path):
                found.setdefault(file.resolve(), CaptureFile(str(file), file))
    return list(found.values())


def content_size(file: CaptureFile, limit: int) -> int:
    """Bytes of a file, unpacked; stops counting above `limit` and never holds them."""
    with _readable(file.name), file.open() as raw:
        if raw.read(2) != _GZIP:
            return raw.seek(0, os.SEEK_END)
    size = 0
    with _readable(file.name), _open(file) as stream:
        while size <= limit and (chunk := stream.read(_CHUNK)):
            size += len(chunk)
    return size


def read_documents(file: CaptureFile) -> Iterator[Document]:
    """The documents of a file: line by line where its first line is one, else the whole file."""
    with _readable(file.name), _open(file) as stream:
        lines = _numbered(stream, file)
        number, first = next(lines, (0, b""))
        if not number:
            raise InputError("E422", "the file is empty", place=Place(file.name))
        if file.path.name.removesuffix(".gz").endswith(_LINES) or _is_document(first):
            yield Document(file.name, number, first)
            for number, line in lines:
                yield Document(file.name, number, line)
        else:
            yield Document(file.name, number, first + stream.read())


def read_lines(file: CaptureFile) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, whatever they say, with their numbers from 1."""
    with _readable(file.name), _open(file) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def read_content(file: CaptureFile) -> bytes:
    """A file as it is."""
    with _readable(file.name), file.open() as stream:
        return stream.read()


def _expand(path: str | Path) -> list[Path]:
    name = Path(path)
    if name.is_dir():
        files = sorted(_files_below(name))
        if not files:
            raise InputError(
                "E420", f"no captures in {name}", why="looked for *.json and *.jsonl, also *.gz"
            )
        return files
    if name.is_file():
        return [name]
    if name.exists():
        # A pipe or a device: captures are measured first and read after.
        raise InputError("E420", f"not a file: {path}", fix="write it to a file first")
    if not glob.has_magic(str(path)):
        raise InputError("E420", f"no such file: {path}")
    # Path.glob takes no absolute pattern.
    matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
    files = [f for match in matches for f in (_expand(match) if match.is_dir() else [match])]
    if not files:
        raise InputError("E420", f"nothing matches {path}")
    return files


def _files_below(folder: Path) -> Iterator[Path]:
    """What is named like a capture, in folders that are not hidden; raises OSError."""
    for below, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = (Path(below, name) for name in names if _NAMES.fullmatch(name))
        yield from (file for file in files if file.is_file())


def _raise(error: OSError) -> None:
    """A folder that cannot be read must not pass for an empty one."""
    raise error


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """What goes wrong while reading a file is said in the user's terms."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            "E421",
            f"broken gzip: {error}",
            place=Place(name),
            why="the file is damaged or cut",
        ) from error
    except OSError as error:
        raise InputError(
            "E421",
            f"cannot be read: {error.strerror or error}",
            place=Place(str(error.filename or name)),
        ) from error


def _open(file: CaptureFile) -> BufferedIOBase:
    with file.open() as raw:
        packed = raw.read(2) == _GZIP
    if not packed:
        return file.open()
    return gzip.open(file.path if file.content is None else BytesIO(file.content), "rb")


def _numbered(stream: BufferedIOBase, file: CaptureFile) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers from 1."""
    for number, line in enumerate(stream, 1):
        text = line
        if number == 1:
            _check_encoding(line, file)
            text = line.removeprefix(_UTF8_BOM)
        if text.strip():
            yield number, text


def _check_encoding(start: bytes, file: CaptureFile) -> None:
    for encoding, pattern in _ENCODINGS:
        if pattern.match(start):
            raise InputError(
                "E422", f"not JSON: this is {encoding}", place=Place(file.name, 1, 1),
                why="JSON is UTF-8",
                fix=f"iconv -f {encoding} -t UTF-8 {shlex.quote(file.name)} > utf-8.json",
            )  # fmt: skip


def _is_document(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _explain(data: bytes, error: Exception) -> tuple[str, int]:
    """What is wrong with bytes that are no JSON, and at which of them."""
    if isinstance(error, UnicodeDecodeError):
        return "this is not UTF-8", _first_non_utf8(data)
    if isinstance(error, RecursionError):
        return "nested too deeply", 0
    match = _MALFORMED.search(str(error))
    if match is None:
        return "it ends in the middle", len(data.rstrip())
    problem, byte = match[1], int(match[2])
    # msgspec has already stepped over what follows the document.
    return problem, byte - 1 if problem.startswith("trailing characters") else byte


def _first_non_utf8(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    raise AssertionError("all of it is UTF-8")
