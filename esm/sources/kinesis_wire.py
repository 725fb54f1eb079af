"""What Kinesis answers on the wire, decoded without botocore's parser where every record counts.

botocore signs, sends and reads errors; the body of a GetRecords that succeeded is ours. Whatever is
not as expected is left to botocore's parser.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from esm.core.model import AtTimestamp
from esm.instants import to_ms
from esm.payloads.kinesis import KinesisRecord, weighed_record
from esm.payloads.kpl import AGGREGATE_BASE64
from esm.sources.live_calls import NO_ANSWER, UNREADABLE, CallFailed

INCARNATION_HEADER = "x-esm-incarnation"
GET_RECORDS = "before-parse.kinesis.GetRecords"
_OURS = "EsmAnswer"


class WireRecord(msgspec.Struct, gc=False, rename="pascal"):
    """A record as GetRecords gives it; `approximate_arrival_timestamp` in epoch seconds."""

    sequence_number: str
    approximate_arrival_timestamp: float
    data: str
    partition_key: str


class WireAnswer(msgspec.Struct, rename="pascal"):
    """An answer of GetRecords; `server` is its header x-esm-incarnation."""

    records: list[WireRecord]
    next_shard_iterator: str | None = None
    millis_behind_latest: int | None = None
    child_shards: list[dict[str, Any]] | None = None
    server: str | None = None


class SequenceNumbers(msgspec.Struct, rename="pascal"):
    """The range of a shard's sequence numbers, which ends when the shard is closed."""

    ending_sequence_number: str | None = None


class HashKeys(msgspec.Struct, rename="pascal"):
    """The range of a shard's hash keys, both ends inclusive."""

    starting_hash_key: str
    ending_hash_key: str

    @property
    def ends(self) -> tuple[int, int]:
        """The first and the last as numbers."""
        return int(self.starting_hash_key), int(self.ending_hash_key)


class WireShard(msgspec.Struct, rename="pascal"):
    """A shard as ListShards gives it."""

    shard_id: str
    sequence_number_range: SequenceNumbers
    hash_key_range: HashKeys | None = None
    parent_shard_id: str | None = None
    adjacent_parent_shard_id: str | None = None

    @property
    def parent_ids(self) -> tuple[str, ...]:
        """Those that were split or merged into it."""
        parents = (self.parent_shard_id, self.adjacent_parent_shard_id)
        return tuple(parent for parent in parents if parent)

    @property
    def is_closed(self) -> bool:
        """Whether it will get no more records."""
        return self.sequence_number_range.ending_sequence_number is not None


class Metadata(msgspec.Struct):
    """What HTTP said beside the answer; names in lower case."""

    headers: dict[str, str] = msgspec.field(name="HTTPHeaders")

    @property
    def date_ms(self) -> int | None:
        """What the server's clock said, in whole seconds; None when it said nothing of the kind."""
        try:
            date = parsedate_to_datetime(self.headers.get("date", ""))
        except ValueError:
            return None
        return to_ms(date if date.tzinfo else date.replace(tzinfo=UTC))

    def pin(self, now_ms: int, *, near: bool) -> AtTimestamp:
        """The instant of an answer, by the clock that arrivals are told by: that of the server."""
        date_ms = None if near else self.date_ms  # near, both clocks are one
        return AtTimestamp(now_ms if date_ms is None else date_ms)

    @property
    def server(self) -> str | None:
        """Which start of an embedded server it was."""
        return self.headers.get(INCARNATION_HEADER)


class ShardsPage(msgspec.Struct, rename="pascal"):
    """An answer of ListShards."""

    shards: list[WireShard]
    response_metadata: Metadata
    next_token: str | None = None


class IteratorAnswer(msgspec.Struct, rename="pascal"):
    """An answer of GetShardIterator."""

    shard_iterator: str
    response_metadata: Metadata


class StreamSummary(msgspec.Struct, rename="pascal"):
    """What we need of DescribeStreamSummary's description."""

    stream_status: str
    retention_period_hours: int
    stream_creation_timestamp: datetime


class SummaryAnswer(msgspec.Struct, rename="pascal"):
    """An answer of DescribeStreamSummary."""

    stream_description_summary: StreamSummary
    response_metadata: Metadata


wire_answer = msgspec.json.Decoder(WireAnswer).decode
"""A body as an answer. Raises msgspec.DecodeError."""


def keep_answer(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """The `before-parse` hook of GetRecords: the answer travels in botocore's own, call by call."""
    if response_dict["status_code"] != 200:
        return
    try:
        answer = wire_answer(response_dict["body"])
    except UNREADABLE:
        return  # botocore's parser has its turn
    answer.server = response_dict["headers"].get(INCARNATION_HEADER)
    customized_response_dict[_OURS] = answer
    response_dict["body"] = b"{}"


def answer_of(response: dict[str, Any]) -> WireAnswer:
    """The answer that the hook has kept, else one made of what botocore has read.

    botocore makes `{}` of much that is no answer at all: without Records it is none.
    """
    kept = response.get(_OURS)
    if kept is not None:
        assert isinstance(kept, WireAnswer)
        return kept
    try:
        records = [_again(record) for record in response["Records"]]
        return msgspec.convert(response | {"Records": records}, WireAnswer, from_attributes=True)
    except UNREADABLE as error:
        raise CallFailed(NO_ANSWER, status=200) from error


def records_of(answer: WireAnswer, shard_id: str) -> list[KinesisRecord]:
    """Its records. Raises CallFailed where a sequence number is none."""
    try:
        return [
            weighed_record(
                r.sequence_number,
                int(r.sequence_number),
                r.partition_key,
                int(r.approximate_arrival_timestamp * 1000 + 0.5),
                r.data,
                shard_id,
                0,
            )
            for r in answer.records
        ]
    except (ValueError, OverflowError) as error:
        raise CallFailed(f"a record that is none: {error}", status=200) from error


def count_aggregates(records: Sequence[KinesisRecord]) -> int:
    """How many of them begin as a producer's aggregates do."""
    return len([record for record in records if record.base64.startswith(AGGREGATE_BASE64)])


def _again(record: dict[str, Any]) -> WireRecord:
    """A record that botocore has read, as it was on the wire."""
    return WireRecord(
        record["SequenceNumber"],
        record["ApproximateArrivalTimestamp"].timestamp(),
        binascii.b2a_base64(record["Data"], newline=False).decode("ascii"),
        record["PartitionKey"],
    )
