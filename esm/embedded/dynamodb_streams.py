"""The DynamoDB Streams API over the streams of in-memory tables.

`handle` takes the parameters that a botocore client was given and answers what it would return,
without ResponseMetadata: B values are bytes, instants are aware datetimes.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from esm.embedded.api import ApiError
from esm.embedded.dynamodb_streams_read import get_records, get_shard_iterator
from esm.embedded.kinesis_tokens import stream_of
from esm.errors import EndpointError
from esm.instants import from_ms
from esm.sources.dynamodb_changes import key_schema
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.memory_shard import StreamShard

Params = Mapping[str, Any]
Answer = dict[str, Any]

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
PAGE = 100


class DynamoDbStreamsApi:
    """The operations over the streams of `tables`; tables may be added to the mapping later.

    Also by other threads.
    """

    service = "dynamodbstreams"
    checks_parameters = False

    def __init__(self, tables: Mapping[str, DynamoDbTable]) -> None:
        self._tables = tables

    @property
    def resources(self) -> list[str]:
        """The names of the tables."""
        return list(self._tables)

    def asked_for(self, params: Params) -> str | None:
        """The stream or table that a call is about, in the caller's words."""
        name = params.get("StreamArn") or params.get("TableName")
        return stream_of(str(params.get("ShardIterator", ""))) if name is None else str(name)

    def owns(self, operation: str, params: Params) -> bool:
        """Whether the call is about the stream of one of our tables; lists are of ours."""
        if operation == "ListStreams" and "TableName" not in params:
            return bool(self._tables)
        return self._find(params) is not None

    def handle(self, operation: str, params: Params, now_ms: int) -> Answer:
        """Do one call. Raises ApiError where AWS would answer an error."""
        if operation == "ListStreams":
            return _list_streams(self._tables, params)
        run = _OPERATIONS.get(operation)
        if run is None:
            raise EndpointError(
                "E502",
                f"the embedded DynamoDB Streams does not do {operation} yet",
                why="not emulated",
                fix=f"one of: {', '.join(_OPERATIONS)}, ListStreams",
            )
        table = self._find(params)
        if table is None:
            raise ApiError(
                "ResourceNotFoundException",
                f"Requested resource not found: Stream: {self.asked_for(params)} not found",
            )
        return run(table, params, now_ms)

    def remedy(self, params: Params) -> str:
        """The line of a test that makes the table."""
        asked = (self.asked_for(params) or "table").partition("/stream/")[0]
        return f'esm.dynamodb("{asked.rpartition("/")[2]}")'

    def _find(self, params: Params) -> DynamoDbTable | None:
        asked = self.asked_for(params)
        return next((t for t in list(self._tables.values()) if asked in (t.arn, t.name)), None)


def _list_streams(tables: Mapping[str, DynamoDbTable], params: Params) -> Answer:
    """A page of streams, by ARN."""
    name, start = params.get("TableName"), params.get("ExclusiveStartStreamArn", "")
    found = sorted(
        (t for t in list(tables.values()) if t.arn > start and name in (None, t.name)),
        key=lambda table: table.arn,
    )
    page = found[: min(params.get("Limit", PAGE), PAGE)]
    more = {"LastEvaluatedStreamArn": page[-1].arn} if len(page) < len(found) else {}
    return {"Streams": [_summary(table) for table in page], **more}


def _describe_stream(table: DynamoDbTable, params: Params, now_ms: int) -> Answer:
    """The stream with a page of its shards, or of those that follow a shard."""
    kept = {shard.shard_id for shard in table.list_shards(now_ms)}
    shards = _asked([s for s in table.shards if s.shard_id in kept], params)
    page = shards[: min(params.get("Limit", PAGE), PAGE)]
    more = {"LastEvaluatedShardId": page[-1].shard_id} if len(page) < len(shards) else {}
    description = _summary(table) | {
        "StreamStatus": "ENABLED",
        "StreamViewType": table.view.value,
        "CreationRequestDateTime": from_ms(table.shards[0].created_ms),
        "KeySchema": key_schema(table.keys),
        "Shards": [_shard(shard) for shard in page],
    }
    return {"StreamDescription": description | more}


def _asked(shards: Sequence[StreamShard], params: Params) -> Sequence[StreamShard]:
    """Those behind the page before, and under the filter."""
    ids = [shard.shard_id for shard in shards]
    start = params.get("ExclusiveStartShardId")
    behind = shards[ids.index(start) + 1 :] if start in ids else shards
    match params.get("ShardFilter"):
        case None | {"Type": "CHILD_SHARDS", "ShardId": None}:
            return behind
        case {"Type": "CHILD_SHARDS", "ShardId": parent}:
            return [shard for shard in behind if parent in shard.parent_ids]
        case other:
            raise ApiError(
                "ValidationException",
                f"1 validation error detected: Value '{other}' at 'shardFilter' failed to satisfy"
                " constraint: Member must have the type CHILD_SHARDS and a shardId",
            )


def _summary(table: DynamoDbTable) -> Answer:
    label = table.arn.rpartition("/")[2]
    return {"StreamArn": table.arn, "TableName": table.name, "StreamLabel": label}


def _shard(shard: StreamShard) -> Answer:
    numbers = {"StartingSequenceNumber": shard.starting_sequence_number}
    if shard.ending_sequence_number is not None:
        numbers["EndingSequenceNumber"] = shard.ending_sequence_number
    parent = {"ParentShardId": shard.parent_ids[0]} if shard.parent_ids else {}
    return {"ShardId": shard.shard_id, "SequenceNumberRange": numbers, **parent}


_OPERATIONS: Mapping[str, Callable[[DynamoDbTable, Params, int], Answer]] = {
    "DescribeStream": _describe_stream,
    "GetShardIterator": get_shard_iterator,
    "GetRecords": get_records,
}
