"""Reads one shard of a DynamoDB stream behind an endpoint.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from esm.core.messages import PollFailed, RecordsArrived
from esm.core.model import After, AtTimestamp, Latest, Position
from esm.payloads.dynamodb import DynamoDbRecord
from esm.sources.dynamodb_changes import ITEM_BYTES_MAX, STREAM_RULES
from esm.sources.dynamodb_stream_wire import WireShard, read_answer, read_records
from esm.sources.live_calls import NOT_FOUND, UNREADABLE, CallFailed

_HORIZON = {"ShardIteratorType": "TRIM_HORIZON"}
_TRIMMED = "TrimmedDataAccessException"
# Numbers have at least so many digits; what boto3 sends it refuses with fewer.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
_SEQUENCE_DIGITS_MIN = 21

# A page with less than this has left nothing behind: a read ends before a record that does not fit
# into a mebibyte, and a record has up to two images.
_FULL_BYTES = STREAM_RULES.read_bytes - 2 * ITEM_BYTES_MAX
# So many pages of records that are too old go into one read.
_PAGES_MAX = 20
_SECOND_MS = 1_000


class _Page(NamedTuple):
    """A read; `has_more`: another one at once may bring more; `is_end`: none will."""

    records: list[DynamoDbRecord]
    has_more: bool = False
    is_end: bool = False


_END = _Page([], is_end=True)


class TableStream(Protocol):
    """What a reader needs of its source; all of it raises CallFailed."""

    def shard_iterator(self, shard_id: str, **place: str) -> str:
        """One GetShardIterator."""

    def get_records(self, iterator: str, limit: int) -> bytes:
        """The body of one GetRecords."""

    def shard(self, shard_id: str) -> WireShard | None:
        """A shard as it is listed now; None when it is gone."""


class DynamoDbStreamReader:
    """A `ShardReader`, for one thread at a time. `_iterator` None: a new one has to be taken.

    The API says nothing of what lies behind a page. One with the most records, or so many bytes
    that the next record may not have fitted, is taken for behind; any other for all there was.
    """

    __slots__ = ("_iterator", "_shard_id", "_stream", "_too_old", "_trimmed")

    def __init__(self, stream: TableStream, shard_id: str, iterator: str | None) -> None:
        self._stream = stream
        self._shard_id = shard_id
        self._iterator = iterator
        self._too_old: str | None = None  # the last number before the instant to begin with
        self._trimmed = False  # since the last read that came to something

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        """One GetRecords; more only while every record is too old. Never raises."""
        try:
            return self._read(position, min(limit, STREAM_RULES.read_records), now_ms)
        except CallFailed as failed:
            if 400 <= failed.status < 500 and not failed.is_throttled:
                self._iterator = None
            return failed.poll_failed

    @property
    def must_poll(self) -> bool:
        """Nobody tells when there is something."""
        return True

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        """At once: only a read can tell."""
        return now_ms

    def idle_until(self, instant_ms: int) -> None:
        """No poll is skipped."""

    def close(self) -> None:
        """An iterator is let go of by not using it."""

    def _read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived:
        since_ms = 0
        if isinstance(position, AtTimestamp):
            # Records say their second and no more: those of the one that is meant are taken.
            since_ms = position.timestamp_ms // _SECOND_MS * _SECOND_MS
        page = self._page(position, limit)
        records = self._since(since_ms, page.records)
        for _ in range(_PAGES_MAX):
            if records or not page.has_more:
                break
            page = self._page(position, limit)
            records = self._since(since_ms, page.records)
        trimmed, self._trimmed = self._trimmed, False
        behind_ms = max(1, now_ms - page.records[-1].arrived_ms) if page.has_more else 0
        return RecordsArrived(records, behind_ms, page.is_end, trimmed=trimmed)

    def _since(self, since_ms: int, read: list[DynamoDbRecord]) -> list[DynamoDbRecord]:
        """Those that are not too old."""
        records = [record for record in read if record.arrived_ms >= since_ms]
        if read and not records:
            self._too_old = read[-1].sequence_number
        return records

    def _page(self, position: Position, limit: int) -> _Page:
        try:
            body = self._ask(position, limit)
        except CallFailed as failed:
            if failed.code != NOT_FOUND or self._stream.shard(self._shard_id) is not None:
                raise
            # The shard is past retention, whatever was still in it.
            self._trimmed = True
            return _END
        try:
            answer = read_answer(body)
            records = read_records(answer, self._shard_id)
        except UNREADABLE as error:
            text = f"HTTP 200, and a body that is no answer: {error}"
            raise CallFailed(text, status=200) from error
        if not answer.next_shard_iterator and not records:
            self._check_end()
            return _END
        self._iterator = answer.next_shard_iterator or None
        is_full = len(records) >= limit or len(body) >= _FULL_BYTES
        return _Page(records, bool(records) and (is_full or self._iterator is None))

    def _ask(self, position: Position, limit: int) -> bytes:
        try:
            return self._get(self._place(position), limit)
        except CallFailed as failed:
            if failed.code != _TRIMMED:
                raise
            self._iterator, self._trimmed = None, True
            return self._get(_HORIZON, limit)

    def _get(self, place: dict[str, str], limit: int) -> bytes:
        if self._iterator is None:
            self._iterator = self._stream.shard_iterator(self._shard_id, **place)
        return self._stream.get_records(self._iterator, limit)

    def _place(self, position: Position) -> dict[str, str]:
        """Where to read on, in the words of GetShardIterator; there is no instant among them."""
        match position:
            case _ if self._trimmed:
                return _HORIZON
            case After():
                return _after(sequence_number_of(position.position))
            case AtTimestamp() if self._too_old is not None:
                return _after(self._too_old)
            case Latest():
                return {"ShardIteratorType": "LATEST"}
        return _HORIZON

    def _check_end(self) -> None:
        """No iterator and no records: the end, if the stream says too that the shard is closed."""
        shard = self._stream.shard(self._shard_id)
        if shard is not None and not shard.is_closed:
            raise CallFailed("HTTP 200 without an iterator, and no end of the shard", status=200)


def sequence_number_of(position: int) -> str:
    """A position as DynamoDB writes it."""
    return str(position).zfill(_SEQUENCE_DIGITS_MIN)


def _after(number: str) -> dict[str, str]:
    return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}
