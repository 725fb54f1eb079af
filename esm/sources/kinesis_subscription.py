"""An enhanced fan-out consumer of a Kinesis stream behind an endpoint: records are pushed.

https://docs.aws.amazon.com/streams/latest/dev/building-enhanced-consumers-api.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any

import msgspec

from esm.clock import Stopwatch
from esm.core.model import Latest, Position, Shard, TrimHorizon
from esm.hosts import is_loopback
from esm.payloads.kpl import PART_BITS
from esm.ports import SourceUnavailable
from esm.sources.hash_keys import HashKeyRange
from esm.sources.kinesis import KinesisSource
from esm.sources.kinesis_subscription_pace import Pace
from esm.sources.kinesis_subscription_place import Parts, Progress
from esm.sources.kinesis_subscription_reader import SubscriptionReader
from esm.sources.kinesis_subscription_wire import (
    SUBSCRIBE,
    keep_stream,
    starting_position,
    stream_of,
)
from esm.sources.kinesis_wire import Metadata
from esm.sources.live_calls import CallFailed, call, call_for


class _Description(msgspec.Struct, rename="pascal"):
    consumer_status: str


class _ConsumerAnswer(msgspec.Struct, rename="pascal"):
    consumer_description: _Description


class KinesisConsumerSource:
    """A `LiveSource`. All its methods may be called by several threads at once.

    Its stream is described and listed; its shards are subscribed to. A position is a sequence
    number and, in its lower bits, a part of an aggregate.
    """

    def __init__(self, consumer_arn: str, client: Any, *, pace: Pace | None = None) -> None:
        self.arn = consumer_arn
        self._client = client
        self._near = is_loopback(client.meta.endpoint_url)
        self._pace = pace or Pace()
        self._stream = KinesisSource(consumer_arn.partition("/consumer/")[0], client)
        self._parts: dict[str, Parts] = {}
        self._latest: dict[str, tuple[SubscriptionReader, Position]] = {}
        self._closed: frozenset[str] = frozenset()
        self._looked = Stopwatch()
        self._looking = Lock()
        client.meta.events.register(SUBSCRIBE, keep_stream, unique_id="esm-subscribe")

    def __repr__(self) -> str:
        return f"<KinesisConsumerSource {self.arn} at {self._client.meta.endpoint_url}>"

    # --- what the run asks -----------------------------------------------------------------------

    @property
    def retention_ms(self) -> int | None:
        """How long the stream keeps a record; known once it was described."""
        return self._stream.retention_ms

    @property
    def incarnation(self) -> str:
        """The stream's; known once it was described."""
        return self._stream.incarnation

    def describe(self) -> None:
        """Make sure that stream and consumer are there and active. Raises SourceUnavailable."""
        self._stream.describe()
        ask = self._client.describe_stream_consumer
        try:
            answer = call_for(_ConsumerAnswer, ask, ConsumerARN=self.arn)
        except CallFailed as failed:
            raise failed.unavailable from failed
        status = answer.consumer_description.consumer_status
        if status != "ACTIVE":
            raise SourceUnavailable(f"the consumer is {status}", fatal=status == "DELETING")

    def look_at_retention(self) -> None:
        """As of the stream; raises SourceUnavailable."""
        self._stream.look_at_retention()

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """All shards that the stream lists, parents before children. Raises SourceUnavailable."""
        return self._stream.list_shards(now_ms, since_ms)

    def pin(self, shard_id: str, position: Position, now_ms: int) -> Position:
        """LATEST as an instant, and exactly for the reader that is opened next.

        That one is subscribed from now on. Raises SourceUnavailable.
        """
        if not isinstance(position, Latest):
            return position
        if shard_id not in self._latest:
            try:
                self._latest[shard_id] = self._pin_latest(shard_id, now_ms)
            except CallFailed as failed:
                raise failed.unavailable from failed
        return self._latest[shard_id][1]

    def beginning(self, shard_id: str) -> Position:
        """The oldest record that the stream still has."""
        return TrimHorizon()

    def whole_before(self, shard_id: str, position: int) -> int | None:
        """The position itself; within an aggregate that of the record before it, if it is known.

        A checkpoint says a sequence number, and the parts of an aggregate have one together.
        """
        return self._parts_of(shard_id).whole_before(position)

    def sequence_number_of(self, position: int) -> str:
        """The sequence number at a position."""
        return str(position >> PART_BITS)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> SubscriptionReader:
        """A reader, which subscribes when it is asked; `on_put` tells that something waits."""
        reader, _ = self._latest.pop(shard_id, None) or (self._reader(shard_id), None)
        reader.inbox.on_put = on_put
        return reader

    # --- what its readers ask --------------------------------------------------------------------

    def subscribe(self, shard_id: str, start: dict[str, Any]) -> Any:
        """One SubscribeToShard; gives the stream. Raises CallFailed."""
        return stream_of(self._subscribe(shard_id, start))

    def has_shard(self, shard_id: str) -> bool:
        """Whether the shard is listed yet. Raises CallFailed."""
        return self._stream.shard(shard_id) is not None

    def is_closed(self, shard_id: str) -> bool:
        """Whether the shard was listed as closed when one of them looked. Raises CallFailed."""
        with self._looking:
            if self._looked.elapsed_ms() >= self._pace.look_ms:
                self._looked = Stopwatch()
                listed = self._stream.wire_shards()
                self._closed = frozenset(shard.shard_id for shard in listed if shard.is_closed)
            return shard_id in self._closed

    # --- inside ----------------------------------------------------------------------------------

    def _pin_latest(self, shard_id: str, now_ms: int) -> tuple[SubscriptionReader, Position]:
        response = self._subscribe(shard_id, starting_position(Latest()))
        stream = stream_of(response)
        metadata = msgspec.convert(response["ResponseMetadata"], Metadata)
        place = metadata.pin(now_ms, near=self._near)
        reader = self._reader(shard_id)
        reader.start(partial(Progress, place, self.retention_ms, was_there=True), stream)
        return reader, place

    def _subscribe(self, shard_id: str, start: dict[str, Any]) -> dict[str, Any]:
        ask = self._client.subscribe_to_shard
        answer = call(ask, ConsumerARN=self.arn, ShardId=shard_id, StartingPosition=start)
        try:
            self._stream.check_server(msgspec.convert(answer["ResponseMetadata"], Metadata).server)
        except CallFailed:
            stream_of(answer).close()
            raise
        return answer

    def _reader(self, shard_id: str) -> SubscriptionReader:
        return SubscriptionReader(
            self, shard_id, self._progress, self._parts_of(shard_id), self._pace
        )

    def _progress(self, position: Position) -> Progress:
        return Progress(position, self.retention_ms)

    def _parts_of(self, shard_id: str) -> Parts:
        if shard_id not in self._parts:
            self._parts[shard_id] = Parts(partial(self._hash_keys, shard_id))
        return self._parts[shard_id]

    def _hash_keys(self, shard_id: str) -> HashKeyRange:
        """The shard's. Raises CallFailed."""
        shard = self._stream.shard(shard_id)
        if shard is None or shard.hash_key_range is None:
            raise CallFailed(f"the stream does not say which hash keys {shard_id} has", status=200)
        return shard.hash_key_range.ends
