"""CreateStream, DeleteStream, ListStreams and DescribeLimits: which streams there are.

A stream is active as soon as it is made and gone as soon as it is deleted.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

from esm.embedded.kinesis_describe import PAGE, stream_summary
from esm.embedded.kinesis_errors import (
    IN_USE,
    INVALID_ARGUMENT,
    LIMIT,
    KinesisApiError,
    bad_iterator,
    missing,
    no_stream,
)
from esm.embedded.kinesis_tags import check_tags
from esm.embedded.kinesis_tokens import stream_of
from esm.errors import EndpointError
from esm.sources.kinesis_input import RECORD_KIB_MIN, SHARDS_MAX
from esm.sources.memory import KinesisStream
from esm.sources.memory_properties import ON_DEMAND, PROVISIONED

# https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
SHARD_LIMIT = 20_000
ON_DEMAND_LIMIT = 50
ON_DEMAND_SHARDS = 4


class MakeStream(Protocol):
    """Makes a stream that CreateStream was asked for; it becomes known by its name."""

    def __call__(self, name: str, shards: int, *, max_record_size_kib: int) -> KinesisStream:
        """A new, empty stream."""


@dataclass(slots=True)
class Account:
    """The streams of one account in one region, by name.

    `make` None: they are made elsewhere, and stay. `deleted_ms`: when the last deleted stream of a
    name was made.
    """

    streams: MutableMapping[str, KinesisStream]
    make: MakeStream | None
    account: str
    region: str
    lock: Lock = field(default_factory=Lock)
    deleted_ms: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> KinesisStream | None:
        """The stream of a name or an ARN."""
        stream = self.streams.get(name.rpartition("/")[2])
        return stream if stream is not None and name in (stream.name, stream.arn) else None

    def asked_for(self, params: Mapping[str, Any]) -> KinesisStream:
        """The stream that a call is about. Raises KinesisApiError when there is none."""
        asked = named_in(params)
        if asked is None:
            raise _nothing_named(params)
        name = asked.rpartition("/")[2]
        if params.get("StreamName", name) != name:
            raise KinesisApiError(
                INVALID_ARGUMENT, "StreamName and StreamARN name different streams."
            )
        stream = self.find(asked)
        if stream is None:
            raise no_stream(name, self.account)
        return stream

    def has(self, stream: KinesisStream) -> bool:
        """Whether it is still there, and not another one of its name."""
        return self.streams.get(stream.name) is stream

    def own(self, operation: str, fix: str) -> MakeStream:
        """What makes streams. Raises E502 in a Harness, where the test makes them."""
        if self.make is None:
            raise EndpointError(
                "E502",
                f"the embedded Kinesis does not do {operation} in a Harness",
                why="the test makes its streams and consumers, and mappings read them",
                fix=fix,
            )
        return self.make

    def open_shards(self) -> int:
        """How many shards count against the account's limit: those of on-demand streams do not."""
        return sum(
            sum(shard.is_open for shard in stream.shards)
            for stream in list(self.streams.values())
            if stream.properties.mode == PROVISIONED
        )

    def check_room(self, more: int) -> None:
        """Refuse more shards than the account may have."""
        current = self.open_shards()
        if current + more > SHARD_LIMIT:
            raise KinesisApiError(
                LIMIT,
                f"This request would exceed the shard limit for the account {self.account} in "
                f"{self.region}. Current shard count for the account: {current}. "
                f"Limit: {SHARD_LIMIT}. Number of additional shards that would have resulted "
                f"from this request: {more}.",
            )


def named_in(params: Mapping[str, Any]) -> str | None:
    """The name or ARN of the stream that a call is about; None when it names none."""
    for member in ("StreamARN", "StreamName", "ConsumerARN", "ResourceARN"):
        if params.get(member) is not None:
            return str(params[member]).partition("/consumer/")[0]
    token = params.get("ShardIterator") or params.get("NextToken")
    return None if token is None else stream_of(str(token))


def _nothing_named(params: Mapping[str, Any]) -> KinesisApiError:
    if "ShardIterator" in params:
        return bad_iterator()
    if "NextToken" in params:
        return KinesisApiError(INVALID_ARGUMENT, "Invalid NextToken.")
    return KinesisApiError(INVALID_ARGUMENT, "Either StreamName or StreamARN must be provided.")


def create_stream(account: Account, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """A new stream, active at once."""
    name = params["StreamName"]
    mode = params.get("StreamModeDetails", {}).get("StreamMode", PROVISIONED)
    tags = params.get("Tags", {})
    with account.lock:
        if name in account.streams:
            raise KinesisApiError(
                IN_USE, f"Stream {name} under account {account.account} already exists."
            )
        shards = _shards(account, params, mode)
        check_tags(tags, {}, f"stream {name}", account.account)
        make = account.own("CreateStream", f'esm.kinesis("{name}")')
        size = params.get("MaxRecordSizeInKiB", RECORD_KIB_MIN)
        stream = make(name, shards, max_record_size_kib=size)
        before_ms = account.deleted_ms.get(name, stream.created_ms - 1)
        if stream.created_ms <= before_ms:
            stream.restart(before_ms + 1)  # two streams of a name are told apart by their creation
        stream.properties.mode = mode
        stream.properties.tags.update(tags)
        account.streams[name] = stream
    return {}


def delete_stream(account: Account, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Forget a stream with all that is in it; readers and subscriptions find it gone."""
    with account.lock:
        stream = account.asked_for(params)
        account.own("DeleteStream", "another stream, made by the test")
        if stream.consumers and not params.get("EnforceConsumerDeletion"):
            raise KinesisApiError(
                IN_USE,
                f"Stream {stream.name} under account {account.account} has consumers "
                "registered. Deregister them, or set EnforceConsumerDeletion to true.",
            )
        account.deleted_ms[stream.name] = stream.created_ms
        del account.streams[stream.name]
    stream.expire_iterators()
    return {}


def list_streams(account: Account, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """A page of streams, by name."""
    limit = params.get("Limit", PAGE)
    start = params.get("NextToken") or params.get("ExclusiveStartStreamName", "")
    streams = dict(account.streams)
    names = sorted(name for name in streams if name > start)
    page = [streams[name] for name in names[:limit]]
    more = {"NextToken": names[limit - 1]} if len(names) > limit else {}
    return more | {
        "StreamNames": [stream.name for stream in page],
        "HasMoreStreams": len(names) > limit,
        "StreamSummaries": [stream_summary(stream) for stream in page],
    }


def describe_limits(account: Account, _params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """How many shards and on-demand streams there are, and may be."""
    return {
        "ShardLimit": SHARD_LIMIT,
        "OpenShardCount": account.open_shards(),
        "OnDemandStreamCount": _on_demand(account),
        "OnDemandStreamCountLimit": ON_DEMAND_LIMIT,
    }


def _shards(account: Account, params: Mapping[str, Any], mode: str) -> int:
    count: int | None = params.get("ShardCount")
    if mode == ON_DEMAND:
        if count is not None:
            raise KinesisApiError(
                INVALID_ARGUMENT, "ShardCount is not applicable to a stream in ON_DEMAND mode."
            )
        if _on_demand(account) == ON_DEMAND_LIMIT:
            raise KinesisApiError(
                LIMIT,
                f"Account {account.account} has {ON_DEMAND_LIMIT} on-demand streams, and may not "
                "have more.",
            )
        return ON_DEMAND_SHARDS
    if count is None:
        raise missing("shardCount")
    if count > SHARDS_MAX:
        raise KinesisApiError(
            LIMIT, f"A stream cannot have more than {SHARDS_MAX} shards. Requested: {count}."
        )
    account.check_room(count)
    return count


def _on_demand(account: Account) -> int:
    return sum(s.properties.mode == ON_DEMAND for s in list(account.streams.values()))
