"""GetShardIterator and GetRecords of DynamoDB Streams.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from esm.core.messages import PollFailed
from esm.core.model import After, AtTimestamp, TrimHorizon
from esm.embedded.api import ApiError
from esm.embedded.kinesis_read import instant_ms
from esm.embedded.kinesis_tokens import ShardIterator, decode, encode
from esm.payloads.attribute_values import with_bytes
from esm.payloads.dynamodb import DynamoDbRecord
from esm.sources.dynamodb_changes import STREAM_RULES
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.memory_shard import StreamShard

_IMAGES = ("Keys", "NewImage", "OldImage")
_VALIDATION = "ValidationException"


def get_shard_iterator(
    table: DynamoDbTable, params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """An iterator for one of AWS's five starting points."""
    shard = _shard(table, params["ShardId"], now_ms)
    position = _position(table, shard, params, now_ms)
    _check_kept(table, shard.shard_id, position, now_ms)
    return {"ShardIterator": _iterator(table, shard.shard_id, position, now_ms)}


def get_records(table: DynamoDbTable, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Read on; the next iterator is left out at the end of a closed shard."""
    limit = params.get("Limit", STREAM_RULES.read_records)
    if limit > STREAM_RULES.read_records:
        raise ApiError(
            "LimitExceededException", f"Limit must not exceed {STREAM_RULES.read_records}"
        )
    iterator = decode(params["ShardIterator"], ShardIterator)
    assert iterator is not None, "the iterator has told which stream is meant"
    if iterator.created_ms != table.shards[0].created_ms:  # of a table that was deleted
        raise ApiError("ExpiredIteratorException", "The ShardIterator has expired.")
    if now_ms - iterator.issued_ms > STREAM_RULES.iterator_life_ms:
        raise ApiError("ExpiredIteratorException", "The ShardIterator has expired.")
    shard_id, start = _shard(table, iterator.shard_id, now_ms).shard_id, iterator.position
    _check_kept(table, shard_id, start, now_ms)
    read = table.open(shard_id, _nobody_cares).read(start, limit, now_ms)
    assert not isinstance(read, PollFailed), "a table's stream has no limit of reads"
    records = cast("Sequence[DynamoDbRecord]", read.records)
    answer: dict[str, Any] = {"Records": [_as_api(table, record) for record in records]}
    if read.end_of_shard:
        return answer
    last = After(records[-1].position) if records else start
    return answer | {"NextShardIterator": _iterator(table, shard_id, last, now_ms)}


def _position(
    table: DynamoDbTable, shard: StreamShard, params: Mapping[str, Any], now_ms: int
) -> After:
    match params["ShardIteratorType"]:
        case "TRIM_HORIZON":
            return table.pin(shard.shard_id, TrimHorizon(), now_ms)
        case "LATEST":
            return table.pin_latest(shard.shard_id, now_ms)
        case "AT_TIMESTAMP":
            at_ms = instant_ms(_needed(params, "Timestamp"))
            return table.pin(shard.shard_id, AtTimestamp(at_ms), now_ms)
        case "AT_SEQUENCE_NUMBER":
            # The shard's first number is that of no record.
            number = _sequence_number(shard, params)
            return After(max(number - 1, int(shard.starting_sequence_number)))
        case "AFTER_SEQUENCE_NUMBER":
            return After(_sequence_number(shard, params))
    raise ApiError(
        _VALIDATION,
        f"1 validation error detected: Value '{params['ShardIteratorType']}' at"
        " 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set:"
        " [AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
    )


def _sequence_number(shard: StreamShard, params: Mapping[str, Any]) -> int:
    text: str = _needed(params, "SequenceNumber")
    first, last = shard.starting_sequence_number, shard.ending_sequence_number
    if text.isdecimal() and int(first) <= int(text) and (last is None or int(text) <= int(last)):
        return int(text)
    raise ApiError(_VALIDATION, f"SequenceNumber {text} is not one of the shard {shard.shard_id}")


def _needed(params: Mapping[str, Any], name: str) -> Any:
    if name in params:
        return params[name]
    kind = params["ShardIteratorType"]
    raise ApiError(_VALIDATION, f"{name} is required with ShardIteratorType {kind}")


def _shard(table: DynamoDbTable, shard_id: str, now_ms: int) -> StreamShard:
    kept = {shard.shard_id for shard in table.list_shards(now_ms)}
    for shard in table.shards:
        if shard.shard_id == shard_id and shard_id in kept:
            return shard
    raise ApiError(
        "ResourceNotFoundException",
        f"Requested resource not found: Shard: {shard_id} in Stream: {table.arn} not found",
    )


def _check_kept(table: DynamoDbTable, shard_id: str, position: After, now_ms: int) -> None:
    horizon = table.pin(shard_id, TrimHorizon(), now_ms)
    if position.position < horizon.position:
        raise ApiError(
            "TrimmedDataAccessException",
            "The operation attempted to read past the oldest stream record in a shard.",
        )


def _as_api(table: DynamoDbTable, record: DynamoDbRecord) -> dict[str, Any]:
    """A record as a client gives it: identities in capitals, bytes and an instant as such."""
    part = record.json
    part["ApproximateCreationDateTime"] = record.arrived_at
    for name in _IMAGES:
        if name in part:
            part[name] = with_bytes(part[name])
    identity = record.user_identity
    who = identity and {"PrincipalId": identity.principal_id, "Type": identity.type}
    return {
        "eventID": record.event_id,
        "eventName": record.event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": table.arn.split(":")[3],
        "dynamodb": part,
        **({"userIdentity": who} if who else {}),
    }


def _iterator(table: DynamoDbTable, shard_id: str, position: After, now_ms: int) -> str:
    number, created_ms = str(position.position), table.shards[0].created_ms
    return encode(ShardIterator(table.arn, shard_id, number, now_ms, 0, created_ms))


def _nobody_cares() -> None:
    """A reader of a single read needs no news."""
