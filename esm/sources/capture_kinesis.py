"""Captured records of Kinesis: as a function sees them, and as GetRecords gives them."""

from __future__ import annotations

import binascii
from collections.abc import Iterator
from typing import ClassVar, Literal

import msgspec

from esm.payloads.kinesis import KinesisRecord, make_record
from esm.sources.capture_decoding import check_sequence_number, decode, instant_ms
from esm.sources.capture_places import JsonPath
from esm.sources.capture_text import Wrong

UNKNOWN_SHARD = "shardId-000000000000"


class CapturedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as a capture has it; the stream's particulars are None where it does not say."""

    service: ClassVar[str] = "kinesis"

    shard_id: str
    sequence_number: str
    key: str
    arrived_ms: int
    base64: str
    event_source_arn: str | None = None
    region: str | None = None
    role_arn: str | None = None

    @property
    def content(self) -> object:
        """What is the same in every capture of this record."""
        return self.key, self.base64

    def record(self, ordinal: int) -> KinesisRecord:
        """The record, as a source gives it."""
        return make_record(
            position=int(self.sequence_number),
            key=self.key,
            arrived_ms=self.arrived_ms,
            base64=self.base64,
            shard_id=self.shard_id,
            ordinal=ordinal,
        )


class _Kinesis(msgspec.Struct, gc=False, rename="camel"):
    partition_key: str
    sequence_number: str
    data: str
    approximate_arrival_timestamp: float


class _EventRecord(msgspec.Struct, gc=False, rename="camel"):
    kinesis: _Kinesis
    event_id: str = msgspec.field(name="eventID")
    event_source_arn: str = msgspec.field(name="eventSourceARN")
    event_source: Literal["aws:kinesis"]
    aws_region: str | None = None
    invoke_identity_arn: str | None = None


class _Event(msgspec.Struct, gc=False, rename="pascal"):
    records: list[_EventRecord]


class _OutputRecord(msgspec.Struct, gc=False, rename="pascal"):
    sequence_number: str
    approximate_arrival_timestamp: float | str
    data: str
    partition_key: str


class _Output(msgspec.Struct, gc=False, rename="pascal"):
    records: list[_OutputRecord]


_EVENT = msgspec.json.Decoder(_Event)
_EVENT_RECORD = msgspec.json.Decoder(_EventRecord)
_OUTPUT = msgspec.json.Decoder(_Output)
_OUTPUT_RECORD = msgspec.json.Decoder(_OutputRecord)


def event_record(data: bytes) -> CapturedRecord:
    """One record of an event."""
    return _of_event(decode(_EVENT_RECORD, data), ())


def event_records(data: bytes) -> Iterator[CapturedRecord]:
    """Those of an event."""
    for index, event in enumerate(decode(_EVENT, data).records):
        yield _of_event(event, ("Records", index))


def output_record(data: bytes) -> CapturedRecord:
    """One record of what GetRecords has answered."""
    return _of_output(decode(_OUTPUT_RECORD, data), ())


def output_records(data: bytes) -> Iterator[CapturedRecord]:
    """Those of an answer of GetRecords."""
    for index, output in enumerate(decode(_OUTPUT, data).records):
        yield _of_output(output, ("Records", index))


def _of_event(record: _EventRecord, path: JsonPath) -> CapturedRecord:
    kinesis = record.kinesis
    shard_id, _, sequence_number = record.event_id.rpartition(":")
    if not shard_id or sequence_number != kinesis.sequence_number:
        raise Wrong(
            "E424",
            "eventID must be the shard's id, a colon and the sequence number",
            (*path, "eventID"),
        )
    inner = (*path, "kinesis")
    check_sequence_number(sequence_number, (*inner, "sequenceNumber"))
    _check_base64(kinesis.data, (*inner, "data"))
    return CapturedRecord(
        shard_id,
        sequence_number,
        kinesis.partition_key,
        instant_ms(kinesis.approximate_arrival_timestamp, (*inner, "approximateArrivalTimestamp")),
        kinesis.data,
        record.event_source_arn,
        record.aws_region,
        record.invoke_identity_arn,
    )


def _of_output(record: _OutputRecord, path: JsonPath) -> CapturedRecord:
    check_sequence_number(record.sequence_number, (*path, "SequenceNumber"))
    _check_base64(record.data, (*path, "Data"))
    arrived = record.approximate_arrival_timestamp
    return CapturedRecord(
        UNKNOWN_SHARD,
        record.sequence_number,
        record.partition_key,
        instant_ms(arrived, (*path, "ApproximateArrivalTimestamp")),
        record.data,
    )


def _check_base64(data: str, path: JsonPath) -> None:
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError as error:
        raise Wrong("E424", f"the data is not base64: {error}", path) from None
