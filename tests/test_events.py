"""The captured events are what the script writes, and what a stream of three shards would hold."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import (
    DynamoDBStreamModel,
    KinesisDataStreamModel,
)

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "events" / "bandwidth_enrichment"
ORDERS = ROOT / "events" / "dynamodb"
FILES = {
    "batch.json",
    "on-failure.json",
    "poison.json",
    "shard-0.json",
    "shard-1.json",
    "shard-2.json",
}
# The shards of a new stream of three.
RANGES = {
    "shardId-000000000000": (0, 113427455640312821154458202477256070484),
    "shardId-000000000001": (
        113427455640312821154458202477256070485,
        226854911280625642308916404954512140969,
    ),
    "shardId-000000000002": (
        226854911280625642308916404954512140970,
        340282366920938463463374607431768211455,
    ),
}


@pytest.fixture(scope="module")
def make_events() -> ModuleType:
    path = ROOT / "scripts" / "make_events.py"
    spec = importlib.util.spec_from_file_location("make_events", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def event_in(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    if "payload" in document:
        document = json.loads(document["payload"])
    return document


def records() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record of all files with its shard."""
    for name in sorted(FILES):
        for record in event_in(name)["Records"]:
            yield record["eventID"].split(":")[0], record["kinesis"]


@pytest.mark.parametrize("folder", [FOLDER, ORDERS], ids=lambda folder: folder.name)
def test_the_files_are_what_the_script_writes(make_events: ModuleType, folder: Path):
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert written == make_events.texts(folder.name)


def test_the_script_writes_them(make_events: ModuleType, tmp_path: Path):
    make_events.main(tmp_path / "new")
    written = {path.name for path in (tmp_path / "new" / FOLDER.name).iterdir()}
    assert written == FILES
    assert (tmp_path / "new" / "dynamodb" / "orders.json").exists()


def test_orders_are_an_event_as_powertools_knows_it():
    event = json.loads((ORDERS / "orders.json").read_text(encoding="utf-8"))
    records = DynamoDBStreamModel.model_validate(event).Records
    assert [record.eventName for record in records] == [*["INSERT"] * 6, "MODIFY"]


def test_what_get_records_gives_comes_after_the_event():
    """The folder can be replayed at once."""
    event, output = (
        json.loads((ORDERS / name).read_text(encoding="utf-8"))["Records"]
        for name in ("orders.json", "get-records.json")
    )
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in event + output]
    assert numbers == sorted(set(numbers))
    assert output[-1]["userIdentity"] == {
        "PrincipalId": "dynamodb.amazonaws.com", "Type": "Service",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(FILES))
def test_each_holds_an_event_as_powertools_knows_it(name: str):
    event = KinesisDataStreamModel.model_validate(event_in(name))
    assert len({record.eventID.split(":")[0] for record in event.Records}) == 1


def test_every_key_lies_in_the_range_of_its_shard():
    for shard_id, record in records():
        hash_key = int(hashlib.md5(record["partitionKey"].encode()).hexdigest(), 16)
        start, end = RANGES[shard_id]
        assert start <= hash_key <= end


def test_sequence_numbers_have_56_digits_and_rise_with_the_arrivals():
    for shard_id in RANGES:
        of_shard = sorted(
            (record["approximateArrivalTimestamp"], record["sequenceNumber"])
            for shard, record in records()
            if shard == shard_id
        )
        assert {len(number) for _, number in of_shard} == {56}
        assert all(int(a) < int(b) for (_, a), (_, b) in pairwise(of_shard))


def test_no_record_is_in_two_files():
    numbers = [record["sequenceNumber"] for _, record in records()]
    assert len(numbers) == len(set(numbers)) == 52


def test_the_invocation_record_speaks_of_the_event_it_holds():
    document = json.loads((FOLDER / "on-failure.json").read_text(encoding="utf-8"))
    info, batch = document["KinesisBatchInfo"], event_in("on-failure.json")["Records"]
    assert info["batchSize"] == len(batch)
    assert info["startSequenceNumber"] == batch[0]["kinesis"]["sequenceNumber"]
    assert info["endSequenceNumber"] == batch[-1]["kinesis"]["sequenceNumber"]
    assert batch[0]["eventID"].startswith(info["shardId"] + ":")
