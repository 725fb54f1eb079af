"""The captured scans are what the script writes, and what a stream of three shards would hold."""

from __future__ import annotations

import importlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamModel,
    KinesisDataStreamRecord,
)

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "events" / "abc2badge"
SHARDS = {
    "batch.json": "shardId-000000000001",
    "poison.json": "shardId-000000000000",
    "shard-0.json": "shardId-000000000000",
    "shard-1.json": "shardId-000000000001",
    "shard-2.json": "shardId-000000000002",
}


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("make_badge_events")


def records(name: str) -> list[KinesisDataStreamRecord]:
    event = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return KinesisDataStreamModel.model_validate(event).Records


def test_the_files_are_what_the_script_writes(script: ModuleType, tmp_path: Path):
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert written == script.texts()
    script.main(tmp_path)
    assert {path.name for path in (tmp_path / "abc2badge").iterdir()} == SHARDS.keys()


def test_every_badge_is_on_its_own_shard(script: ModuleType):
    for name, shard_id in SHARDS.items():
        for record in records(name):
            assert record.eventID == f"{shard_id}:{record.kinesis.sequenceNumber}"
            assert script.shard_id(script.shard_of(record.kinesis.partitionKey)) == shard_id


def test_the_folder_can_be_replayed_at_once():
    by_shard = defaultdict(list)
    for name, shard_id in SHARDS.items():
        for record in records(name):
            arrived = record.kinesis.approximateArrivalTimestamp
            by_shard[shard_id].append((arrived, int(record.kinesis.sequenceNumber)))
    for of_shard in by_shard.values():
        numbers = [number for _, number in sorted(of_shard)]
        assert numbers == sorted(set(numbers))


def test_the_last_scan_of_the_batch_was_sent_twice_and_one_record_is_poison(script: ModuleType):
    batch = [json.loads(record.kinesis.data) for record in records("batch.json")]
    assert batch[-1] == batch[script.SENT_TWICE_AT]
    assert len({scan["scan_id"] for scan in batch}) == 12
    poison = records("poison.json")[script.POISON_AT]
    with pytest.raises(json.JSONDecodeError):
        json.loads(poison.kinesis.data)
