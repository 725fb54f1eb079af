"""SplitShard, MergeShards and UpdateShardCount: the new shards are there at once.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SplitShard.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esm.embedded.kinesis_errors import (
    INVALID_ARGUMENT,
    LIMIT,
    NOT_FOUND,
    VALIDATION,
    KinesisApiError,
)
from esm.embedded.kinesis_streams import Account
from esm.errors import InputError
from esm.sources.kinesis_input import SHARDS_MAX
from esm.sources.memory import KinesisStream
from esm.sources.memory_properties import ON_DEMAND
from esm.sources.memory_shard import StreamShard


def split_shard(account: Account, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Two shards in place of one."""
    stream = _provisioned(account, params)
    shard = _open_shard(stream, params["ShardToSplit"])
    middle = int(params["NewStartingHashKey"])
    start, end = shard.hash_key_range
    if not start + 1 < middle < end:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            f"NewStartingHashKey {middle} used in SplitShard() on shard {shard.shard_id} in stream "
            f"{stream.name} under account {stream.account} is not both greater than one plus the "
            f"shard's StartingHashKey {start} and less than the shard's EndingHashKey {end}.",
        )
    with account.lock:
        account.check_room(1)
        try:
            stream.split(shard.shard_id, middle)
        except InputError as error:
            raise _reshaped(stream, shard.shard_id) from error
    return {}


def merge_shards(account: Account, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """One shard in place of two."""
    stream = _provisioned(account, params)
    ids = params["ShardToMerge"], params["AdjacentShardToMerge"]
    shards = [_open_shard(stream, shard_id) for shard_id in ids]
    (_, low_end), (high_start, _) = sorted(shard.hash_key_range for shard in shards)
    if low_end + 1 != high_start:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            f"Shards {ids[0]} and {ids[1]} in stream {stream.name} under account "
            f"{stream.account} are not an adjacent pair of shards eligible for merging",
        )
    with account.lock:
        try:
            stream.merge(*ids)
        except InputError as error:
            raise _reshaped(stream, f"{ids[0]} or {ids[1]}") from error
    return {}


def update_shard_count(account: Account, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """So many shards of equal ranges: at most twice as many as there are, at least half of them.

    How often a day is not counted.
    """
    stream, target = _provisioned(account, params), params["TargetShardCount"]
    with account.lock:
        current = sum(shard.is_open for shard in stream.shards)
        _check_target(current, target)
        account.check_room(target - current)
        stream.update_shard_count(target)
    return {
        "StreamName": stream.name,
        "CurrentShardCount": current,
        "TargetShardCount": target,
        "StreamARN": stream.arn,
    }


def _check_target(current: int, target: int) -> None:
    """https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html."""
    counts = f"Current open shard count: {current} Target shard count: {target}"
    if target > SHARDS_MAX:
        raise KinesisApiError(
            LIMIT, f"UpdateShardCount cannot scale up over {SHARDS_MAX} shards. {counts}"
        )
    if target > 2 * current:
        raise KinesisApiError(
            LIMIT,
            "UpdateShardCount cannot scale up over double your current open shard count. " + counts,
        )
    if 2 * target < current:
        raise KinesisApiError(
            LIMIT,
            "UpdateShardCount cannot scale down below half your current open shard count. "
            + counts,
        )


def _provisioned(account: Account, params: Mapping[str, Any]) -> KinesisStream:
    stream = account.asked_for(params)
    if stream.properties.mode == ON_DEMAND:
        raise KinesisApiError(
            VALIDATION,
            f"Stream {stream.name} under account {stream.account} is in ON_DEMAND mode: its "
            "shards are not changed by this operation.",
        )
    return stream


def _open_shard(stream: KinesisStream, shard_id: str) -> StreamShard:
    for shard in stream.shards:
        if shard.shard_id == shard_id:
            if shard.is_open:
                return shard
            raise _reshaped(stream, shard_id)
    raise KinesisApiError(
        NOT_FOUND,
        f"Could not find shard {shard_id} in stream {stream.name} under account {stream.account}.",
    )


def _reshaped(stream: KinesisStream, shard_id: str) -> KinesisApiError:
    return KinesisApiError(
        INVALID_ARGUMENT,
        f"Shard {shard_id} in stream {stream.name} under account {stream.account} has already "
        "been merged or split, and thus is not eligible for merging or splitting.",
    )
