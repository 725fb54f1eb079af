"""The file of the durable checkpoints: what is in it, and what is refused and left as it is.

A checkpoint belongs to one incarnation of its stream. Those of earlier ones, and those that were
forgotten, stay in the file, set aside.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from esm.core.model import Closing, TumblingWindow
from esm.errors import StateError
from esm.ports import Checkpoint
from esm.state import create_private, unusable

_MAGIC = b"SQLite format 3\0"
_APPLICATION_ID = 0x45534D43  # "ESMC", which tells the file from other programs' databases
_VERSION = 1
_BUSY_S = 5.0

# What says nothing of the file's content. https://www.sqlite.org/rescode.html
_OF_THE_SYSTEM = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE incarnations (
    id INTEGER PRIMARY KEY,
    mapping TEXT NOT NULL,
    stream TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    embedded INTEGER NOT NULL,
    set_aside_at_ms INTEGER,
    forgotten INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX current ON incarnations (mapping, stream) WHERE set_aside_at_ms IS NULL;
CREATE TABLE checkpoints (
    incarnation INTEGER NOT NULL,
    shard TEXT NOT NULL,
    position TEXT NOT NULL,  -- sequence numbers have more digits than an INTEGER
    pinned INTEGER NOT NULL,
    pinned_at_ms INTEGER,
    window_start_ms INTEGER,
    window_end_ms INTEGER,
    window_state TEXT,
    window_closing TEXT,
    saved_at_ms INTEGER NOT NULL,
    PRIMARY KEY (incarnation, shard)
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_VERSION};
COMMIT;
"""

UPSERT = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Row = tuple[int, str, str, bool, int | None, int | None, int | None, str | None, str | None, int]
"""What `UPSERT` takes: the columns of a checkpoint in their order."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint, and when it was written."""

    checkpoint: Checkpoint
    saved_at_ms: int


@dataclass(frozen=True, slots=True)
class Incarnation:
    """The checkpoints of a mapping on one incarnation of its stream, by shard id.

    `embedded`: the stream lives and dies with a server of ours. `set_aside_at_ms`: since when they
    are not applied; `forgotten`: because their user wanted that.
    """

    id: int
    mapping: str
    stream: str
    incarnation: str
    embedded: bool
    set_aside_at_ms: int | None
    forgotten: bool
    shards: dict[str, Saved]


def row_of(incarnation: int, shard_id: str, checkpoint: Checkpoint, now_ms: int) -> Row:
    """A checkpoint as the file has it."""
    window = checkpoint.window
    return (
        incarnation,
        shard_id,
        str(checkpoint.position),
        checkpoint.pinned,
        checkpoint.pinned_at_ms,
        window.start_ms if window else None,
        window.end_ms if window else None,
        window.state if window else None,
        window.closing if window else None,
        now_ms,
    )


def open_to_write(path: Path) -> sqlite3.Connection:
    """The file, made if there is none. Raises StateError E603, E604, E605; it is unchanged then."""
    if not _is_new(path):
        with _reading(path) as connection:
            _check_all(path, connection)
    connection = _connect(path, "rw")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if _is_empty(connection):
            connection.executescript(_SCHEMA)
        # SQLite opens a read-only file as well, and says so when it is written to.
        connection.executescript("BEGIN IMMEDIATE; DELETE FROM checkpoints WHERE 0; ROLLBACK;")
    except sqlite3.Error as error:
        connection.close()
        raise unusable(path, str(error)) from None
    return connection


def read_file(path: Path) -> list[Incarnation]:
    """Everything in the file, also while a run writes to it; nothing where there is none.

    Raises StateError E603, E604, E605.
    """
    if not path.exists():
        return []
    _check_head(path)
    with _reading(path) as connection:
        if _is_empty(connection):
            return []
        _check_version(path, connection)
        return read_all(connection)


def read_all(connection: sqlite3.Connection) -> list[Incarnation]:
    """Every incarnation with its checkpoints, the current ones first.

    Raises sqlite3.Error, and ValueError or KeyError for values that this module did not write.
    """
    query = (
        "SELECT id, mapping, stream, incarnation, embedded, set_aside_at_ms, forgotten"
        " FROM incarnations ORDER BY set_aside_at_ms IS NOT NULL, mapping, stream, id"
    )
    found = {
        id_: Incarnation(id_, mapping, stream, name, bool(embedded), aside, bool(forgotten), {})
        for id_, mapping, stream, name, embedded, aside, forgotten in connection.execute(query)
    }
    for incarnation, shard_id, *columns in connection.execute("SELECT * FROM checkpoints"):
        found[incarnation].shards[shard_id] = _saved_of(*columns)
    return list(found.values())


def _saved_of(
    position: str,
    pinned: int,
    pinned_at_ms: int | None,
    window_start_ms: int | None,
    window_end_ms: int | None,
    window_state: str | None,
    window_closing: str | None,
    saved_at_ms: int,
) -> Saved:
    window = None
    if window_start_ms is not None and window_end_ms is not None and window_state is not None:
        closing = None if window_closing is None else Closing(window_closing)
        window = TumblingWindow(window_start_ms, window_end_ms, window_state, closing)
    return Saved(Checkpoint(int(position), bool(pinned), window, pinned_at_ms), saved_at_ms)


# --- what is refused ------------------------------------------------------------------------------


def _is_new(path: Path) -> bool:
    """Make an empty file where there is none; the files beside it get its permissions."""
    try:
        os.close(create_private(path))
    except FileExistsError:
        return _check_head(path)
    except OSError as error:
        raise unusable(path, error.strerror or str(error)) from None
    return True


def _check_head(path: Path) -> bool:
    """Whether the file is still empty; raises StateError for what cannot be a database."""
    if not path.is_file():
        raise unusable(path, "it is a folder" if path.is_dir() else "it is no file")
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise unusable(path, error.strerror or str(error)) from None
    if head not in (b"", _MAGIC):
        raise _refused(path, "it is no SQLite database")
    return not head


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, of which nothing will be changed; what is wrong inside is E603."""
    connection = _connect(path, "ro")
    try:
        yield connection
    except sqlite3.Error as error:
        is_of_the_system = getattr(error, "sqlite_errorcode", 0) & 0xFF in _OF_THE_SYSTEM
        raise (unusable if is_of_the_system else _refused)(path, str(error)) from None
    except (ValueError, KeyError) as error:
        raise _refused(path, f"a checkpoint in it makes no sense: {error}") from None
    finally:
        connection.close()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    try:
        return sqlite3.connect(
            address, uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise unusable(path, str(error)) from None


def _check_all(path: Path, connection: sqlite3.Connection) -> None:
    """Everything that a run will rely on."""
    if _is_empty(connection):
        return
    _check_version(path, connection)
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _refused(path, verdict)
    read_all(connection)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether its process ended before there was anything in it."""
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return tables == 0


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise _refused(path, "it is another program's database")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != _VERSION:
        raise StateError(
            "E604",
            f"{path} is of another version of esm: it has form {version}, not {_VERSION}",
            why="it was left as it is; what a checkpoint means there is not known here",
            fix=_move_away(path),
        )


def _refused(path: Path, reason: str) -> StateError:
    return StateError(
        "E603",
        f"{path} does not hold checkpoints, or is damaged: {reason}",
        why="it was left as it is; without it, mappings begin at their starting position",
        fix=_move_away(path),
    )


def _move_away(path: Path) -> str:
    return f"mv {path} {path}.old"
