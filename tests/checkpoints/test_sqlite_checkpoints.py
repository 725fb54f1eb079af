"""Checkpoints in a file: what outlives what, and of which stream they are."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from esm.checkpoints.memory import MemoryCheckpoints
from esm.checkpoints.sqlite import SetAside, SqliteCheckpoints
from esm.clock import VirtualClock
from esm.core.model import Closing, TumblingWindow
from esm.errors import StateError
from esm.ports import Checkpoint, StoreUnavailable

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".esm" / "checkpoints.db"


def claimed(path: Path, incarnation: str = "Monday", *, embedded: bool = True) -> SqliteCheckpoints:
    """A store as a run has it once it knows its stream."""
    store = SqliteCheckpoints(path, clock=VirtualClock(0))
    store.claim("orders", STREAM, incarnation, embedded=embedded)
    return store


def save(store: SqliteCheckpoints, position: int, shard_id: str = "shard-0") -> None:
    store.save("orders", STREAM, shard_id, Checkpoint(position))


def positions(store: SqliteCheckpoints) -> dict[str, int]:
    loaded = store.load("orders", STREAM)
    return {shard_id: checkpoint.position for shard_id, checkpoint in loaded.items()}


# --- what is durable ------------------------------------------------------------------------------


def test_a_run_goes_on_where_the_one_before_has_ended(path: Path):
    with claimed(path) as store:
        save(store, 10**56)
        store.commit()
    with claimed(path) as store:
        assert positions(store) == {"shard-0": 10**56}


def test_what_was_not_committed_is_seen_and_not_durable(path: Path):
    with claimed(path) as store:
        save(store, 7)
        store.commit()
        save(store, 8)
        assert positions(store) == {"shard-0": 8}
    with claimed(path) as store:
        assert positions(store) == {"shard-0": 7}


def test_a_saved_checkpoint_needs_a_claim(path: Path):
    with SqliteCheckpoints(path) as store, pytest.raises(KeyError):
        save(store, 7)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_its_user_can_read_it_and_git_does_not_see_it(path: Path):
    before = os.umask(0)
    try:
        with claimed(path) as store:
            save(store, 7)
            store.commit()
            files = {each for each in path.parent.iterdir() if each.name != ".gitignore"}
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in files}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(
        ("checkpoints.db", "checkpoints.db-wal", "checkpoints.db-shm", "checkpoints.db.lock"), 0o600
    )
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert (path.parent / ".gitignore").read_text() == "*\n"


# --- incarnations ---------------------------------------------------------------------------------


def test_checkpoints_of_an_earlier_embedded_stream_are_set_aside(path: Path):
    with claimed(path) as store:
        save(store, 7)
        save(store, 8, "shard-1")
        store.commit()
    with SqliteCheckpoints(path) as store:
        aside = store.claim("orders", STREAM, "Tuesday", embedded=True)
        assert positions(store) == {}
    assert aside == SetAside("orders", STREAM, 2, forgotten=False)
    assert str(aside) == (
        "orders: the checkpoints of 2 shards are set aside, this is another stream/orders"
    )


def test_a_server_that_lived_on_gets_its_checkpoints_back(path: Path):
    with claimed(path, "serve") as store:
        save(store, 7)
    with claimed(path, "serve") as store:
        save(store, 7)
        store.commit()
    with claimed(path, "run") as store:
        save(store, 3)
        store.commit()
    with claimed(path, "serve") as store:
        assert positions(store) == {"shard-0": 7}


@pytest.mark.parametrize("embedded", [True, False])
def test_checkpoints_of_a_stream_outside_are_refused_for_another(path: Path, embedded: bool):
    with claimed(path, embedded=False) as store:
        save(store, 7)
        store.commit()
    before = path.read_bytes()
    with SqliteCheckpoints(path) as store, pytest.raises(StateError) as refused:
        store.claim("orders", STREAM, "Tuesday", embedded=embedded)
    assert path.read_bytes() == before
    assert str(refused.value) == (
        "E602  the checkpoints of orders are of another stream/orders than there is now\n"
        "why    it was made anew since; the old places mean other records, or none, in it\n"
        "fix    esm run orders --fresh"
    )


def test_nothing_is_refused_where_nothing_was_saved(path: Path):
    with claimed(path, embedded=False) as store:
        pass
    with SqliteCheckpoints(path) as store:
        assert store.claim("orders", STREAM, "Tuesday", embedded=False) is None
        save(store, 1)
        assert positions(store) == {"shard-0": 1}


def test_fresh_begins_anew_and_keeps_the_old_ones_in_the_file(path: Path):
    with claimed(path, embedded=False) as store:
        save(store, 7)
        store.commit()
        aside = store.forget("orders", STREAM)
        assert positions(store) == {}
    assert aside == SetAside("orders", STREAM, 1, forgotten=True)
    assert str(aside) == "orders: the checkpoints of 1 shard are set aside, as you wanted"
    with claimed(path, embedded=False) as store:
        assert positions(store) == {}
        assert store.forget("orders", STREAM) is None
        save(store, 3)
        assert positions(store) == {"shard-0": 3}
        assert store.forget("invoices", STREAM) is None


def test_a_stream_outside_that_is_made_again_is_taken_with_fresh(path: Path):
    with claimed(path, embedded=False) as store:
        save(store, 7)
        store.commit()
    with SqliteCheckpoints(path) as store:
        store.forget("orders", STREAM)
        assert store.claim("orders", STREAM, "Tuesday", embedded=False) is None
        assert positions(store) == {}


def test_a_claim_does_not_lose_what_other_mappings_have_saved(path: Path):
    with claimed(path) as store:
        save(store, 7)
        store.claim("invoices", STREAM, "Monday", embedded=True)
        assert positions(store) == {"shard-0": 7}


def test_what_is_set_aside_does_not_grow_for_ever(path: Path):
    for number in range(15):
        with claimed(path, f"run {number}") as store:
            save(store, 7)
            store.commit()
    with claimed(path, "run 4") as store:
        assert positions(store) == {"shard-0": 7}
    with claimed(path, "run 1") as store:
        assert positions(store) == {}


def test_checkpoints_can_be_put_back_and_taken_away(path: Path):
    with claimed(path) as store:
        save(store, 7)
        save(store, 7, "shard-1")
        store.commit()
        store.replace({("orders", STREAM): {"shard-0": Checkpoint(3), "shard-1": None}})
        assert positions(store) == {"shard-0": 3}
        save(store, 4)
        store.commit()
    with claimed(path) as store:
        assert positions(store) == {"shard-0": 4}


def test_all_of_a_replacement_or_nothing(path: Path):
    with claimed(path) as store:
        save(store, 7)
        unknown = ("invoices", STREAM)
        changes = {("orders", STREAM): {"shard-0": Checkpoint(3)}, unknown: {"shard-0": None}}
        with pytest.raises(KeyError):
            store.replace(changes)
        assert positions(store) == {"shard-0": 7}
        store.commit()
    with claimed(path) as store:
        assert positions(store) == {"shard-0": 7}


# --- what cannot be written -----------------------------------------------------------------------


def test_a_full_disk_loses_nothing(path: Path):
    with claimed(path) as store:
        save(store, 1, "shard-before")
        store.commit()
        limit_pages(store, 1)
        for number in range(1_000):
            save(store, 7, f"shard-{number}")
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as full:
                store.commit()
            assert str(full.value) == f"{path}: database or disk is full"
        assert len(positions(store)) == 1_001
        save(store, 9, "shard-0")

        limit_pages(store, 1_000_000)
        store.commit()
    with claimed(path) as store:
        assert len(positions(store)) == 1_001
        assert positions(store)["shard-0"] == 9


def test_a_claim_on_a_full_disk_is_refused_in_words(path: Path):
    with claimed(path) as store:
        limit_pages(store, 1)
        with pytest.raises(StateError, match=r"E605.*database or disk is full"):
            store.claim("m" * 100_000, STREAM, "Monday", embedded=True)
        save(store, 7)
        store.commit()
        assert positions(store) == {"shard-0": 7}


def limit_pages(store: SqliteCheckpoints, count: int) -> None:
    """SQLite's own limit of the file; one below what there is means that it cannot grow."""
    store._connection.execute(f"PRAGMA max_page_count = {count}")


# --- any order of events --------------------------------------------------------------------------

SHARDS = st.sampled_from(["shard-0", "shard-1"])
WINDOWS = st.none() | st.builds(
    TumblingWindow,
    st.integers(0, 10),
    st.integers(11, 20),
    st.text(max_size=3).filter(lambda text: text.isprintable()),
    st.none() | st.sampled_from(Closing),
)
CHECKPOINTS = st.builds(
    Checkpoint,
    st.integers(0, 5) | st.integers(10**55, 10**55 + 2),
    st.booleans(),
    WINDOWS,
    st.none() | st.integers(0, 2**41),
)
STEPS = st.lists(
    st.tuples(SHARDS, CHECKPOINTS) | st.sampled_from(["commit", "restart", "crash"]), max_size=15
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_it_is_the_store_in_memory_as_of_the_last_commit(steps: list[object]):
    committed: dict[str, Checkpoint] = {}
    model = MemoryCheckpoints()
    with TemporaryDirectory() as folder:
        store = claimed(Path(folder) / "0" / "checkpoints.db")
        for number, step in enumerate(steps, 1):
            match step:
                case (str(shard_id), Checkpoint() as checkpoint):
                    store.save("orders", STREAM, shard_id, checkpoint)
                    model.save("orders", STREAM, shard_id, checkpoint)
                case "commit":
                    store.commit()
                    committed = model.load("orders", STREAM)
                case _:
                    store = reopened(store, Path(folder) / str(number), crashed=step == "crash")
                    model = MemoryCheckpoints()
                    for shard_id, checkpoint in committed.items():
                        model.save("orders", STREAM, shard_id, checkpoint)
            assert store.load("orders", STREAM) == model.load("orders", STREAM)
        store.close()


def reopened(store: SqliteCheckpoints, to: Path, *, crashed: bool) -> SqliteCheckpoints:
    """The store of the next process; after a crash with the files as they lay about."""
    path = store._path
    if not crashed:
        store.close()
        return claimed(path)
    to.mkdir()
    for file in path.parent.glob("checkpoints.db*"):
        if not file.name.endswith("-shm"):  # memory that the processes share
            shutil.copy(file, to)
    store.close()
    return claimed(to / path.name)
