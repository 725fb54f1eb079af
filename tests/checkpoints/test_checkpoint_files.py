"""The file of the checkpoints when it is none, and the lock beside it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from esm.checkpoints import sqlite_file
from esm.checkpoints.sqlite import SqliteCheckpoints
from esm.checkpoints.sqlite_file import read_file
from esm.errors import StateError
from esm.ports import Checkpoint

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"

Spoil = Callable[[Path], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the checkpoints of forty shards."""
    path = tmp_path / "checkpoints.db"
    with SqliteCheckpoints(path) as store:
        store.claim("orders", STREAM, "Monday", embedded=True)
        for number in range(40):
            store.save("orders", STREAM, f"shard-{number}", Checkpoint(10**56))
        store.commit()
    return path


def execute(statement: str) -> Spoil:
    """What somebody does to the file with SQLite."""

    def spoil(path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.executescript(statement)
        connection.close()

    return spoil


def overwrite_pages(path: Path) -> None:
    """All but the first page, in which the tables are declared."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))


SPOILT: dict[str, tuple[Spoil, str, str]] = {
    "text": (lambda path: path.write_text("{}"), "E603", "it is no SQLite database"),
    "a short head": (lambda path: path.write_bytes(b"SQLite"), "E603", "it is no SQLite database"),
    "only a head": (lambda path: path.write_bytes(b"SQLite format 3\0"), "E603", "not a database"),
    "damaged": (overwrite_pages, "E603", "or is damaged: "),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:6000]), "E603", "or is damaged: "),
    "of another program": (execute("PRAGMA application_id = 1"), "E603", "another program's"),
    "of a later esm": (execute("PRAGMA user_version = 2"), "E604", "it has form 2, not 1"),
    "mended by hand": (
        execute("UPDATE checkpoints SET position = 'x'"), "E603", "makes no sense: invalid literal",
    ),
    "of nobody": (execute("DELETE FROM incarnations"), "E603", "makes no sense: 1"),
    "with fewer columns": (
        execute("ALTER TABLE incarnations DROP COLUMN embedded"), "E603", "no such column",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "code", "says"), SPOILT.values(), ids=SPOILT)
def test_what_does_not_hold_checkpoints_is_refused_and_left_untouched(
    path: Path, spoil: Spoil, code: str, says: str
):
    spoil(path)
    before = path.read_bytes()
    for open_ in (SqliteCheckpoints, read_file):
        if open_ is read_file and says == "or is damaged: ":
            continue  # whoever only looks does not read all of it
        with pytest.raises(StateError) as refused:
            open_(path)
        assert refused.value.esm_code == code
        assert says in refused.value.message
        assert refused.value.fix == f"mv {path} {path}.old"
        assert len(str(refused.value).splitlines()) == 3
    assert path.read_bytes() == before


def test_a_file_whose_process_died_before_there_was_anything_in_it(tmp_path: Path):
    path = tmp_path / "checkpoints.db"
    path.touch()
    assert read_file(path) == []
    execute("PRAGMA journal_mode = WAL")(path)
    assert read_file(path) == []
    with SqliteCheckpoints(path) as store:
        assert store.claim("orders", STREAM, "Monday", embedded=True) is None


def test_no_file_is_no_mistake_for_whoever_only_looks(tmp_path: Path):
    assert read_file(tmp_path / "checkpoints.db") == []
    assert list(tmp_path.iterdir()) == []


def test_a_look_at_the_file_does_not_need_the_lock(path: Path):
    with SqliteCheckpoints(path) as store:
        store.save("orders", STREAM, "shard-0", Checkpoint(10**57))
        store.commit()
        (incarnation,) = read_file(path)
    assert incarnation.shards["shard-0"].checkpoint == Checkpoint(10**57)


@pytest.mark.parametrize("in_the_way", ["checkpoints.db", "checkpoints.db.lock"])
def test_a_folder_in_the_place_of_a_file(tmp_path: Path, in_the_way: str):
    (tmp_path / in_the_way).mkdir()
    with pytest.raises(StateError) as refused:
        SqliteCheckpoints(tmp_path / "checkpoints.db")
    assert str(refused.value).startswith(f"E605  {tmp_path / in_the_way} cannot be used: ")
    assert "folder" in refused.value.message or "directory" in refused.value.message


def test_a_file_that_another_program_writes_to(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite_file, "_BUSY_S", 0.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match=r"E605.*cannot be used: database is locked"):
        SqliteCheckpoints(path)
    assert len(read_file(path)) == 1
    other.close()
    with SqliteCheckpoints(path) as store:
        assert len(store.load("orders", STREAM)) == 40


def test_what_keeps_it_from_being_read_is_no_damage(path: Path):
    path.with_name("checkpoints.db-wal").mkdir()
    before = path.read_bytes()
    for open_ in (SqliteCheckpoints, read_file):
        with pytest.raises(StateError, match=r"E605.*unable to open database file"):
            open_(path)
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipe can lie there")
def test_a_pipe_in_its_place_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "checkpoints.db")
    with pytest.raises(StateError, match=r"E605.*it is no file"):
        SqliteCheckpoints(tmp_path / "checkpoints.db")


def test_a_file_in_the_place_of_the_folder(tmp_path: Path):
    (tmp_path / ".esm").write_text("mine")
    with pytest.raises(StateError, match=r"E605  .*\.esm cannot be used: File exists"):
        SqliteCheckpoints(tmp_path / ".esm" / "checkpoints.db")
    assert (tmp_path / ".esm").read_text() == "mine"


def test_a_folder_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    before = path.read_bytes()
    with pytest.raises(StateError, match=r"E605.*cannot be used: Permission denied"):
        SqliteCheckpoints(path)
    assert path.read_bytes() == before


# --- the lock -------------------------------------------------------------------------------------

HOLDER = """
import os, sys
from pathlib import Path
from esm.checkpoints.sqlite import SqliteCheckpoints
sys.argv = ["/usr/bin/esm", "run", "Orders", "--parameter-overrides", "Password=secret"]
store = SqliteCheckpoints(Path("checkpoints.db"))
"""
WAIT = "print('held', flush=True); sys.stdin.read()"
FORK = """
if os.fork() == 0:
    print("held", flush=True)
    sys.stdin.read()
    os._exit(0)
os.wait()
"""


def holder(folder: Path, script: str) -> subprocess.Popen[str]:
    """A process that has the store in a folder; it ends with its stdin."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER + script], cwd=folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_checkpoints(path: Path):
    with holder(path.parent, WAIT) as process:
        with pytest.raises(StateError) as refused:
            SqliteCheckpoints(path)
        process.kill()
    assert str(refused.value) == (
        f"E601  the checkpoints in {path.parent} are in use by process {process.pid}"
        " (esm run Orders)\n"
        "why    two at once would move each other's checkpoints\n"
        f"fix    kill {process.pid}"
    )


def test_a_second_store_in_one_process_is_refused_too(path: Path):
    with SqliteCheckpoints(path), pytest.raises(StateError, match=f"process {os.getpid()}"):
        SqliteCheckpoints(path)
    with SqliteCheckpoints(path) as store:
        assert len(store._current) == 1


def test_a_lock_whose_holder_has_not_said_who_it_is(path: Path):
    with SqliteCheckpoints(path):
        path.with_name("checkpoints.db.lock").write_text("{")
        with pytest.raises(StateError, match="in use by another process"):
            SqliteCheckpoints(path)


def test_a_dead_process_holds_nothing(path: Path):
    with holder(path.parent, WAIT) as process:
        process.kill()
        process.wait(10)
    with SqliteCheckpoints(path) as store:
        assert len(store._current) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process forks here")
def test_a_dead_process_holds_nothing_though_its_fork_lives_on(path: Path):
    with holder(path.parent, FORK) as process:
        with pytest.raises(StateError, match="E601"):
            SqliteCheckpoints(path)
        process.kill()
        process.wait(10)
        with SqliteCheckpoints(path) as store:
            assert len(store._current) == 1


def test_a_refused_file_is_not_held(path: Path):
    path.write_text("no database")
    for _ in range(2):
        with pytest.raises(StateError, match="E603"):
            SqliteCheckpoints(path)
