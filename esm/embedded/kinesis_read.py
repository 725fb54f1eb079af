"""GetShardIterator and GetRecords, so that a handler can read back what was put.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from esm.core.messages import PollFailed
from esm.core.model import After
from esm.embedded.kinesis_answers import children_of, record_shown
from esm.embedded.kinesis_errors import (
    INVALID_ARGUMENT,
    THROTTLED,
    KinesisApiError,
    bad_iterator,
    missing,
    no_shard,
    no_stream,
)
from esm.embedded.kinesis_tokens import ShardIterator, decode, encode
from esm.instants import from_ms, to_ms
from esm.payloads.kinesis import KinesisRecord
from esm.sources.memory import KinesisStream
from esm.sources.memory_rules import ITERATOR_LIFE_MS, READ_RECORDS
from esm.sources.memory_shard import StreamShard


def get_shard_iterator(
    stream: KinesisStream, params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """An iterator for one of AWS's five starting points."""
    shard = shard_of(stream, params["ShardId"])
    start = Start(
        params["ShardIteratorType"],
        params.get("StartingSequenceNumber"),
        params.get("Timestamp"),
        "startingSequenceNumber",
        "GetShardIterator",
    )
    position = place(stream, shard, start, now_ms)
    return {"ShardIterator": _iterator(stream, shard.shard_id, position, now_ms)}


@dataclass(frozen=True, slots=True)
class Page:
    """What one GetRecords gives; `next_iterator` None at the end of a closed shard."""

    records: Sequence[KinesisRecord]
    millis_behind: int
    next_iterator: str | None
    children: list[dict[str, Any]]


def get_records(stream: KinesisStream, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Read on; the next iterator is left out at the end of a closed shard, children named."""
    page = read_on(stream, params["ShardIterator"], params.get("Limit", READ_RECORDS), now_ms)
    answer: dict[str, Any] = {
        "Records": list(map(record_shown, page.records)),
        "MillisBehindLatest": page.millis_behind,
    }
    if page.next_iterator is None:
        return answer | {"ChildShards": page.children}
    return answer | {"NextShardIterator": page.next_iterator}


def read_on(stream: KinesisStream, text: str, limit: int, now_ms: int) -> Page:
    """What is behind an iterator, up to `limit` records."""
    iterator = decode(text, ShardIterator)
    if iterator is None or iterator.stream != stream.arn:
        raise bad_iterator()
    _check_age(stream, iterator, now_ms)
    start = iterator.position
    read = stream.read_once(iterator.shard_id, start, limit, now_ms)
    if isinstance(read, PollFailed):
        message = f"{read.error} in stream {stream.name} under account {stream.account}."
        raise KinesisApiError(THROTTLED, message)
    records = cast("Sequence[KinesisRecord]", read.records)
    if read.end_of_shard:
        return Page(records, read.millis_behind, None, children_of(stream, iterator.shard_id))
    last = After(records[-1].position) if records else start
    onward = _iterator(stream, iterator.shard_id, last, now_ms)
    return Page(records, read.millis_behind, onward, [])


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin, of AWS's five kinds, and the name of the parameter that says from which."""

    kind: str
    sequence_number: str | None
    timestamp: datetime | float | str | None
    member: str
    operation: str


def place(stream: KinesisStream, shard: StreamShard, start: Start, now_ms: int) -> After:
    """The place in a shard that a starting point means now."""
    match start.kind:
        case "TRIM_HORIZON":
            return After(int(shard.starting_sequence_number) - 1)
        case "LATEST":
            return stream.pin_latest(shard.shard_id, now_ms)
        case "AT_TIMESTAMP":
            return stream.pin_timestamp(shard.shard_id, _timestamp_ms(start, now_ms), now_ms)
        case "AT_SEQUENCE_NUMBER":
            return After(_sequence_number(stream, shard, start) - 1)
        case "AFTER_SEQUENCE_NUMBER":
            return After(_sequence_number(stream, shard, start))
    raise AssertionError(f"the model has no starting point {start.kind}")


def _timestamp_ms(start: Start, now_ms: int) -> int:
    if start.timestamp is None:
        raise KinesisApiError(INVALID_ARGUMENT, "Timestamp must be given with AT_TIMESTAMP.")
    timestamp_ms = instant_ms(start.timestamp)
    if timestamp_ms > now_ms:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            f"timestampInMillis: {timestamp_ms}, currentTimestampInMillis: {now_ms}",
        )
    return timestamp_ms


def instant_ms(value: datetime | float | str) -> int:
    """Epoch milliseconds of a timestamp parameter, in every form that botocore takes."""
    from botocore.utils import parse_to_aware_datetime  # late: it takes its time

    return to_ms(parse_to_aware_datetime(value))


def _sequence_number(stream: KinesisStream, shard: StreamShard, start: Start) -> int:
    text = start.sequence_number
    if text is None:
        raise missing(start.member)
    first, last = shard.starting_sequence_number, shard.ending_sequence_number
    if text.isdecimal() and int(first) <= int(text) and (last is None or int(text) <= int(last)):
        return int(text)
    raise KinesisApiError(
        INVALID_ARGUMENT,
        f"StartingSequenceNumber {text} used in {start.operation} on shard {shard.shard_id} in "
        f"stream {stream.name} under account {stream.account} is invalid.",
    )


def shard_of(stream: KinesisStream, shard_id: str) -> StreamShard:
    """A shard of the stream, as it is now."""
    for shard in stream.shards:
        if shard.shard_id == shard_id:
            return shard
    raise no_shard(shard_id, stream.name, stream.account)


def _check_age(stream: KinesisStream, iterator: ShardIterator, now_ms: int) -> None:
    if iterator.created_ms != stream.created_ms:
        raise no_stream(stream.name, stream.account)
    revoked = iterator.generation != stream.iterator_generation
    if revoked or now_ms - iterator.issued_ms > ITERATOR_LIFE_MS:
        raise KinesisApiError(
            "ExpiredIteratorException",
            f"Iterator expired. The iterator was created at time {from_ms(iterator.issued_ms)} "
            f"while right now it is {from_ms(now_ms)} which is further in the future than the "
            f"tolerated delay of {ITERATOR_LIFE_MS} milliseconds.",
        )


def _iterator(stream: KinesisStream, shard_id: str, position: After, now_ms: int) -> str:
    number, generation = str(position.position), stream.iterator_generation
    return encode(
        ShardIterator(stream.arn, shard_id, number, now_ms, generation, stream.created_ms)
    )
