"""Records and shards as the API shows them, in botocore's form and in the wire's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from esm.payloads.kinesis import KinesisRecord
from esm.sources.memory import KinesisStream
from esm.sources.memory_shard import StreamShard


class RecordRead(msgspec.Struct, gc=False):
    """A record of GetRecords and of SubscribeToShardEvent."""

    SequenceNumber: str
    ApproximateArrivalTimestamp: float
    Data: str
    PartitionKey: str


def record_shown(record: KinesisRecord) -> dict[str, Any]:
    """A record as botocore gives it."""
    return {
        "SequenceNumber": record.sequence_number,
        "ApproximateArrivalTimestamp": record.arrived_at,
        "Data": record.data,
        "PartitionKey": record.partition_key,
    }


def records_read(records: Sequence[KinesisRecord]) -> list[RecordRead]:
    """Records as the wire shows them."""
    return [RecordRead(r.sequence_number, r.arrived_ms / 1000, r.base64, r.key) for r in records]


def children_of(stream: KinesisStream, shard_id: str) -> list[dict[str, Any]]:
    """What the end of a closed shard tells of those that came from it."""
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
