"""Captured records into what a mapping reads, behind an endpoint: `esm put`, `esm run --feed`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import accumulate
from operator import itemgetter
from typing import Any, TypeVar, assert_never

from esm.errors import InputError
from esm.feeding_calls import OnProgress
from esm.feeding_changes import Change, change_of, write_changes
from esm.feeding_pace import paced
from esm.feeding_records import Entry, Fed, put_records
from esm.patience import Wait
from esm.payloads.dynamodb import DynamoDbRecord
from esm.payloads.kinesis import KinesisRecord
from esm.sources.capture import Capture

T = TypeVar("T")

MakeClient = Callable[[str, str], Any]
"""Makes boto3's client of a service in a region."""

# What records of a service are, and where they can be put.
_RECORDS = {"kinesis": "records of a Kinesis stream", "dynamodb": "changes of a DynamoDB table"}
_PLACES = {"kinesis": "a Kinesis stream", "dynamodb": "a DynamoDB table"}


def feed(
    capture: Capture,
    make_client: MakeClient,
    source_arn: str,
    *,
    wait: Wait,
    speed: float | None = None,
    on_progress: OnProgress = lambda _: None,
) -> Fed:
    """Put all captured records, as they arrived, where a mapping reads.

    At once, or with `speed` so many times as fast as they arrived. `source_arn` is the mapping's:
    of a stream, of a consumer, whose stream gets them, or of a table's stream, whose table is
    written to. Data and partition keys stay; shards, sequence numbers and times are the stream's
    own. Raises InputError E493 and E494 before anything is put, EndpointError E542.
    """
    service, region = source_arn.split(":")[2:4]
    if capture.service != service:
        raise InputError(
            "E493",
            f"the captures hold {_RECORDS[capture.service]}, and {source_arn} is of"
            f" {_PLACES[service]}",
            why="a record of the one cannot be made from one of the other",
            fix=f"put them into {_PLACES[capture.service]}",
        )
    client = make_client(service, region)
    records, changes = _split(capture)
    if service == "dynamodb":
        table = source_arn.split("/")[1]
        due = _at_pace(changes, speed, wait)
        return Fed(write_changes(client, table, due, wait=wait, on_progress=on_progress))
    stream_arn = source_arn.partition("/consumer/")[0]
    entries = _at_pace(records, speed, wait)
    return put_records(client, stream_arn, entries, wait=wait, on_progress=on_progress)


def _split(capture: Capture) -> tuple[list[tuple[int, Entry]], list[tuple[int, Change]]]:
    """What is to be put, with its time, all of it known to be possible before the first is."""
    records: list[tuple[int, Entry]] = []
    changes: list[tuple[int, Change]] = []
    for arrived_ms, record in _merged(capture):
        match record:
            case KinesisRecord():
                records.append((arrived_ms, Entry(record.data, record.partition_key)))
            case DynamoDbRecord():
                changes.append((arrived_ms, change_of(record)))
            case _:
                assert_never(record)
    return records, changes


def _at_pace(timed: list[tuple[int, T]], speed: float | None, wait: Wait) -> Iterable[T | None]:
    return [each for _, each in timed] if speed is None else paced(timed, speed, wait)


def in_order(capture: Capture) -> Iterator[KinesisRecord | DynamoDbRecord]:
    """All records as they arrived; those of a shard in its order, whatever their times say."""
    return (record for _, record in _merged(capture))


def _merged(capture: Capture) -> Iterator[tuple[int, KinesisRecord | DynamoDbRecord]]:
    return merge(*map(_timed, capture.shards.values()), key=itemgetter(0))


def _timed(
    records: Sequence[KinesisRecord | DynamoDbRecord],
) -> Iterator[tuple[int, KinesisRecord | DynamoDbRecord]]:
    """Each with the latest arrival up to it."""
    return zip(accumulate((record.arrived_ms for record in records), max), records, strict=True)
