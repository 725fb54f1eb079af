"""Checkpoints that outlive their process, in one SQLite file that one process writes.

What is saved is durable after `commit`, which writes the newest checkpoint of every shard in one
transaction. With a write-ahead log and synchronous NORMAL a commit survives the death of the
process at any moment; a power cut may take the last ones, never the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from esm.checkpoints.lock import Lock
from esm.checkpoints.order import is_behind
from esm.checkpoints.sqlite_file import UPSERT, Incarnation, open_to_write, read_all, row_of
from esm.clock import SystemClock
from esm.errors import StateError
from esm.ports import Checkpoint, Clock, StoreUnavailable
from esm.state import make_folder, unusable

_SET_ASIDE_MAX = 10
"""Of a mapping and stream; the oldest go."""

Key = tuple[str, str]
"""Mapping and stream."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """Checkpoints that are kept, and not applied any more."""

    mapping: str
    stream: str
    shard_count: int
    forgotten: bool

    def __str__(self) -> str:
        stream, count = resource_of(self.stream), self.shard_count
        why = "as you wanted" if self.forgotten else f"this is another {stream}"
        shards = "1 shard" if count == 1 else f"{count:,} shards"
        return f"{self.mapping}: the checkpoints of {shards} are set aside, {why}"


class SqliteCheckpoints:
    """A CheckpointStore in a file, which it holds until `close`; also a context manager.

    Of one thread at a time. Raises StateError: E601 while another process holds it, E603 to E605
    for what cannot be used.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        make_folder(path.parent)
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = Lock(path.with_name(f"{path.name}.lock"))
        try:
            self._connection = open_to_write(path)
        except BaseException:
            self._lock.close()
            raise
        self._unwritten: dict[tuple[int, str], Checkpoint] = {}
        self._read()

    def __enter__(self) -> SqliteCheckpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was not committed is gone."""
        self._connection.close()
        self._lock.close()

    # --- CheckpointStore ---------------------------------------------------------------------

    def load(self, mapping: str, stream: str) -> dict[str, Checkpoint]:
        """By shard id; a copy, with what is not yet committed."""
        return dict(self._shards.get((mapping, stream), {}))

    def save(self, mapping: str, stream: str, shard_id: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint for `commit`, unless one of a later place is there already."""
        key = mapping, stream
        shards = self._shards[key]  # a mapping claims its checkpoints first
        saved = shards.get(shard_id)
        if saved is None or not is_behind(checkpoint, saved):
            shards[shard_id] = checkpoint
            self._unwritten[self._current[key].id, shard_id] = checkpoint

    def commit(self) -> None:
        """Write what was saved. Raises StoreUnavailable; nothing is lost then."""
        if self._unwritten:
            with self._transaction():
                pass

    # --- which checkpoints apply -------------------------------------------------------------

    def claim(
        self, mapping: str, stream: str, incarnation: str, *, embedded: bool
    ) -> SetAside | None:
        """Before anything is loaded: this is the stream that the mapping reads now.

        Checkpoints of an earlier embedded one are set aside, and those of this one, if it was
        there before, apply again. Raises StateError E602 for those of another stream outside.
        """
        key = mapping, stream
        before = self._current.get(key)
        if before is not None and before.incarnation == incarnation:
            return None
        if before is not None and self._shards[key] and not before.embedded:
            raise _of_another_stream(mapping, stream)
        aside = None
        with self._change() as connection:
            if before is not None:
                aside = self._set_aside(connection, key, forgotten=False)
            self._begin(connection, key, incarnation, embedded=embedded)
            _drop_oldest(connection, key)
        return aside

    def forget(self, mapping: str, stream: str) -> SetAside | None:
        """Set aside what there is, so that the mapping begins anew; before it claims its stream.

        A claim has nothing to refuse then.
        """
        key = mapping, stream
        before = self._current.get(key)
        if before is None or not self._shards[key]:
            return None
        with self._change() as connection:
            aside = self._set_aside(connection, key, forgotten=True)
            self._begin(connection, key, before.incarnation, embedded=before.embedded)
            _drop_oldest(connection, key)
        return aside

    def replace(self, changes: Mapping[Key, Mapping[str, Checkpoint | None]]) -> None:
        """Put checkpoints in the place of those that are there, or none, wherever they lie."""
        with self._change() as connection:
            for key, shards in changes.items():
                current, now_ms = self._current[key], self._clock.now_ms()
                for shard_id, checkpoint in shards.items():
                    if checkpoint is None:
                        gone = "DELETE FROM checkpoints WHERE incarnation = ? AND shard = ?"
                        connection.execute(gone, (current.id, shard_id))
                    else:
                        row = row_of(current.id, shard_id, checkpoint, now_ms)
                        connection.execute(UPSERT, row)

    # --- the file ----------------------------------------------------------------------------

    def _read(self) -> None:
        """Make what is in memory what is in the file."""
        current = [each for each in read_all(self._connection) if each.set_aside_at_ms is None]
        self._current: dict[Key, Incarnation] = {(e.mapping, e.stream): e for e in current}
        self._shards = {
            key: {shard_id: saved.checkpoint for shard_id, saved in each.shards.items()}
            for key, each in self._current.items()
        }

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """Change the file outside of a run's commits; a StateError E605 where that fails."""
        try:
            with self._transaction() as connection:
                yield connection
        except StoreUnavailable as error:
            raise unusable(self._path, str(error.__cause__)) from None
        self._read()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All that was saved, and what the caller adds to it, or nothing."""
        connection, now_ms = self._connection, self._clock.now_ms()
        try:
            connection.execute("BEGIN IMMEDIATE")
            rows = (row_of(*place, each, now_ms) for place, each in self._unwritten.items())
            connection.executemany(UPSERT, rows)
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise StoreUnavailable(f"{self._path}: {error}") from error
            raise
        self._unwritten.clear()

    def _set_aside(
        self, connection: sqlite3.Connection, key: Key, *, forgotten: bool
    ) -> SetAside | None:
        """Apply the current ones no more; gives them if there are any."""
        current, count = self._current[key].id, len(self._shards[key])
        if not count:
            connection.execute("DELETE FROM incarnations WHERE id = ?", (current,))
            return None
        connection.execute(
            "UPDATE incarnations SET set_aside_at_ms = ?, forgotten = ? WHERE id = ?",
            (self._clock.now_ms(), forgotten, current),
        )
        return SetAside(*key, count, forgotten)

    def _begin(
        self, connection: sqlite3.Connection, key: Key, incarnation: str, *, embedded: bool
    ) -> None:
        """Go on with what an incarnation had when another one took its place, or with nothing."""
        again = connection.execute(
            "SELECT max(id) FROM incarnations WHERE mapping = ? AND stream = ?"
            " AND incarnation = ? AND NOT forgotten",
            (*key, incarnation),
        ).fetchone()[0]
        if again is not None:
            back = "UPDATE incarnations SET set_aside_at_ms = NULL WHERE id = ?"
            connection.execute(back, (again,))
        else:
            connection.execute(
                "INSERT INTO incarnations (mapping, stream, incarnation, embedded)"
                " VALUES (?, ?, ?, ?)",
                (*key, incarnation, embedded),
            )


def _drop_oldest(connection: sqlite3.Connection, key: Key) -> None:
    """Of what is set aside."""
    connection.execute(
        "DELETE FROM incarnations WHERE id IN (SELECT id FROM incarnations"
        " WHERE mapping = ? AND stream = ? AND set_aside_at_ms IS NOT NULL"
        " ORDER BY set_aside_at_ms DESC, id DESC LIMIT -1 OFFSET ?)",
        (*key, _SET_ASIDE_MAX),
    )
    connection.execute(
        "DELETE FROM checkpoints WHERE incarnation NOT IN (SELECT id FROM incarnations)"
    )


def resource_of(stream: str) -> str:
    """`stream/orders` for `arn:aws:kinesis:us-east-1:123456789012:stream/orders`."""
    return stream.split(":", 5)[-1]


def _of_another_stream(mapping: str, stream: str) -> StateError:
    return StateError(
        "E602",
        f"the checkpoints of {mapping} are of another {resource_of(stream)} than there is now",
        why="it was made anew since; the old places mean other records, or none, in it",
        fix=f"esm run {mapping} --fresh",
    )
