"""Reads one shard of a Kinesis data stream behind an endpoint.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from esm.core.messages import PollFailed, RecordsArrived
from esm.core.model import After, Position, TrimHorizon
from esm.payloads.kinesis import KinesisRecord
from esm.sources.kinesis_wire import WireAnswer, WireShard, count_aggregates, records_of
from esm.sources.live_calls import EXPIRED_ITERATOR, NOT_FOUND, CallFailed
from esm.sources.live_resuming import Resuming

# "You can specify up to 10,000."
_LIMIT = 10_000
# How often an iterator is tried whose answers are broken; a server may have forgotten it.
_BROKEN_ANSWERS = 2
# How often in a row a closed shard must end in a way that could be half an answer.
_DOUBTFUL_ENDS = 3
# What a place is refused with that the shard does not have any more, or a shard that is gone.
_NO_SUCH_PLACE = frozenset({NOT_FOUND, "InvalidArgumentException", "ValidationException"})


class Stream(Protocol):
    """What a reader needs of its source; all of it raises CallFailed."""

    @property
    def retention_ms(self) -> int | None:
        """How long the stream keeps a record."""

    def get_records(self, iterator: str, limit: int) -> WireAnswer:
        """One GetRecords."""

    def shard_iterator(self, shard_id: str, position: Position) -> str:
        """One GetShardIterator."""

    def shard(self, shard_id: str) -> WireShard | None:
        """A shard as it is listed now; None when it is gone."""


class KinesisReader:
    """A `ShardReader`, for one thread at a time. `_iterator` None: a new one has to be taken.

    `_broken` counts the broken answers to an iterator, `_doubtful` the ends that nothing proved.
    `_was_refused`: an iterator was, and not for its age; the stream may be another one by now.
    All that arrived before `_read_up_to_ms` has been read; None: nobody knows.
    """

    __slots__ = ("_broken", "_doubtful", "_iterator", "_read_up_to_ms", "_resuming", "_shard_id",
                 "_stream", "_was_refused")  # fmt: skip

    def __init__(self, stream: Stream, shard_id: str, iterator: str | None) -> None:
        self._stream = stream
        self._shard_id = shard_id
        self._iterator = iterator
        self._resuming: Resuming | None = None
        self._broken = 0
        self._doubtful = 0
        self._read_up_to_ms: int | None = None
        self._was_refused = False

    @property
    def must_poll(self) -> bool:
        """Nobody tells when there is something."""
        return True

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        """At once: only a read shows what there is."""
        return now_ms

    def idle_until(self, instant_ms: int) -> None:
        """No poll is skipped."""

    def close(self) -> None:
        """There is nothing to let go of."""

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        """One GetRecords, with the kept iterator or a new one; blocks, and never raises."""
        try:
            if self._iterator is None and not self._take_iterator(position):
                # The shard is past retention, whatever was still in it.
                return RecordsArrived((), end_of_shard=True, trimmed=True)
            return self._get_records(min(limit, _LIMIT), now_ms)
        except CallFailed as failed:
            self._note(failed)
            return failed.poll_failed

    def _take_iterator(self, position: Position) -> bool:
        """Whether there is one: not when the shard is gone."""
        if self._was_refused:
            self._stream.shard(self._shard_id)  # raises where the stream is another one
            self._was_refused = False
        try:
            self._iterator = self._stream.shard_iterator(self._shard_id, position)
        except CallFailed as failed:
            if failed.code not in _NO_SUCH_PLACE:
                raise
            if self._stream.shard(self._shard_id) is None:
                return False
            if not isinstance(position, After):
                raise
            # The record is gone, and this server does not take its number for a place any more.
            self._iterator = self._stream.shard_iterator(self._shard_id, TrimHorizon())
        self._resuming = Resuming(position)
        return True

    def _get_records(self, limit: int, now_ms: int) -> RecordsArrived:
        assert self._iterator is not None
        answer = self._stream.get_records(self._iterator, limit)
        records = records_of(answer, self._shard_id)
        is_end = not answer.next_shard_iterator and self._is_end(answer)
        millis_behind = answer.millis_behind_latest or 0
        at_tip = is_end or millis_behind == 0
        kept, trimmed = self._resumed(records, at_tip=at_tip, now_ms=now_ms)
        self._iterator = answer.next_shard_iterator or None
        if self._iterator is None and not (kept or is_end):
            raise CallFailed("HTTP 200 without a next iterator, and no end of the shard")
        self._broken = self._doubtful = 0
        self._read_up_to_ms = now_ms - millis_behind
        aggregates = count_aggregates(kept)
        return RecordsArrived(kept, millis_behind, is_end, aggregates=aggregates, trimmed=trimmed)

    def _resumed(
        self, records: Sequence[KinesisRecord], *, at_tip: bool, now_ms: int
    ) -> tuple[Sequence[KinesisRecord], bool]:
        """The records behind the place that was asked for, and whether others may be lost."""
        resuming = self._resuming
        if resuming is None:
            return records, False
        trimmed = resuming.misses(records, at_tip=at_tip) and not self._has_read_all(now_ms)
        kept = resuming.cut(records)
        if resuming.is_over:
            self._resuming = None
        return kept, trimmed

    def _has_read_all(self, now_ms: int) -> bool:
        """Whether all that can be past retention by now was read before."""
        retention_ms, read_up_to_ms = self._stream.retention_ms, self._read_up_to_ms
        if retention_ms is None or read_up_to_ms is None:
            return False
        return now_ms - read_up_to_ms < retention_ms

    def _is_end(self, answer: WireAnswer) -> bool:
        """Whether an answer without a next iterator ends the shard; not every one does.

        Children prove it. Without them the stream must list the shard as closed, and an answer that
        does not say that nothing is left behind it must come again, from new iterators.
        """
        if answer.child_shards:
            return True
        shard = self._stream.shard(self._shard_id)
        if shard is None or not shard.is_closed:
            return False
        self._doubtful += 1
        return answer.millis_behind_latest == 0 or self._doubtful >= _DOUBTFUL_ENDS

    def _note(self, failed: CallFailed) -> None:
        """Give up an iterator that is refused, or whose answers are broken again and again."""
        if failed.is_throttled or not failed.status:
            return
        self._broken += 1
        is_refused = 400 <= failed.status < 500
        if self._iterator is not None and is_refused:
            self._was_refused = failed.code != EXPIRED_ITERATOR
        if is_refused or self._broken >= _BROKEN_ANSWERS:
            self._iterator = None
            self._broken = 0
