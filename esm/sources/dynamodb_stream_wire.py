"""What DynamoDB Streams' GetRecords answers, read off the wire.

A record is Lambda's but for eventSourceARN and the case of userIdentity's keys: its `dynamodb`
part stays the JSON that it is, and B values the base64 that Lambda shows.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from esm.payloads.dynamodb import DynamoDbRecord, UserIdentity, weighed_record
from esm.sources.kinesis_wire import Metadata, SequenceNumbers

_BODY = "EsmBody"
_START = 100  # bytes

_json_text = msgspec.json.encode


class WireRecord(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A record of an answer; the `dynamodb` part is not looked into."""

    event_id: str = msgspec.field(name="eventID")
    event_name: str
    dynamodb: msgspec.Raw
    user_identity: dict[str, str] | None = None


class WireAnswer(msgspec.Struct, frozen=True, gc=False, rename="pascal"):
    """An answer of GetRecords; `next_shard_iterator` is missing at the end of a shard."""

    records: list[WireRecord]
    next_shard_iterator: str | None = None


class WireShard(msgspec.Struct, rename="pascal"):
    """A shard as DescribeStream gives it; a child has one parent."""

    shard_id: str
    sequence_number_range: SequenceNumbers
    parent_shard_id: str | None = None

    @property
    def parent_ids(self) -> tuple[str, ...]:
        """Its parent, if it has one."""
        return (self.parent_shard_id,) if self.parent_shard_id else ()

    @property
    def is_closed(self) -> bool:
        """Whether it will get no more records."""
        return self.sequence_number_range.ending_sequence_number is not None


class Description(msgspec.Struct, rename="pascal"):
    """What we need of DescribeStream's description."""

    shards: list[WireShard]
    creation_request_date_time: datetime | None = None
    last_evaluated_shard_id: str | None = None


class StreamAnswer(msgspec.Struct, rename="pascal"):
    """An answer of DescribeStream."""

    stream_description: Description
    response_metadata: Metadata


class _Part(msgspec.Struct, gc=False, rename="pascal"):
    approximate_creation_date_time: float
    keys: msgspec.Raw
    sequence_number: str


_ANSWER = msgspec.json.Decoder(WireAnswer)
_PART = msgspec.json.Decoder(_Part)
_KEYS = msgspec.json.Decoder(dict[str, dict[str, str]])
_VALUE = b":{"  # once in a key of one attribute


def keep_body(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """A `before-parse` hook: the body of an answer is ours, botocore parses an empty one."""
    if response_dict["status_code"] == 200:
        customized_response_dict[_BODY] = response_dict["body"]
        response_dict["body"] = b"{}"


def kept_body(answer: dict[str, Any]) -> bytes:
    """The body that the hook has put into botocore's answer; none where there was no answer."""
    body: bytes = answer.get(_BODY, b"")
    return body


def read_answer(body: bytes) -> WireAnswer:
    """The answer in a body; raises one of UNREADABLE for anything else."""
    return _ANSWER.decode(_compact(body))


def read_records(answer: WireAnswer, shard_id: str) -> list[DynamoDbRecord]:
    """The records of an answer; raises likewise for one that is none."""
    return [_record(each, shard_id) for each in answer.records]


def _compact(body: bytes) -> bytes:
    """The body as AWS writes it: what other servers pad or escape would weigh more than it does."""
    # Who pads does so from the start; one byte is found far faster than two.
    if b'": ' in body[:_START] or (b"\\" in body and b"\\u" in body):
        return _json_text(msgspec.json.decode(body))
    return body


def _record(wire: WireRecord, shard_id: str) -> DynamoDbRecord:
    part = _PART.decode(wire.dynamodb)
    arrived_ms = int(part.approximate_creation_date_time) * 1000
    return weighed_record(
        bytes(wire.dynamodb),
        key=_key(part.keys),
        sequence_number=part.sequence_number,
        arrived_ms=arrived_ms,
        event_name=wire.event_name,
        event_id=wire.event_id,
        shard_id=shard_id,
        ordinal=0,
        written_ms=arrived_ms,
        user_identity=_identity(wire.user_identity) if wire.user_identity else None,
    )


def _identity(given: dict[str, str]) -> UserIdentity:
    """The API writes names in capitals, Lambda and some servers do not."""
    named = {name.lower(): value for name, value in given.items()}
    return UserIdentity(named["type"], named["principalid"])


def _key(keys: msgspec.Raw) -> str:
    """The canonical JSON of an item's keys: as they came, but names in order."""
    text = bytes(keys)
    if text.count(_VALUE) > 1:
        text = _json_text(_KEYS.decode(text), order="sorted")
    return text.decode()
