"""The Kinesis API over in-memory streams, as far as producers and small readers need it.

`handle` takes the parameters that a botocore client was given and answers what it would return,
without ResponseMetadata: data is bytes, instants are aware datetimes.
https://docs.aws.amazon.com/kinesis/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from esm.embedded.kinesis_consumers import (
    describe_stream_consumer,
    list_stream_consumers,
    register_stream_consumer,
)
from esm.embedded.kinesis_describe import (
    describe_stream,
    describe_stream_summary,
    list_shards,
    list_streams,
)
from esm.embedded.kinesis_errors import NOT_FOUND, KinesisApiError
from esm.embedded.kinesis_put import put_record, put_records
from esm.embedded.kinesis_read import get_records, get_shard_iterator
from esm.embedded.kinesis_tokens import stream_of
from esm.errors import EndpointError
from esm.sources.memory import KinesisStream

Params = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on a stream and the parameters whose meaning it has."""

    run: Callable[[KinesisStream, Params, int], Answer]
    parameters: frozenset[str]


def _operation(run: Callable[[KinesisStream, Params, int], Answer], *names: str) -> Operation:
    return Operation(run, frozenset({"StreamName", "StreamARN", *names}))


OPERATIONS: Mapping[str, Operation] = {
    "PutRecord": _operation(
        put_record, "Data", "PartitionKey", "ExplicitHashKey", "SequenceNumberForOrdering"
    ),
    "PutRecords": _operation(put_records, "Records"),
    "DescribeStream": _operation(describe_stream, "Limit", "ExclusiveStartShardId"),
    "DescribeStreamSummary": _operation(describe_stream_summary),
    "ListShards": _operation(
        list_shards, "ExclusiveStartShardId", "MaxResults", "NextToken", "ShardFilter"
    ),
    "GetShardIterator": _operation(
        get_shard_iterator, "ShardId", "ShardIteratorType", "StartingSequenceNumber", "Timestamp"
    ),
    "GetRecords": _operation(get_records, "ShardIterator", "Limit"),
    "RegisterStreamConsumer": _operation(register_stream_consumer, "ConsumerName"),
    "DescribeStreamConsumer": _operation(describe_stream_consumer, "ConsumerName", "ConsumerARN"),
    "ListStreamConsumers": _operation(list_stream_consumers, "MaxResults", "NextToken"),
}
LIST_STREAMS = frozenset({"Limit", "ExclusiveStartStreamName", "NextToken"})


class KinesisApi:
    """The operations over `streams`, by name; streams may be added to the mapping later."""

    service = "kinesis"
    checks_parameters = False

    def __init__(self, streams: Mapping[str, KinesisStream]) -> None:
        self._streams = streams

    @property
    def resources(self) -> list[str]:
        """The names of the streams."""
        return list(self._streams)

    def asked_for(self, params: Params) -> str | None:
        """The stream that a call is about, in the caller's words; None when it names none."""
        name = params.get("StreamARN") or params.get("StreamName") or params.get("ConsumerARN")
        if name is not None:
            return str(name).partition("/consumer/")[0]
        token = params.get("ShardIterator") or params.get("NextToken")
        return None if token is None else stream_of(str(token))

    def owns(self, operation: str, params: Params) -> bool:
        """Whether the call is about one of our streams."""
        if operation == "ListStreams":
            return bool(self._streams)
        return self._find(params) is not None

    def handle(self, operation: str, params: Params, now_ms: int) -> Answer:
        """Do one call. Raises KinesisApiError where AWS would answer an error."""
        if operation == "ListStreams":
            _check_parameters(operation, params, LIST_STREAMS)
            return list_streams(self._streams, params)
        known = OPERATIONS.get(operation)
        if known is None:
            raise EndpointError(
                "E502",
                f"the embedded Kinesis does not do {operation} yet",
                why="not emulated",
                fix=f"one of: {', '.join(OPERATIONS)}, ListStreams",
            )
        _check_parameters(operation, params, known.parameters)
        stream = self._find(params)
        if stream is None:
            raise KinesisApiError(NOT_FOUND, f"Stream {self.asked_for(params)} not found.")
        return known.run(stream, params, now_ms)

    def remedy(self, params: Params) -> str:
        """The line of a test that makes the stream."""
        asked = self.asked_for(params) or "stream"
        return f'esm.kinesis("{asked.rpartition("/")[2]}")'

    def _find(self, params: Params) -> KinesisStream | None:
        asked = self.asked_for(params)
        if asked is None:
            return None
        stream = self._streams.get(asked.rpartition("/")[2])
        known = stream is not None and asked in (stream.name, stream.arn)
        return stream if known else None


def _check_parameters(operation: str, params: Params, known: frozenset[str]) -> None:
    for name, value in params.items():
        if name in known or (name == "DryRun" and value is False):
            continue
        raise EndpointError(
            "E502",
            f"the embedded Kinesis does not know {operation}'s parameter {name} yet",
            why="not emulated",
            fix=f"leave {name} out",
        )
