"""A DynamoDB stream behind an endpoint.

Shards come and go every few hours, and are kept for a day, as their records are; so is a stream
that has been turned off.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from esm.core.model import Latest, Position, Shard, TrimHorizon
from esm.hosts import is_loopback
from esm.instants import to_ms
from esm.sources.dynamodb_changes import RETENTION_MS
from esm.sources.dynamodb_stream_reader import DynamoDbStreamReader, sequence_number_of
from esm.sources.dynamodb_stream_wire import (
    StreamAnswer,
    WireShard,
    keep_body,
    kept_body,
)
from esm.sources.kinesis_wire import INCARNATION_HEADER, IteratorAnswer
from esm.sources.live_calls import CallFailed, call, call_for
from esm.sources.live_clients import guard_parsing
from esm.sources.live_lineage import parents_first

_GET_RECORDS = "before-parse.dynamodb-streams.GetRecords"


class DynamoDbStreamSource:
    """A `LiveSource`. All its methods may be called by several threads at once.

    A position is a sequence number. `incarnation` is known once it was described.
    """

    retention_ms = RETENTION_MS

    def __init__(self, arn: str, client: Any) -> None:
        self.arn = arn
        self.incarnation = ""
        self._server: str | None = None
        self._client = client
        self._near = is_loopback(client.meta.endpoint_url)
        self._latest: dict[str, str] = {}  # iterators that nobody has used yet, by shard
        guard_parsing(client)
        client.meta.events.register(_GET_RECORDS, keep_body, unique_id="esm-get-records")

    def __repr__(self) -> str:
        return f"<DynamoDbStreamSource {self.arn}>"

    # --- what the run asks -----------------------------------------------------------------------

    def describe(self) -> None:
        """Make sure that it is there. Raises SourceUnavailable.

        Whatever its status: one that is disabled can be read for a day.
        """
        try:
            first = self._pages()[0]
        except CallFailed as failed:
            raise failed.unavailable from failed
        self.incarnation, self._server = _incarnation(first), _server(first)

    def look_at_retention(self) -> None:
        """It is always a day."""

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """All shards that the stream lists, parents before children. Raises SourceUnavailable."""
        try:
            return parents_first(_shards(self._pages()))
        except CallFailed as failed:
            raise failed.unavailable from failed

    def pin(self, shard_id: str, position: Position, now_ms: int) -> Position:
        """LATEST as an instant, and exactly for the reader that is opened next.

        Raises SourceUnavailable.
        """
        if not isinstance(position, Latest):
            return position
        try:
            answer = self._iterator(shard_id, ShardIteratorType="LATEST")
        except CallFailed as failed:
            raise failed.unavailable from failed
        self._latest[shard_id] = answer.shard_iterator
        return answer.response_metadata.pin(now_ms, near=self._near)

    def beginning(self, shard_id: str) -> Position:
        """The oldest record: nobody knows what was there before it."""
        return TrimHorizon()

    def whole_before(self, shard_id: str, position: int) -> int:
        """The position: each is a sequence number of its own."""
        return position

    def sequence_number_of(self, position: int) -> str:
        """The sequence number at a position."""
        return sequence_number_of(position)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> DynamoDbStreamReader:
        """A reader; it is to be polled."""
        return DynamoDbStreamReader(self, shard_id, self._latest.pop(shard_id, None))

    # --- what its readers ask --------------------------------------------------------------------

    def shard_iterator(self, shard_id: str, **place: str) -> str:
        """One GetShardIterator. Raises CallFailed."""
        return self._iterator(shard_id, **place).shard_iterator

    def get_records(self, iterator: str, limit: int) -> bytes:
        """The body of one GetRecords. Raises CallFailed."""
        response = call(self._client.get_records, ShardIterator=iterator, Limit=limit)
        server = response["ResponseMetadata"]["HTTPHeaders"].get(INCARNATION_HEADER)
        if server is not None and self._server not in (None, server):
            raise CallFailed("the endpoint was started anew, and its streams with it", status=200)
        return kept_body(response)

    def shard(self, shard_id: str) -> WireShard | None:
        """A shard as it is listed now; None when it is gone. Raises CallFailed.

        A stream of the same ARN that is another one has no say in that.
        """
        pages = self._pages()
        if self.incarnation and _incarnation(pages[0]) != self.incarnation:
            raise CallFailed("the stream was deleted and created again", status=200)
        return next((each for each in _shards(pages) if each.shard_id == shard_id), None)

    # --- inside ----------------------------------------------------------------------------------

    def _iterator(self, shard_id: str, **place: str) -> IteratorAnswer:
        ask = self._client.get_shard_iterator
        return call_for(IteratorAnswer, ask, StreamArn=self.arn, ShardId=shard_id, **place)

    def _pages(self) -> list[StreamAnswer]:
        """The description with all its shards, page by page; there is at least one."""
        ask = self._client.describe_stream
        pages = [call_for(StreamAnswer, ask, StreamArn=self.arn)]
        while last := pages[-1].stream_description.last_evaluated_shard_id:
            page = call_for(StreamAnswer, ask, StreamArn=self.arn, ExclusiveStartShardId=last)
            pages.append(page)
        return pages


def _shards(pages: Sequence[StreamAnswer]) -> list[WireShard]:
    return [shard for page in pages for shard in page.stream_description.shards]


def _server(answer: StreamAnswer) -> str | None:
    return answer.response_metadata.headers.get(INCARNATION_HEADER)


def _incarnation(answer: StreamAnswer) -> str:
    """When the stream was made, and by which embedded AWS."""
    made = answer.stream_description.creation_request_date_time
    return "/".join(filter(None, ("" if made is None else str(to_ms(made)), _server(answer))))
