"""DescribeStream, DescribeStreamSummary and ListShards.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esm.embedded.kinesis_answers import hash_key_range
from esm.embedded.kinesis_errors import (
    INVALID_ARGUMENT,
    KinesisApiError,
    missing,
)
from esm.embedded.kinesis_read import instant_ms
from esm.embedded.kinesis_settings import retention_hours
from esm.embedded.kinesis_tokens import ShardsToken, decode, encode
from esm.instants import from_ms
from esm.sources.memory import KinesisStream
from esm.sources.memory_shard import StreamShard

PAGE = 100
LIST_SHARDS_PAGE = 1_000
NEXT_TOKEN_LIFE_MS = 300_000


def describe_stream(
    stream: KinesisStream, params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """The stream with a page of its shards."""
    shards = _behind(_listed(stream, now_ms), params.get("ExclusiveStartShardId"))
    limit = params.get("Limit", PAGE)
    return {
        "StreamDescription": _description(stream)
        | {
            "Shards": [_shard(shard) for shard in shards[:limit]],
            "HasMoreShards": len(shards) > limit,
        }
    }


def describe_stream_summary(
    stream: KinesisStream, _params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """The stream without its shards."""
    return {
        "StreamDescriptionSummary": _description(stream)
        | {
            "OpenShardCount": sum(shard.is_open for shard in _listed(stream, now_ms)),
            "ConsumerCount": len(stream.consumers),
            "MaxRecordSizeInKiB": stream.max_record_bytes // 1024,
        }
    }


def list_shards(stream: KinesisStream, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """A page of shards: all that are kept, or those that the filter asks for."""
    limit = params.get("MaxResults", LIST_SHARDS_PAGE)
    token = _shards_token(stream, params, now_ms)
    after = token.after if token else params.get("ExclusiveStartShardId")
    shard_filter = token.shard_filter if token else params.get("ShardFilter")
    shards = _behind(_listed(stream, now_ms), after)
    if shard_filter:
        wanted = _filter(stream, shard_filter, now_ms)
        shards = [shard for shard in shards if wanted(shard)]
    answer: dict[str, Any] = {"Shards": [_shard(shard) for shard in shards[:limit]]}
    if len(shards) > limit:
        last = shards[limit - 1].shard_id
        answer["NextToken"] = encode(ShardsToken(stream.arn, last, now_ms, shard_filter))
    return answer


def _shards_token(
    stream: KinesisStream, params: Mapping[str, Any], now_ms: int
) -> ShardsToken | None:
    if "NextToken" not in params:
        return None
    if params.keys() & {"ExclusiveStartShardId", "ShardFilter", "StreamName"}:
        raise KinesisApiError(
            INVALID_ARGUMENT, "NextToken and StreamName cannot be provided together."
        )
    token = token_of(stream, params["NextToken"])
    if now_ms - token.issued_ms > NEXT_TOKEN_LIFE_MS:
        raise KinesisApiError("ExpiredNextTokenException", "NextToken has expired.")
    return token


def token_of(stream: KinesisStream, text: str) -> ShardsToken:
    """Where a list of the stream's goes on."""
    token = decode(text, ShardsToken)
    if token is None or token.stream != stream.arn:
        raise KinesisApiError(INVALID_ARGUMENT, "Invalid NextToken.")
    return token


def stream_summary(stream: KinesisStream) -> dict[str, Any]:
    """What every description of a stream says."""
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": stream.properties.mode},
        "StreamCreationTimestamp": from_ms(stream.created_ms),
    }


def _description(stream: KinesisStream) -> dict[str, Any]:
    key_id = stream.properties.key_id
    return stream_summary(stream) | {
        "RetentionPeriodHours": retention_hours(stream),
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "KMS" if key_id else "NONE",
        **({"KeyId": key_id} if key_id else {}),
    }


def _shard(shard: StreamShard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": shard.starting_sequence_number}
    if shard.ending_sequence_number is not None:
        numbers["EndingSequenceNumber"] = shard.ending_sequence_number
    parents = zip(("ParentShardId", "AdjacentParentShardId"), shard.parent_ids, strict=False)
    return {
        "ShardId": shard.shard_id,
        **dict(parents),
        "HashKeyRange": hash_key_range(shard),
        "SequenceNumberRange": numbers,
    }


def _listed(stream: KinesisStream, now_ms: int) -> list[StreamShard]:
    kept = {shard.shard_id for shard in stream.list_shards(now_ms)}
    return [shard for shard in stream.shards if shard.shard_id in kept]


def _behind(shards: Sequence[StreamShard], shard_id: str | None) -> list[StreamShard]:
    return [shard for shard in shards if shard_id is None or shard.shard_id > shard_id]


def _filter(
    stream: KinesisStream, shard_filter: Mapping[str, Any], now_ms: int
) -> Callable[[StreamShard], bool]:
    """What a ShardFilter asks for.

    https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ShardFilter.html
    """
    horizon_ms = max(stream.created_ms, now_ms - stream.retention_ms)
    match shard_filter["Type"]:
        case "AFTER_SHARD_ID":
            after: str = _needed(shard_filter, "ShardId")
            return lambda shard: shard.shard_id > after
        case "AT_LATEST":
            return lambda shard: shard.is_open
        case "FROM_TRIM_HORIZON":
            return lambda shard: True
        case "AT_TRIM_HORIZON":
            return lambda shard: _was_open(shard, horizon_ms)
        case "AT_TIMESTAMP":
            at_ms = max(horizon_ms, instant_ms(_needed(shard_filter, "Timestamp")))
            return lambda shard: _was_open(shard, at_ms)
        case "FROM_TIMESTAMP":
            from_instant_ms = instant_ms(_needed(shard_filter, "Timestamp"))
            return lambda shard: not _closed_by(shard, from_instant_ms)
        case other:
            raise AssertionError(f"the model has no filter {other}")


def _needed(shard_filter: Mapping[str, Any], name: str) -> Any:
    if name not in shard_filter:
        raise missing(f"shardFilter.{name[0].lower()}{name[1:]}")
    return shard_filter[name]


def _closed_by(shard: StreamShard, instant_ms: int) -> bool:
    return shard.closed_ms is not None and shard.closed_ms <= instant_ms


def _was_open(shard: StreamShard, instant_ms: int) -> bool:
    return shard.created_ms <= instant_ms and not _closed_by(shard, instant_ms)
