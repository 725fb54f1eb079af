"""Which operations the embedded Kinesis does, and the parameters whose meaning each has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from esm.embedded.kinesis_consumers import (
    deregister_stream_consumer,
    describe_stream_consumer,
    list_stream_consumers,
    register_stream_consumer,
)
from esm.embedded.kinesis_describe import describe_stream, describe_stream_summary, list_shards
from esm.embedded.kinesis_put import put_record, put_records
from esm.embedded.kinesis_read import get_records, get_shard_iterator
from esm.embedded.kinesis_resharding import merge_shards, split_shard, update_shard_count
from esm.embedded.kinesis_settings import (
    decrease_retention,
    increase_retention,
    start_encryption,
    stop_encryption,
    update_max_record_size,
    update_stream_mode,
)
from esm.embedded.kinesis_streams import (
    Account,
    create_stream,
    delete_stream,
    describe_limits,
    list_streams,
)
from esm.embedded.kinesis_tags import (
    add_tags,
    list_tags_for_resource,
    list_tags_for_stream,
    remove_tags,
)
from esm.sources.memory import KinesisStream

On = TypeVar("On", Account, KinesisStream)
Run = Callable[[On, Mapping[str, Any], int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Operation(Generic[On]):
    """What does it, with which parameters; `is_modelled`: AWS's model checks them before."""

    run: Run[On]
    parameters: frozenset[str]
    is_modelled: bool = True


def _of(run: Run[On], *names: str) -> Operation[On]:
    return Operation(run, frozenset(names))


def _on(run: Run[On], *names: str) -> Operation[On]:
    return Operation(run, frozenset({"StreamName", "StreamARN", *names}))


def _put(run: Run[On], *names: str) -> Operation[On]:
    """Checked by hand, because of the many records."""
    return Operation(run, frozenset({"StreamName", "StreamARN", *names}), is_modelled=False)


ON_ACCOUNT: Mapping[str, Operation[Account]] = {
    "ListStreams": _of(list_streams, "Limit", "ExclusiveStartStreamName", "NextToken"),
    "DescribeLimits": _of(describe_limits),
    "CreateStream": _of(
        create_stream,
        "StreamName", "ShardCount", "StreamModeDetails", "Tags", "MaxRecordSizeInKiB",
    ),
    "DeleteStream": _on(delete_stream, "EnforceConsumerDeletion"),
    "SplitShard": _on(split_shard, "ShardToSplit", "NewStartingHashKey"),
    "MergeShards": _on(merge_shards, "ShardToMerge", "AdjacentShardToMerge"),
    "UpdateShardCount": _on(update_shard_count, "TargetShardCount", "ScalingType"),
    "DeregisterStreamConsumer": _on(deregister_stream_consumer, "ConsumerName", "ConsumerARN"),
}  # fmt: skip
"""Operations that look at all streams, or change which there are."""

ON_STREAM: Mapping[str, Operation[KinesisStream]] = {
    "PutRecord": _put(
        put_record, "Data", "PartitionKey", "ExplicitHashKey", "SequenceNumberForOrdering"
    ),
    "PutRecords": _put(put_records, "Records"),
    "GetShardIterator": _on(
        get_shard_iterator, "ShardId", "ShardIteratorType", "StartingSequenceNumber", "Timestamp"
    ),
    "GetRecords": _on(get_records, "ShardIterator", "Limit"),
    "DescribeStream": _on(describe_stream, "Limit", "ExclusiveStartShardId"),
    "DescribeStreamSummary": _on(describe_stream_summary),
    "ListShards": _on(
        list_shards, "ExclusiveStartShardId", "MaxResults", "NextToken", "ShardFilter"
    ),
    "IncreaseStreamRetentionPeriod": _on(increase_retention, "RetentionPeriodHours"),
    "DecreaseStreamRetentionPeriod": _on(decrease_retention, "RetentionPeriodHours"),
    "UpdateStreamMode": _on(update_stream_mode, "StreamModeDetails"),
    "UpdateMaxRecordSize": _on(update_max_record_size, "MaxRecordSizeInKiB"),
    "StartStreamEncryption": _on(start_encryption, "EncryptionType", "KeyId"),
    "StopStreamEncryption": _on(stop_encryption, "EncryptionType", "KeyId"),
    "RegisterStreamConsumer": _on(register_stream_consumer, "ConsumerName", "Tags"),
    "DescribeStreamConsumer": _on(describe_stream_consumer, "ConsumerName", "ConsumerARN"),
    "ListStreamConsumers": _on(list_stream_consumers, "MaxResults", "NextToken"),
    "AddTagsToStream": _on(add_tags, "Tags"),
    "RemoveTagsFromStream": _on(remove_tags, "TagKeys"),
    "ListTagsForStream": _on(list_tags_for_stream, "Limit", "ExclusiveStartTagKey"),
    "TagResource": _of(add_tags, "ResourceARN", "Tags"),
    "UntagResource": _of(remove_tags, "ResourceARN", "TagKeys"),
    "ListTagsForResource": _of(list_tags_for_resource, "ResourceARN"),
}
"""Operations on one stream."""

SUBSCRIBE_TO_SHARD = "SubscribeToShard"
SUBSCRIBE = frozenset({"ConsumerARN", "ShardId", "StartingPosition"})
