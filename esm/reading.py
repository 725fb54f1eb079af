"""A live source read for its own sake: no mapping, no checkpoint, only the records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from esm.core.failure import backoff_ms
from esm.core.messages import OpenShard, PollFailed, ShardDone, ShardsListed
from esm.core.model import After, Position, Shard
from esm.core.stream import StreamMachine
from esm.lineage import lacks_children
from esm.patience import Wait
from esm.payloads.dynamodb import DynamoDbRecord
from esm.payloads.kinesis import KinesisRecord
from esm.ports import LiveSource, ShardReader, SourceUnavailable

AnyRecord = KinesisRecord | DynamoDbRecord

# A shard gives 5 reads a second to all its readers together, and a mapping may take 4 of them.
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
_EVERY_MS = 1_000
# While there is more to read: a mapping beside it is refused now and then, and asks again.
_BEHIND_EVERY_MS = 250
_LIMIT = 10_000

# A listing may lag behind the end of a shard, and be throttled; of a stream that was turned off
# there are no children.
_LISTINGS = 4
_LIST_AGAIN_MS = (1_000, 8_000)


@dataclass(frozen=True, slots=True)
class Read:
    """What one read of a shard gave: records, or why there are none.

    `trimmed`: what was to come first is past retention.
    """

    shard_id: str
    records: Sequence[AnyRecord] = ()
    problem: str | None = None
    trimmed: bool = False


@dataclass(slots=True, order=True)
class _Opened:
    """A shard that is read, in the order in which the reads are due."""

    due_ms: int
    shard_id: str
    position: Position = field(compare=False)
    reader: ShardReader = field(compare=False)


class Reading:
    """Reads the shards of a source in turn, children behind their parents.

    `only`: the shards that are wanted, all when there are none. `wait` answers False when nobody
    wants more.
    """

    def __init__(
        self,
        source: LiveSource,
        start: Position,
        *,
        only: Collection[str] = (),
        now: Callable[[], int],
        wait: Wait,
    ) -> None:
        self._source = source
        self._only = frozenset(only)
        self._now = now
        self._wait = wait
        self._machine = StreamMachine(start)
        self._due: list[_Opened] = []
        self._places: dict[str, Position] = {}
        self._listing_ms: int | None = None
        """When shards are listed next, while a shard that has ended may have children."""
        self._listings = 0

    def reads(self) -> Iterator[Read]:
        """Read after read, the empty ones too, for ever or until all shards have ended.

        Every place to begin is taken before the first read. Raises SourceUnavailable.
        """
        now_ms = self._now()
        shards = self._wanted(self._source.list_shards(now_ms))
        for shard in shards:
            place = self._source.pin(shard.shard_id, self._machine.start, now_ms)
            self._places[shard.shard_id] = place
        self._open(shards)
        try:
            while (due_ms := self._due_ms()) is not None:
                left_ms = due_ms - self._now()
                if left_ms > 0 and not self._wait(left_ms / 1000):
                    return
                if due_ms == self._listing_ms:
                    self._list()
                else:
                    yield self._read(heappop(self._due))
        finally:
            for opened in self._due:
                opened.reader.close()

    def _due_ms(self) -> int | None:
        """When there is something to do next, if there is; at one instant, a listing goes first."""
        due = [opened.due_ms for opened in self._due[:1]]
        return min(due if self._listing_ms is None else [*due, self._listing_ms], default=None)

    def _list(self) -> None:
        """List shards; again a few times where that fails, or while children are to come."""
        self._listings += 1
        self._listing_ms = None
        may_list_again = self._listings < _LISTINGS
        try:
            shards = self._source.list_shards(self._now())
        except SourceUnavailable as error:
            if error.fatal or not may_list_again:
                raise
        else:
            self._open(self._wanted(shards))
            # Shards that are wanted by name were all listed at first.
            if self._only or not lacks_children(self._machine.done, shards):
                return
        if may_list_again:
            self._listing_ms = self._now() + backoff_ms(self._listings, *_LIST_AGAIN_MS)

    def _open(self, shards: Sequence[Shard]) -> None:
        now_ms = self._now()
        for command in self._machine.handle(ShardsListed(shards)):
            assert isinstance(command, OpenShard)
            place = self._places.pop(command.shard_id, command.position)
            reader = self._source.open(command.shard_id, lambda: None)
            heappush(self._due, _Opened(now_ms, command.shard_id, place, reader))

    def _wanted(self, shards: Sequence[Shard]) -> list[Shard]:
        return [each for each in shards if not self._only or each.shard_id in self._only]

    def _read(self, opened: _Opened) -> Read:
        """One read, and what is to be done about the shard next."""
        answer = opened.reader.read(opened.position, _LIMIT, self._now())
        if isinstance(answer, PollFailed):
            self._again(opened, _EVERY_MS)
            return Read(opened.shard_id, problem=answer.error or str(answer.reason))
        records: Sequence[AnyRecord] = answer.records  # type: ignore[assignment]
        if records:
            opened.position = After(records[-1].position)
        if answer.end_of_shard:
            self._end(opened)
        else:
            self._again(opened, _BEHIND_EVERY_MS if answer.millis_behind else _EVERY_MS)
        return Read(opened.shard_id, records, trimmed=answer.trimmed)

    def _again(self, opened: _Opened, after_ms: int) -> None:
        opened.due_ms = self._now() + after_ms
        heappush(self._due, opened)

    def _end(self, opened: _Opened) -> None:
        """Its children are looked for once its last records have been taken."""
        opened.reader.close()
        self._machine.handle(ShardDone(opened.shard_id))
        self._listing_ms, self._listings = self._now(), 0
