"""`esm record`: a live stream into a capture."""

from __future__ import annotations

import gzip
import json
import os
import signal
import stat
from pathlib import Path
from threading import Thread

import pytest
from aws_desk import LiveDesk, lines
from replay_desk import Ended

from esm.sources.capture import read_captures


def put(live: LiveDesk, stream: str, *numbers: int, hash_key: int = 0) -> None:
    """Records with these numbers, as JSON."""
    for number in numbers:
        live.kinesis.put_record(
            StreamName=stream,
            Data=json.dumps({"id": number}).encode(),
            PartitionKey=f"key-{number}",
            ExplicitHashKey=str(hash_key),
        )


def numbers(folder: Path, name: str) -> list[int]:
    """What was recorded, in the order of a replay."""
    capture = read_captures([folder / name])
    return [record.json["id"] for records in capture.shards.values() for record in records]


def whole(live: LiveDesk, stream: str, *more: str) -> Ended:
    return live.at("record", stream, "--out", "r.jsonl", "--from", "trim_horizon", *more)


def test_a_recording_replays_to_the_same_records(live: LiveDesk):
    stream = live.stream(2)
    put(live, stream, 1, 2)
    put(live, stream, 3, hash_key=2**127)

    ended = whole(live, stream, "--count", "3")

    shown = {
        (r.sequence_number, r.partition_key, r.data, r.shard_id)
        for records in read_captures([live.folder / "r.jsonl"]).shards.values()
        for r in records
    }
    ids = {0: "shardId-000000000000", 2**127: "shardId-000000000001"}
    held = live.records(stream)
    assert {(s, k, d) for s, k, d, _ in shown} == {
        (r["SequenceNumber"], r["PartitionKey"], r["Data"]) for r in held
    }
    assert {shard for *_, shard in shown} == set(ids.values())
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "r.jsonl: 3 records\nshardId-000000000000  2\nshardId-000000000001  1\n"


def test_the_function_sees_the_same_event_again(live: LiveDesk):
    stream = live.stream()
    put(live, stream, 1)
    whole(live, stream, "--count", "1")
    (record,) = lines(live.folder, "r.jsonl")
    (held,) = live.records(stream)

    arrived = record["kinesis"].pop("approximateArrivalTimestamp")
    assert round(arrived * 1000) == round(held["ApproximateArrivalTimestamp"].timestamp() * 1000)
    assert record["kinesis"] == {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "key-1",
        "sequenceNumber": held["SequenceNumber"],
        "data": "eyJpZCI6IDF9",
    }
    assert record["eventID"] == f"shardId-000000000000:{held['SequenceNumber']}"
    assert record["eventSourceARN"].endswith(f":stream/{stream}")


def test_so_do_changes_of_a_table(live: LiveDesk):
    table = live.table()
    for state in ("new", "paid"):
        live.dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "state": {"S": state}})
    live.dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})

    ended = whole(live, table, "--count", "3", "-o", "json")

    (records,) = read_captures([live.folder / "r.jsonl"]).shards.values()
    assert [(r.event_name, r.sequence_number) for r in records] == [
        (r["eventName"], r["dynamodb"]["SequenceNumber"]) for r in live.changes(table)
    ]
    assert ended.json["records"] == 3
    assert ended.json["file"] == "r.jsonl"


def test_no_more_than_are_wanted(live: LiveDesk):
    stream = live.stream()
    put(live, stream, 1, 2, 3)
    whole(live, stream, "--count", "2")
    assert numbers(live.folder, "r.jsonl") == [1, 2]


def test_only_the_shard_that_is_wanted(live: LiveDesk):
    stream = live.stream(2)
    put(live, stream, 1)
    put(live, stream, 2, hash_key=2**127)
    whole(live, stream, "--shard", "shardId-000000000001", "--count", "1")
    assert numbers(live.folder, "r.jsonl") == [2]


def test_through_a_split_children_behind_their_parent(live: LiveDesk):
    stream = live.stream()
    put(live, stream, 1)
    live.kinesis.split_shard(
        StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    live.kinesis.get_waiter("stream_exists").wait(
        StreamName=stream, WaiterConfig={"Delay": 0, "MaxAttempts": 100}
    )
    put(live, stream, 2)
    put(live, stream, 3, hash_key=2**127)

    whole(live, stream, "--count", "3")

    ids = [line["eventID"].partition(":")[0][-1] for line in lines(live.folder, "r.jsonl")]
    assert ids[0] == "0"
    assert sorted(ids[1:]) == ["1", "2"]


def test_from_an_instant(live: LiveDesk):
    stream = live.stream()
    put(live, stream, 1)
    put(live, stream, 2)
    early, late = (r["ApproximateArrivalTimestamp"] for r in live.records(stream))

    for instant in (early, late):
        live.at(
            "record", stream, "--out", "r.jsonl", "--force", "--from", instant.isoformat(),
            "--count", "1",
        )  # fmt: skip
        held = live.records(stream)
        first = next(r for r in held if r["ApproximateArrivalTimestamp"] >= instant)
        (recorded,) = lines(live.folder, "r.jsonl")
        assert recorded["kinesis"]["sequenceNumber"] == first["SequenceNumber"]


def test_what_comes_later_is_what_is_recorded_unless_said_otherwise(live: LiveDesk):
    stream = live.stream()
    put(live, stream, 1)
    ended = live.at("record", stream, "--out", "r.jsonl", "--for", "0s")

    assert (ended.code, ended.out) == (0, "no records, so no r.jsonl\n")
    assert not (live.folder / "r.jsonl").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_ctrl_c_ends_it_with_a_whole_file(live: LiveDesk, number: signal.Signals, code: int):
    stream = live.stream()
    file = live.folder / "r.jsonl.gz"
    put(live, stream, 1, 2)

    def interrupt() -> None:
        while not file.exists() or not file.stat().st_size:
            live.kinesis.describe_limits()  # takes a moment
        signal.raise_signal(number)

    thread = Thread(target=interrupt)
    thread.start()
    ended = live.at("record", stream, "--out", file.name, "--from", "TRIM_HORIZON")
    thread.join()

    assert ended.code == code
    assert ended.out.startswith("r.jsonl.gz: 2 records\n")
    assert len(gzip.decompress(file.read_bytes()).splitlines()) == 2


def test_the_file_is_its_users_alone(live: LiveDesk):
    stream = live.stream()
    put(live, stream, 1)
    live.write("r.jsonl", "open to all")
    (live.folder / "r.jsonl").chmod(0o644)
    whole(live, stream, "--count", "1", "--force")

    assert stat.S_IMODE((live.folder / "r.jsonl").stat().st_mode) == 0o600
    assert numbers(live.folder, "r.jsonl") == [1]


def test_a_file_is_not_replaced_unasked(live: LiveDesk):
    live.write("r.jsonl", "precious")
    ended = whole(live, "orders")

    assert (ended.code, ended.err) == (
        2,
        "r.jsonl  E491  there is a file already\n"
        "why    a recording replaces no file unasked\n"
        "fix    --force, or another name\n",
    )
    assert (live.folder / "r.jsonl").read_text() == "precious"


def test_a_file_that_is_to_be_replaced_stays_until_there_is_a_record(live: LiveDesk):
    stream = live.stream()
    live.write("r.jsonl", "precious")
    live.at("record", stream, "--out", "r.jsonl", "--force", "--for", "0s")
    assert (live.folder / "r.jsonl").read_text() == "precious"


def test_a_folder_that_is_not_there(live: LiveDesk):
    ended = live.at("record", "orders", "--out", "none/r.jsonl")
    assert ended.code == 2
    assert ended.err.startswith("none/r.jsonl  E492  it cannot be written: ")


def test_a_shard_that_is_not_there(live: LiveDesk):
    stream = live.stream(2)
    ended = whole(live, stream, "--shard", "shardId-00000000001")
    assert (ended.code, ended.err) == (
        5,
        "E545  there is no shard shardId-00000000001\n"
        "why    there are shardId-000000000000, shardId-000000000001\n"
        "fix    --shard shardId-000000000001\n",
    )


def test_a_table_without_a_stream(live: LiveDesk):
    table = live.table(None)
    ended = whole(live, table)
    assert ended.code == 5
    assert ended.err.startswith(f"E547  the table {table} has no stream\n")


def test_a_place_to_begin_that_is_none(live: LiveDesk):
    ended = live.at("record", "orders", "--out", "r.jsonl", "--from", "yesterday")
    assert ended.code == 2
    assert "'yesterday' is neither latest, trim_horizon nor a time" in ended.err
