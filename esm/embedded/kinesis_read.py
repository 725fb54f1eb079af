"""GetShardIterator and GetRecords, so that a handler can read back what was put.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from esm.core.messages import PollFailed
from esm.core.model import After
from esm.embedded.kinesis_errors import (
    INVALID_ARGUMENT,
    THROTTLED,
    KinesisApiError,
    bad_iterator,
    constraint,
    missing,
    no_shard,
    one_of,
)
from esm.embedded.kinesis_tokens import ShardIterator, decode, encode
from esm.instants import from_ms, to_ms
from esm.payloads.kinesis import KinesisRecord
from esm.sources.memory import KinesisStream
from esm.sources.memory_rules import ITERATOR_LIFE_MS, READ_RECORDS
from esm.sources.memory_shard import StreamShard

ITERATOR_TYPES = (
    "AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON",
)  # fmt: skip


def get_shard_iterator(
    stream: KinesisStream, params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """An iterator for one of AWS's five starting points."""
    shard = _shard(stream, params["ShardId"])
    position = _position(stream, shard, params, now_ms)
    return {"ShardIterator": _iterator(stream, shard.shard_id, position, now_ms)}


def get_records(stream: KinesisStream, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Read on; the next iterator is left out at the end of a closed shard, children named."""
    limit = params.get("Limit", READ_RECORDS)
    if not 1 <= limit <= READ_RECORDS:
        raise constraint("limit", str(limit), f"have value between 1 and {READ_RECORDS}")
    iterator = decode(params["ShardIterator"], ShardIterator)
    if iterator is None:
        raise bad_iterator()
    _check_age(stream, iterator, now_ms)
    start = iterator.position
    read = stream.open(iterator.shard_id, _nobody_cares).read(start, limit, now_ms)
    if isinstance(read, PollFailed):
        message = f"{read.error} in stream {stream.name} under account {stream.account}."
        raise KinesisApiError(THROTTLED, message)
    answer: dict[str, Any] = {
        "Records": [
            {
                "SequenceNumber": r.sequence_number,
                "ApproximateArrivalTimestamp": r.arrived_at,
                "Data": r.data,
                "PartitionKey": r.partition_key,
            }
            for r in cast("Sequence[KinesisRecord]", read.records)
        ],
        "MillisBehindLatest": read.millis_behind,
    }
    if read.end_of_shard:
        return answer | {"ChildShards": _children(stream, iterator.shard_id)}
    last = After(read.records[-1].position) if read.records else start
    return answer | {"NextShardIterator": _iterator(stream, iterator.shard_id, last, now_ms)}


def _position(
    stream: KinesisStream, shard: StreamShard, params: Mapping[str, Any], now_ms: int
) -> After:
    kind = params["ShardIteratorType"]
    match kind:
        case "TRIM_HORIZON":
            return After(int(shard.starting_sequence_number) - 1)
        case "LATEST":
            return stream.pin_latest(shard.shard_id, now_ms)
        case "AT_TIMESTAMP":
            timestamp_ms = _timestamp_ms(params, now_ms)
            return stream.pin_timestamp(shard.shard_id, timestamp_ms, now_ms)
        case "AT_SEQUENCE_NUMBER":
            return After(_sequence_number(stream, shard, params) - 1)
        case "AFTER_SEQUENCE_NUMBER":
            return After(_sequence_number(stream, shard, params))
    raise one_of("shardIteratorType", kind, ITERATOR_TYPES)


def _timestamp_ms(params: Mapping[str, Any], now_ms: int) -> int:
    value = params.get("Timestamp")
    if value is None:
        raise KinesisApiError(
            INVALID_ARGUMENT, "Timestamp must be given with ShardIteratorType AT_TIMESTAMP."
        )
    timestamp_ms = instant_ms(value)
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


def _sequence_number(stream: KinesisStream, shard: StreamShard, params: Mapping[str, Any]) -> int:
    text = params.get("StartingSequenceNumber")
    if text is None:
        raise missing("startingSequenceNumber")
    first, last = shard.starting_sequence_number, shard.ending_sequence_number
    if text.isdecimal() and int(first) <= int(text) and (last is None or int(text) <= int(last)):
        return int(text)
    raise KinesisApiError(
        INVALID_ARGUMENT,
        f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.shard_id} in "
        f"stream {stream.name} under account {stream.account} is invalid.",
    )


def _shard(stream: KinesisStream, shard_id: str) -> StreamShard:
    for shard in stream.shards:
        if shard.shard_id == shard_id:
            return shard
    raise no_shard(shard_id, stream.name, stream.account)


def _children(stream: KinesisStream, shard_id: str) -> list[dict[str, Any]]:
    return [
        {
            "ShardId": shard.shard_id,
            "ParentShards": list(shard.parent_ids),
            "HashKeyRange": hash_key_range(shard),
        }
        for shard in stream.shards
        if shard_id in shard.parent_ids
    ]


def hash_key_range(shard: StreamShard) -> dict[str, str]:
    """A shard's hash keys as the API writes them."""
    start, end = shard.hash_key_range
    return {"StartingHashKey": str(start), "EndingHashKey": str(end)}


def _check_age(stream: KinesisStream, iterator: ShardIterator, now_ms: int) -> None:
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
    return encode(ShardIterator(stream.arn, shard_id, number, now_ms, generation))


def _nobody_cares() -> None:
    """A reader of a single read needs no news."""
