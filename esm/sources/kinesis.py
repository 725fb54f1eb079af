"""A Kinesis data stream behind an endpoint, polled with boto3.

https://docs.aws.amazon.com/streams/latest/dev/developing-consumers-with-sdk.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from esm.core.model import AtTimestamp, Latest, Position, Shard, TrimHorizon
from esm.hosts import is_loopback, is_of_aws
from esm.instants import from_ms, to_ms
from esm.ports import SourceUnavailable
from esm.sources.kinesis_reader import KinesisReader
from esm.sources.kinesis_wire import (
    GET_RECORDS,
    IteratorAnswer,
    ShardsPage,
    StreamSummary,
    SummaryAnswer,
    WireAnswer,
    WireShard,
    answer_of,
    keep_answer,
)
from esm.sources.live_calls import CallFailed, call, call_for
from esm.sources.live_clients import guard_parsing
from esm.sources.live_lineage import parents_first

# A stream can be read in these two states.
_READABLE = frozenset({"ACTIVE", "UPDATING"})
_HOUR_MS = 3_600_000


class KinesisSource:
    """A `LiveSource`. All its methods may be called by several threads at once.

    `retention_ms` and `incarnation` are known once it was described.
    """

    def __init__(self, arn: str, client: Any) -> None:
        self.arn = arn
        self.retention_ms: int | None = None
        self.incarnation = ""
        self._server: str | None = None
        self._client = client
        self._near = is_loopback(client.meta.endpoint_url)
        self._address = address_of(arn, client.meta.endpoint_url)
        self._latest: dict[str, str] = {}
        guard_parsing(client)
        client.meta.events.register(GET_RECORDS, keep_answer, unique_id="esm-get-records")

    def __repr__(self) -> str:
        return f"<KinesisSource {self.arn} at {self._client.meta.endpoint_url}>"

    # --- what the run asks -----------------------------------------------------------------------

    def describe(self) -> None:
        """Make sure that the stream can be read. Raises SourceUnavailable."""
        try:
            summary, server = self._summary()
        except CallFailed as failed:
            raise failed.unavailable from failed
        if summary.stream_status not in _READABLE:
            raise SourceUnavailable(
                f"the stream is {summary.stream_status}", fatal=summary.stream_status == "DELETING"
            )
        self.retention_ms = summary.retention_period_hours * _HOUR_MS
        self.incarnation = _incarnation(summary, server)
        self._server = server

    def look_at_retention(self) -> None:
        """See whether somebody has changed how long records are kept; raises SourceUnavailable."""
        try:
            summary, _ = self._summary()
        except CallFailed as failed:
            raise failed.unavailable from failed
        self.retention_ms = summary.retention_period_hours * _HOUR_MS

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        """All shards that the stream lists, parents before children. Raises SourceUnavailable."""
        try:
            return parents_first(self.wire_shards())
        except CallFailed as failed:
            raise failed.unavailable from failed

    def pin(self, shard_id: str, position: Position, now_ms: int) -> Position:
        """LATEST as an instant, and exactly for the reader that is opened next.

        Raises SourceUnavailable.
        """
        if not isinstance(position, Latest):
            return position
        try:
            answer = self._iterator(shard_id, position)
        except CallFailed as failed:
            raise failed.unavailable from failed
        self._latest[shard_id] = answer.shard_iterator
        return answer.response_metadata.pin(now_ms, near=self._near)

    def beginning(self, shard_id: str) -> Position:
        """The oldest record that the stream still has."""
        return TrimHorizon()

    def whole_before(self, shard_id: str, position: int) -> int:
        """The position: each is a sequence number of its own."""
        return position

    def sequence_number_of(self, position: int) -> str:
        """The position is the sequence number as an integer."""
        return str(position)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> KinesisReader:
        """A reader, which is polled: `on_put` is never called."""
        return KinesisReader(self, shard_id, self._latest.pop(shard_id, None))

    # --- what its readers ask --------------------------------------------------------------------

    def get_records(self, iterator: str, limit: int) -> WireAnswer:
        """One GetRecords. Raises CallFailed."""
        response = call(self._client.get_records, ShardIterator=iterator, Limit=limit)
        answer = answer_of(response)
        self.check_server(answer.server)
        return answer

    def shard_iterator(self, shard_id: str, position: Position) -> str:
        """One GetShardIterator; a record's own place begins with that record. Raises CallFailed."""
        return self._iterator(shard_id, position).shard_iterator

    def wire_shards(self) -> list[WireShard]:
        """The shards as they are listed now, page by page. Raises CallFailed."""
        return [shard for page in self._pages() for shard in page.shards]

    def shard(self, shard_id: str) -> WireShard | None:
        """A shard as it is listed now; None when it is gone. Raises CallFailed.

        A stream of the same name that is another one has no say in that.
        """
        if self.incarnation and _incarnation(*self._summary()) != self.incarnation:
            raise CallFailed("the stream was deleted and created again", status=200)
        shards = self.wire_shards()
        if not shards:
            raise CallFailed("the stream lists no shards", status=200)
        return next((shard for shard in shards if shard.shard_id == shard_id), None)

    def check_server(self, server: str | None) -> None:
        """Make sure that an answer is of the server that was described. Raises CallFailed."""
        if server is not None and self._server not in (None, server):
            raise CallFailed("the endpoint was started anew, and its streams with it", status=200)

    # --- inside ----------------------------------------------------------------------------------

    def _summary(self) -> tuple[StreamSummary, str | None]:
        answer = call_for(SummaryAnswer, self._client.describe_stream_summary, **self._address)
        return answer.stream_description_summary, answer.response_metadata.server

    def _pages(self) -> Iterator[ShardsPage]:
        wanted = self._address
        while wanted:
            page = call_for(ShardsPage, self._client.list_shards, **wanted)
            self.check_server(page.response_metadata.server)
            yield page
            # The token names the stream; with another name beside it it is refused.
            wanted = {"NextToken": page.next_token} if page.next_token else {}

    def _iterator(self, shard_id: str, position: Position) -> IteratorAnswer:
        answer = call_for(
            IteratorAnswer,
            self._client.get_shard_iterator,
            ShardId=shard_id,
            **_place(position),
            **self._address,
        )
        self.check_server(answer.response_metadata.server)
        return answer


def address_of(arn: str, endpoint_url: str) -> dict[str, str]:
    """How a stream is named: emulators know streams of their own account only, by name."""
    if is_of_aws(urlsplit(endpoint_url).hostname or ""):
        return {"StreamARN": arn}
    return {"StreamName": arn.rpartition("/")[2]}


def _place(position: Position) -> dict[str, Any]:
    match position:
        case TrimHorizon():
            return {"ShardIteratorType": "TRIM_HORIZON"}
        case Latest():
            return {"ShardIteratorType": "LATEST"}
        case AtTimestamp(timestamp_ms=timestamp_ms):
            return {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": from_ms(timestamp_ms)}
    return {
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "StartingSequenceNumber": str(position.position),
    }


def _incarnation(summary: StreamSummary, server: str | None) -> str:
    created_ms = str(to_ms(summary.stream_creation_timestamp))
    return created_ms if server is None else f"{created_ms}/{server}"
