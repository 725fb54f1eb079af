"""What every checkpoint store promises."""

import pickle

import pytest

from esm.checkpoints.memory import MemoryCheckpoints
from esm.checkpoints.sqlite import SqliteCheckpoints
from esm.core.model import Closing, TumblingWindow
from esm.ports import Checkpoint

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryCheckpoints()
        return
    with SqliteCheckpoints(tmp_path / ".esm" / "checkpoints.db") as durable:
        for mapping in ("orders", "invoices"):
            durable.claim(mapping, STREAM, "the first", embedded=True)
        yield durable


def test_a_mapping_that_never_ran_has_no_checkpoints(store):
    assert store.load("orders", STREAM) == {}


def test_what_is_saved_is_loaded_by_shard(store):
    store.save("orders", STREAM, "shard-0", Checkpoint(7))
    store.save("orders", STREAM, "shard-1", Checkpoint(10**56, pinned=True))

    assert store.load("orders", STREAM) == {
        "shard-0": Checkpoint(7),
        "shard-1": Checkpoint(10**56, pinned=True),
    }


def test_mappings_and_streams_are_kept_apart(store):
    store.save("orders", STREAM, "shard-0", Checkpoint(7))

    assert store.load("invoices", STREAM) == {}
    assert store.load("orders", STREAM + "-2") == {}


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        pytest.param(Checkpoint(7), Checkpoint(8), Checkpoint(8), id="it moves on"),
        pytest.param(Checkpoint(8), Checkpoint(7), Checkpoint(8), id="it never moves back"),
        pytest.param(
            Checkpoint(7, pinned=True), Checkpoint(8), Checkpoint(8), id="it leaves LATEST's place"
        ),
        pytest.param(
            Checkpoint(8), Checkpoint(7, pinned=True), Checkpoint(8), id="LATEST pins nothing back"
        ),
        pytest.param(
            Checkpoint(7),
            Checkpoint(7, pinned=True),
            Checkpoint(7),
            id="resolved records are no mere start again",
        ),
        pytest.param(
            Checkpoint(7, pinned=True),
            Checkpoint(7),
            Checkpoint(7),
            id="a start becomes what is resolved",
        ),
    ],
)
def test_a_checkpoint_follows_another(store, first, second, kept):
    store.save("orders", STREAM, "shard-0", first)
    store.save("orders", STREAM, "shard-0", second)

    assert store.load("orders", STREAM) == {"shard-0": kept}


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint(7),
        Checkpoint(0, pinned=True, pinned_at_ms=1_767_225_600_123),
        Checkpoint(10**56, window=TumblingWindow(60_000, 120_000, '{"sum": "\u20ac\\ud800"}')),
        Checkpoint(10**56, window=TumblingWindow(0, 60_000, "{}", Closing.EARLY)),
    ],
    ids=["resolved", "an instant", "an open window", "a window to be closed"],
)
def test_all_of_a_checkpoint_is_kept(store, checkpoint):
    store.save("orders", STREAM, "shard-0", checkpoint)
    store.commit()

    assert store.load("orders", STREAM) == {"shard-0": checkpoint}


def test_a_commit_of_nothing_changes_nothing(store):
    store.save("orders", STREAM, "shard-0", Checkpoint(7))
    store.commit()
    store.commit()

    assert store.load("orders", STREAM) == {"shard-0": Checkpoint(7)}


def test_what_is_loaded_is_a_copy(store):
    store.save("orders", STREAM, "shard-0", Checkpoint(7))

    store.load("orders", STREAM).clear()

    assert store.load("orders", STREAM) == {"shard-0": Checkpoint(7)}


def test_a_store_survives_a_pickle():
    store = MemoryCheckpoints()
    store.save("orders", STREAM, "shard-0", Checkpoint(7, pinned=True))

    copy = pickle.loads(pickle.dumps(store))
    copy.save("orders", STREAM, "shard-0", Checkpoint(9))

    assert store.load("orders", STREAM) == {"shard-0": Checkpoint(7, pinned=True)}
    assert copy.load("orders", STREAM) == {"shard-0": Checkpoint(9)}
