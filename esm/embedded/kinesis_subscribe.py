"""SubscribeToShard: an enhanced fan-out consumer is pushed what arrives in a shard.

A subscription has no thread: whoever carries its events over a connection asks for the next one,
when `on_put` has called or `ready_ms` has come.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, cast

import msgspec

from esm.core.model import After
from esm.embedded.kinesis_answers import children_of, record_shown, records_read
from esm.embedded.kinesis_consumers import consumer_of
from esm.embedded.kinesis_errors import IN_USE, KinesisApiError, no_consumer, no_stream
from esm.embedded.kinesis_read import Start, place, shard_of
from esm.embedded.kinesis_streams import Account
from esm.payloads.kinesis import KinesisRecord
from esm.sources.memory import KinesisStream
from esm.sources.memory_consumer import KinesisConsumer

LIFE_MS = 300_000
TAKE_OVER_MS = 5_000
# Ours: AWS sends events without records too, and does not say how often. A client's 60 seconds of
# patience with a silent connection must not run out.
HEARTBEAT_MS = 5_000
# Ours: an event of records of any size then fits into one message of the event stream.
EVENT_RECORDS = 1_000


class Pushed(msgspec.Struct, frozen=True):
    """One SubscribeToShardEvent; at the end of a closed shard it has children and no number."""

    records: Sequence[KinesisRecord]
    continuation: str | None
    millis_behind: int
    children: Sequence[Mapping[str, Any]]

    def shown(self) -> dict[str, Any]:
        """The event as botocore gives it."""
        return {"Records": list(map(record_shown, self.records))} | self._beside_records()

    def json(self) -> bytes:
        """The event as the wire has it, data as it was put."""
        return msgspec.json.encode({"Records": records_read(self.records)} | self._beside_records())

    def _beside_records(self) -> dict[str, Any]:
        end = {"ChildShards": list(self.children)}
        onward = {"ContinuationSequenceNumber": self.continuation}
        return (end if self.continuation is None else onward | end) | {
            "MillisBehindLatest": self.millis_behind
        }


class Subscription:
    """What one SubscribeToShard gives; at most one of its methods runs at a time.

    `on_put` is called, by any thread, when there may be something to do. `is_over`: five minutes
    have passed, or the shard was read to its end.
    """

    def __init__(
        self,
        owner: Subscriptions,
        consumer: KinesisConsumer,
        shard_id: str,
        start: After,
        now_ms: int,
        on_put: Callable[[], None],
    ) -> None:
        self.key = (consumer.arn, shard_id)
        self.consumer = consumer
        self.began_ms = now_ms
        self.is_over = False
        self.is_superseded = False
        self.on_put = on_put
        self._owner = owner
        self._shard_id = shard_id
        self._place = start
        self._told_ms: int | None = None
        self._reader = consumer.open_whole(shard_id, on_put)

    def next_event(self, now_ms: int) -> Pushed | None:
        """What is to be sent now; None when it is nothing.

        Raises KinesisApiError, to be sent as the last event, when the stream or the consumer is
        gone or another subscription has taken over.
        """
        if self.is_over:
            return None
        self._check_that_it_goes_on()
        if now_ms >= self.began_ms + LIFE_MS:
            self.close()
            return None
        read = self._reader.read(self._place, EVENT_RECORDS, now_ms)
        records = cast("Sequence[KinesisRecord]", read.records)
        if read.end_of_shard:
            self.close()
            children = children_of(self.consumer.stream, self._shard_id)
            return Pushed(records, None, read.millis_behind, children)
        if not records and self._told_ms is not None and now_ms < self._told_ms + HEARTBEAT_MS:
            return None
        if records:
            self._place = After(records[-1].position)
        self._told_ms = now_ms
        return Pushed(records, str(self._place.position), read.millis_behind, ())

    def ready_ms(self, now_ms: int) -> int:
        """When to ask again at the latest, if `on_put` does not call before."""
        if self._told_ms is None or self.is_over or self.is_superseded:
            return now_ms
        instants = [self.began_ms + LIFE_MS, self._told_ms + HEARTBEAT_MS]
        pushed_ms = self._reader.ready_ms(self._place, now_ms)
        return max(now_ms, min(instants if pushed_ms is None else [*instants, pushed_ms]))

    def close(self) -> None:
        """Free the place: the connection is gone, or there is nothing more to send."""
        self.is_over = True
        self._owner.forget(self)

    def _check_that_it_goes_on(self) -> None:
        stream = self.consumer.stream
        error: KinesisApiError | None = None
        if self.is_superseded:
            error = KinesisApiError(
                IN_USE, f"Another active subscription exists for this consumer: {self.key[0]}"
            )
        elif not self._owner.account.has(stream):
            error = no_stream(stream.name, stream.account)
        elif self.consumer not in stream.consumers:
            error = no_consumer(self.consumer.arn, stream.account)
        if error is not None:
            self.close()
            raise error


class Subscriptions:
    """Those of one account that are open: one for each consumer and shard."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._open: dict[tuple[str, str], Subscription] = {}
        self._lock = Lock()

    def subscribe(
        self,
        stream: KinesisStream,
        params: Mapping[str, Any],
        now_ms: int,
        on_put: Callable[[], None],
    ) -> Subscription:
        """A new subscription; it takes over from one that is five seconds old.

        One whose connection is known to be gone is not in the way; on AWS it is for five seconds.
        """
        consumer = consumer_of(stream, params["ConsumerARN"])
        shard = shard_of(stream, params["ShardId"])
        position = params["StartingPosition"]
        start = Start(
            position["Type"],
            position.get("SequenceNumber"),
            position.get("Timestamp"),
            "startingPosition.sequenceNumber",
            "SubscribeToShard",
        )
        # A continuation must be a number that the shard could have given.
        first = int(shard.starting_sequence_number)
        at = After(max(first, place(stream, shard, start, now_ms).position))
        with self._lock:
            older = self._open.get((consumer.arn, shard.shard_id))
            if older is not None and now_ms < older.began_ms + TAKE_OVER_MS:
                raise KinesisApiError(
                    IN_USE, f"Another active subscription exists for this consumer: {consumer.arn}"
                )
            new = Subscription(self, consumer, shard.shard_id, at, now_ms, on_put)
            self._open[new.key] = new
        if older is not None:
            older.is_superseded = True
            older.on_put()
        return new

    def forget(self, subscription: Subscription) -> None:
        """Free its place, if it still has it."""
        with self._lock:
            if self._open.get(subscription.key) is subscription:
                del self._open[subscription.key]
