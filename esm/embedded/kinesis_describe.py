"""DescribeStream, DescribeStreamSummary, ListShards and ListStreams.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esm.embedded.kinesis_errors import (
    INVALID_ARGUMENT,
    KinesisApiError,
    constraint,
    missing,
    one_of,
)
from esm.embedded.kinesis_read import hash_key_range, instant_ms
from esm.embedded.kinesis_tokens import ShardsToken, decode, encode
from esm.instants import from_ms
from esm.sources.memory import KinesisStream
from esm.sources.memory_shard import StreamShard

PAGE = 100
PAGE_MAX = 10_000
LIST_SHARDS_PAGE = 1_000
NEXT_TOKEN_LIFE_MS = 300_000
SHARD_FILTERS = (
    "AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
)  # fmt: skip


def describe_stream(
    stream: KinesisStream, params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """The stream with a page of its shards."""
    shards = _behind(_listed(stream, now_ms), params.get("ExclusiveStartShardId"))
    limit = page_size("limit", params.get("Limit", PAGE))
    return {
        "StreamDescription": _description(stream)
        | {
            "Shards": [_shard(shard) for shard in shards[:limit]],
            "HasMoreShards": len(shards) > limit,
            "EncryptionType": "NONE",
        }
    }


def describe_stream_summary(
    stream: KinesisStream, _params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """The stream without its shards."""
    return {
        "StreamDescriptionSummary": _description(stream)
        | {
            "EncryptionType": "NONE",
            "OpenShardCount": sum(shard.is_open for shard in _listed(stream, now_ms)),
            "ConsumerCount": len(stream.consumers),
            "MaxRecordSizeInKiB": stream.max_record_bytes // 1024,
        }
    }


def list_shards(stream: KinesisStream, params: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """A page of shards: all that are kept, or those that the filter asks for."""
    limit = page_size("maxResults", params.get("MaxResults", LIST_SHARDS_PAGE))
    token = _shards_token(params, now_ms)
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


def list_streams(streams: Mapping[str, KinesisStream], params: Mapping[str, Any]) -> dict[str, Any]:
    """A page of streams, by name."""
    limit = page_size("limit", params.get("Limit", PAGE))
    start = params.get("NextToken") or params.get("ExclusiveStartStreamName", "")
    names = sorted(name for name in streams if name > start)
    page = [streams[name] for name in names[:limit]]
    more = {"NextToken": names[limit - 1]} if len(names) > limit else {}
    return more | {
        "StreamNames": [stream.name for stream in page],
        "HasMoreStreams": len(names) > limit,
        "StreamSummaries": [_summary(stream) for stream in page],
    }


def _shards_token(params: Mapping[str, Any], now_ms: int) -> ShardsToken | None:
    if "NextToken" not in params:
        return None
    if params.keys() & {"ExclusiveStartShardId", "ShardFilter", "StreamName"}:
        raise KinesisApiError(
            INVALID_ARGUMENT, "NextToken and StreamName cannot be provided together."
        )
    token = decode(params["NextToken"], ShardsToken)
    if token is None:
        raise KinesisApiError(INVALID_ARGUMENT, "Invalid NextToken.")
    if now_ms - token.issued_ms > NEXT_TOKEN_LIFE_MS:
        raise KinesisApiError("ExpiredNextTokenException", "NextToken has expired.")
    return token


def _summary(stream: KinesisStream) -> dict[str, Any]:
    return {
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "StreamCreationTimestamp": from_ms(stream.created_ms),
    }


def _description(stream: KinesisStream) -> dict[str, Any]:
    return _summary(stream) | {
        "RetentionPeriodHours": stream.retention_ms // 3_600_000,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
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


def page_size(member: str, limit: int) -> int:
    """How many things a page holds, within AWS's limits."""
    if not 1 <= limit <= PAGE_MAX:
        raise constraint(member, str(limit), f"have value between 1 and {PAGE_MAX}")
    return limit


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
    raise one_of("shardFilter.type", shard_filter["Type"], SHARD_FILTERS)


def _needed(shard_filter: Mapping[str, Any], name: str) -> Any:
    if name not in shard_filter:
        raise missing(f"shardFilter.{name[0].lower()}{name[1:]}")
    return shard_filter[name]


def _closed_by(shard: StreamShard, instant_ms: int) -> bool:
    return shard.closed_ms is not None and shard.closed_ms <= instant_ms


def _was_open(shard: StreamShard, instant_ms: int) -> bool:
    return shard.created_ms <= instant_ms and not _closed_by(shard, instant_ms)
