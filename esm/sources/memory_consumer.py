"""An enhanced fan-out consumer of the in-memory stream: records are pushed, aggregates unpacked.

Each consumer has a throughput of its own. That its subscription to a shard lasts five minutes and
is renewed cannot be seen from outside.
https://docs.aws.amazon.com/streams/latest/dev/enhanced-consumers.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, assert_never, cast

from esm.core.messages import RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position, Shard, TrimHorizon
from esm.errors import InputError
from esm.payloads.kinesis import KinesisRecord
from esm.payloads.kpl import UserRecord
from esm.sources.memory_aggregates import Unpacked
from esm.sources.memory_limits import PUSH_BYTES_PER_SECOND, SECOND_MS
from esm.sources.memory_shard import MemoryShard, StreamShard

if TYPE_CHECKING:
    from esm.sources.memory import KinesisStream

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
CONSUMERS_MAX = 20
NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")


class Consumers:
    """The registered consumers of one stream, by name, in order of their registration."""

    def __init__(
        self, stream: KinesisStream, find_shard: Callable[[str], MemoryShard], delay_ms: int
    ) -> None:
        self.by_name: dict[str, KinesisConsumer] = {}
        self._stream = stream
        self._find_shard = find_shard
        self._delay_ms = delay_ms
        self._unpacked = Unpacked(find_shard)

    def register(self, name: str, created_ms: int) -> KinesisConsumer:
        """A new consumer."""
        if not NAME.fullmatch(name):
            raise InputError(
                "E433",
                f"{name!r} is not a consumer name",
                fix="1 to 128 letters, digits, dots, dashes and underscores",
            )
        if len(self.by_name) == CONSUMERS_MAX:
            raise InputError(
                "E434",
                f"{self._stream.name} has {CONSUMERS_MAX} consumers already",
                why="AWS registers no more with a provisioned stream",
                fix="a mapping that reads the stream itself",
            )
        consumer = KinesisConsumer(
            self._stream, name, created_ms, self._delay_ms, self._find_shard, self._unpacked
        )
        self.by_name[name] = consumer
        return consumer


class KinesisConsumer:
    """A consumer: a `Source` whose records reach a mapping `delay_ms` after they arrive.

    What the Kinesis Producer Library has packed into one record are several here: with keys, data
    and ordinals of their own, and the sequence number of the aggregate.
    """

    def __init__(
        self,
        stream: KinesisStream,
        name: str,
        created_ms: int,
        delay_ms: int,
        find_shard: Callable[[str], MemoryShard],
        unpacked: Unpacked,
    ) -> None:
        self.stream = stream
        self.name = name
        self.created_ms = created_ms
        self.delay_ms = delay_ms
        self.tags: dict[str, str] = {}
        self._find_shard = find_shard
        self._unpacked = unpacked

    def __repr__(self) -> str:
        return f"<KinesisConsumer {self.name} of {self.stream.name}>"

    @property
    def arn(self) -> str:
        """The stream's ARN, and behind it the name and the second of the registration."""
        return f"{self.stream.arn}/consumer/{self.name}:{self.created_ms // 1000}"

    @property
    def retention_ms(self) -> int:
        """How long the stream keeps a record."""
        return self.stream.retention_ms

    @property
    def shards(self) -> list[StreamShard]:
        """The stream's shards."""
        return self.stream.shards

    @property
    def records(self) -> list[KinesisRecord]:
        """Every record ever put, those of aggregates one by one, by ordinal; a fresh list."""
        return self._see().of(self.stream.records)

    @property
    def strays(self) -> list[UserRecord]:
        """Parts of aggregates whose keys belong to other shards: AWS drops them in silence."""
        return list(self._see().strays)

    @property
    def record_count(self) -> int:
        """How many records were ever put, those of aggregates one by one."""
        return self.stream.record_count + self._see().surplus

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """The stream's shards, parents first."""
        return self.stream.list_shards(now_ms, since_ms)

    def pin(self, shard_id: str, position: Position, now_ms: int) -> After:
        """The fixed place that a position means in a shard now."""
        return self.stream.pin(shard_id, position, now_ms)

    def pin_latest(self, shard_id: str, now_ms: int) -> After:
        """Behind the newest record that has arrived in the stream, pushed or not."""
        return self.stream.pin_latest(shard_id, now_ms)

    def beginning(self, shard_id: str) -> After:
        """Before the first record that the shard ever had."""
        return self.stream.beginning(shard_id)

    def count_after(self, shard_id: str, place: After) -> int:
        """How many records were put behind a place, those past retention too."""
        shard = self._find_shard(shard_id)
        with shard.lock:
            behind = cast("list[KinesisRecord]", shard.records[shard.index_after(place.position) :])
        return len(self._see().of(behind))

    def whole_before(self, shard_id: str, position: int) -> int | None:
        """The position itself; within an aggregate that of the record before it.

        A checkpoint says a sequence number, and the parts of an aggregate have one together.
        """
        shard = self._find_shard(shard_id)
        with shard.lock:
            index = shard.index_after(position)
            return shard.records[index - 1].position if index else None

    def sequence_number_of(self, position: int) -> str:
        """Of whole records: their positions are sequence numbers."""
        return str(position)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> PushReader:
        """A subscription; it is told of puts for as long as somebody holds it."""
        return PushReader(self, self._find_shard(shard_id), self._see, on_put)

    def open_whole(self, shard_id: str, on_put: Callable[[], None]) -> PushReader:
        """A subscription as the API has it: aggregates stay as they are."""
        nothing = Unpacked(self._find_shard)
        return PushReader(self, self._find_shard(shard_id), lambda: nothing, on_put)

    def _see(self) -> Unpacked:
        self._unpacked.add(self.stream.aggregates)
        return self._unpacked


class PushReader:
    """A `ShardReader` that knows when records are pushed. `_index`: the next one to come.

    Aggregates come whole, so that every read ends with a sequence number.
    """

    __slots__ = ("__weakref__", "_consumer", "_free_ms", "_index", "_on_put", "_see", "_shard")

    def __init__(
        self,
        consumer: KinesisConsumer,
        shard: MemoryShard,
        see: Callable[[], Unpacked],
        on_put: Callable[[], None],
    ) -> None:
        self._consumer = consumer
        self._shard = shard
        self._see = see
        self._on_put = on_put
        self._index: int | None = None
        self._free_ms = 0  # until then all throughput is used
        shard.watch(self)

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived:
        """What has been pushed until now, up to `limit` records or one aggregate."""
        shard, delay_ms = self._shard, self._consumer.delay_ms
        with shard.lock:
            shard.see(now_ms - delay_ms)
            start, horizon = self._next(position, now_ms), shard.trimmed(now_ms)
            lost, start = self._records(start, horizon), max(start, horizon)
            pushed = shard.arrived(now_ms - delay_ms) if now_ms >= self._free_ms else start
            end = self._end(start, pushed, limit, now_ms)
            records = self._records(start, end)
            behind_ms = now_ms - shard.records[end].arrived_ms if end < pushed else 0
            self._index = end
            is_last = end == len(shard.records) and self._end_is_known(now_ms)
        unpacked = self._see()
        return RecordsArrived(
            unpacked.of(records),
            max(behind_ms, int(end < pushed)),
            is_last,
            unpacked.of(lost),
            strays=unpacked.strays_in(records),
        )

    @property
    def must_poll(self) -> bool:
        """Nobody polls."""
        return False

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        """When the next records, or the news of the shard's end, will have been pushed."""
        shard, delay_ms = self._shard, self._consumer.delay_ms
        with shard.lock:
            start, horizon = self._next(position, now_ms), shard.trimmed(now_ms)
            if start < horizon:
                return now_ms
            if start < len(shard.records):
                return max(shard.records[start].arrived_ms + delay_ms, self._free_ms)
            return None if shard.closed_ms is None else shard.closed_ms + delay_ms

    def idle_until(self, instant_ms: int) -> None:
        """A subscription renews itself."""

    def close(self) -> None:
        """There is no thread behind it."""

    def notify(self) -> None:
        """Something was put, or the shard was closed."""
        self._on_put()

    def revoke(self) -> None:
        """A subscription has no iterator that could expire."""

    def _next(self, position: Position, now_ms: int) -> int:
        """The index to go on from; at first the one that the position means."""
        if self._index is None:
            self._index = self._index_of(position, now_ms)
        return self._index

    def _index_of(self, position: Position, now_ms: int) -> int:
        shard = self._shard
        match position:
            case After():
                return shard.index_after(position.position)
            case Latest():
                return shard.arrived(now_ms)
            case TrimHorizon():
                return shard.trimmed(now_ms)
            case AtTimestamp():
                return max(shard.trimmed(now_ms), shard.index_at(position.timestamp_ms))
            case _:
                assert_never(position)

    def _end(self, start: int, pushed: int, limit: int, now_ms: int) -> int:
        """The index behind what one read gives; its bytes use up throughput, if that is limited."""
        shard = self._shard
        is_limited = shard.reads is not None
        most_bytes = PUSH_BYTES_PER_SECOND if is_limited else shard.rules.read_bytes
        end = shard.cut(start, min(pushed, start + shard.rules.read_records), most_bytes)
        if start < end:
            end = start + self._see().fitting(self._records(start, end), limit)
            if is_limited:
                size = shard.weight(start, end)
                self._free_ms = now_ms + size * SECOND_MS // PUSH_BYTES_PER_SECOND
        return end

    def _records(self, start: int, end: int) -> list[KinesisRecord]:
        return cast("list[KinesisRecord]", self._shard.records[start:end])

    def _end_is_known(self, now_ms: int) -> bool:
        closed_ms = self._shard.closed_ms
        return closed_ms is not None and now_ms >= closed_ms + self._consumer.delay_ms
