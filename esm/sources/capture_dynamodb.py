"""Captured records of DynamoDB Streams: as a function sees them, and as GetRecords gives them.

Both say `dynamodb` what has happened. GetRecords leaves out which stream it has read, writes
instants as text, and userIdentity with capitals. Neither says which shard it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from esm.errors import InvalidValue
from esm.payloads.attribute_values import checked
from esm.payloads.dynamodb import DynamoDbRecord, UserIdentity, make_record
from esm.sources.capture_decoding import EXPECTED, check_sequence_number, decode, instant_ms
from esm.sources.capture_places import JsonPath
from esm.sources.capture_text import Wrong
from esm.sources.dynamodb_changes import EventName, View

UNKNOWN_SHARD = "shardId-00000000000000000000-00000000"
_IMAGES = ("Keys", "NewImage", "OldImage")
_SOURCE = "aws:dynamodb"


class CapturedChange(msgspec.Struct, frozen=True, gc=False):
    """A record as a capture has it; the stream's particulars are None where it does not say."""

    service: ClassVar[str] = "dynamodb"

    shard_id: str
    sequence_number: str
    arrived_ms: int
    event_id: str
    event_name: str
    part: dict[str, Any]
    user_identity: UserIdentity | None = None
    event_source_arn: str | None = None
    region: str | None = None
    role_arn: str | None = None

    @property
    def content(self) -> object:
        """What is the same in every capture of this record."""
        return self.event_name, {name: self.part.get(name) for name in _IMAGES}

    def record(self, ordinal: int) -> DynamoDbRecord:
        """The record, as a source gives it."""
        return make_record(
            self.part,
            event_name=self.event_name,
            event_id=self.event_id,
            shard_id=self.shard_id,
            ordinal=ordinal,
            user_identity=self.user_identity,
        )


class _Part(msgspec.Struct, gc=False, rename="pascal"):
    approximate_creation_date_time: float | str
    keys: dict[str, Any]
    sequence_number: str
    size_bytes: int
    stream_view_type: str
    new_image: dict[str, Any] | None = None
    old_image: dict[str, Any] | None = None


class _Change(msgspec.Struct, gc=False, rename="camel"):
    event_id: str = msgspec.field(name="eventID")
    event_name: str
    dynamodb: _Part
    event_source: str = _SOURCE
    event_source_arn: str | None = msgspec.field(name="eventSourceARN", default=None)
    aws_region: str | None = None
    user_identity: dict[str, str] | None = None


class _Changes(msgspec.Struct, gc=False, rename="pascal"):
    records: list[_Change]


_ONE = msgspec.json.Decoder(_Change)
_MANY = msgspec.json.Decoder(_Changes)


def change(data: bytes) -> CapturedChange:
    """One record of an event, or of what GetRecords has answered."""
    return _captured(decode(_ONE, data), ())


def changes(data: bytes) -> Iterator[CapturedChange]:
    """Those of an event, or of an answer of GetRecords."""
    for index, each in enumerate(decode(_MANY, data).records):
        yield _captured(each, ("Records", index))


def _captured(record: _Change, path: JsonPath) -> CapturedChange:
    _check_word(record.event_source, [_SOURCE], (*path, "eventSource"))
    _check_word(record.event_name, list(EventName), (*path, "eventName"))
    part, inner = record.dynamodb, (*path, "dynamodb")
    _check_word(part.stream_view_type, list(View), (*inner, "StreamViewType"))
    check_sequence_number(part.sequence_number, (*inner, "SequenceNumber"))
    written = part.approximate_creation_date_time
    arrived_ms = instant_ms(written, (*inner, "ApproximateCreationDateTime"))
    images = {"Keys": part.keys, "NewImage": part.new_image, "OldImage": part.old_image}
    return CapturedChange(
        UNKNOWN_SHARD,
        part.sequence_number,
        arrived_ms // 1000 * 1000,
        record.event_id,
        record.event_name,
        {
            "ApproximateCreationDateTime": (
                float(arrived_ms // 1000) if isinstance(written, str) else written
            ),
            **{name: _image(i, (*inner, name)) for name, i in images.items() if i is not None},
            "SequenceNumber": part.sequence_number,
            "SizeBytes": part.size_bytes,
            "StreamViewType": part.stream_view_type,
        },
        _identity(record.user_identity, (*path, "userIdentity")),
        record.event_source_arn,
        record.aws_region,
    )


def _image(attributes: dict[str, Any], path: JsonPath) -> dict[str, Any]:
    try:
        return checked(attributes, str(path[-1]))
    except InvalidValue as error:
        raise Wrong("E424", error.message, path, why=error.why, fix=error.fix) from None


def _identity(given: dict[str, str] | None, path: JsonPath) -> UserIdentity | None:
    if given is None:
        return None
    named = {name.lower(): value for name, value in given.items()}
    if not {"type", "principalid"} <= named.keys():
        raise Wrong("E424", "userIdentity needs a type and a principalId", path)
    return UserIdentity(named["type"], named["principalid"])


def _check_word(word: str, words: list[str], path: JsonPath) -> None:
    if word not in words:
        known = " or ".join(words)
        message = f"{path[-1]} must be {known}, not {word!r}"
        raise Wrong("E424", message, path, why=f"expected {EXPECTED}")
