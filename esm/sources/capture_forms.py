"""The forms in which captured Kinesis records come, told apart by their keys.

- an event as the function saw it, or one record of it;
- the answer of `aws kinesis get-records`, or one record of it; it does not say which shard it read;
- an object from an S3 on-failure destination, with the event as text under `payload`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Literal, TypeVar

import msgspec

from esm.errors import NotEmulated
from esm.instants import parse_instant
from esm.sources.capture_places import JsonPath
from esm.sources.capture_text import Document, Wrong
from esm.sources.capture_words import in_words

UNKNOWN_SHARD = "shardId-000000000000"

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html
_SEQUENCE_NUMBER = re.compile(r"0|[1-9]\d{0,128}")
_LAST_INSTANT_MS = 253_402_300_799_999  # the end of the year 9999
_PATH = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_EXPECTED = "a Lambda event, `aws kinesis get-records` output, or an on-failure object from S3"

T = TypeVar("T")


class CapturedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as a capture has it; the stream's particulars are None where it does not say."""

    shard_id: str
    sequence_number: str
    key: str
    arrived_ms: int
    base64: str
    event_source_arn: str | None = None
    region: str | None = None
    role_arn: str | None = None


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


_ABSENT = msgspec.Raw()


class _Shape(msgspec.Struct, rename="camel"):
    """The keys that tell one form from another; an absent one is empty."""

    records: msgspec.Raw = msgspec.field(name="Records", default=_ABSENT)
    data: msgspec.Raw = msgspec.field(name="Data", default=_ABSENT)
    batch_info: msgspec.Raw = msgspec.field(name="KinesisBatchInfo", default=_ABSENT)
    table_batch_info: msgspec.Raw = msgspec.field(name="DDBStreamBatchInfo", default=_ABSENT)
    topic_batch_info: msgspec.Raw = msgspec.field(name="KafkaBatchInfo", default=_ABSENT)
    detail_type: msgspec.Raw = msgspec.field(name="detail-type", default=_ABSENT)
    sns_source: object = msgspec.field(name="EventSource", default=None)
    event_source: object = None
    kinesis: msgspec.Raw = _ABSENT
    dynamodb: msgspec.Raw = _ABSENT
    payload: msgspec.Raw = _ABSENT
    request_context: msgspec.Raw = _ABSENT
    http_method: msgspec.Raw = _ABSENT
    awslogs: msgspec.Raw = _ABSENT
    delivery_stream_arn: msgspec.Raw = _ABSENT


_SHAPE = msgspec.json.Decoder(_Shape)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_EVENT = msgspec.json.Decoder(_Event)
_EVENT_RECORD = msgspec.json.Decoder(_EventRecord)
_OUTPUT = msgspec.json.Decoder(_Output)
_OUTPUT_RECORD = msgspec.json.Decoder(_OutputRecord)

_OTHER_SOURCES = {
    "aws:sqs": "an SQS event",
    "aws:sns": "an SNS event",
    "aws:s3": "an S3 event",
    "aws:ses": "an SES event",
    "aws:mq": "an Amazon MQ event",
    "aws:rmq": "an Amazon MQ event",
    "aws:docdb": "a DocumentDB event",
}
_LATER_SOURCES = {
    "aws:dynamodb": "DynamoDB",
    "aws:kafka": "Kafka",
    "SelfManagedKafka": "Kafka",
}


def read_records(document: Document) -> Iterator[CapturedRecord]:
    """The records of a document, in its order; raises InputError or NotEmulated."""
    try:
        yield from _read(document.data)
    except Wrong as wrong:
        raise document.error(wrong) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise document.syntax_error(error) from None
    except _Later as later:
        raise NotEmulated(
            "E290",
            f"this is a capture of {later.source}: only Kinesis can be replayed yet",
            place=document.place(),
            why="not emulated: on AWS a mapping reads it",
        ) from None


class _Later(Exception):
    """A form whose source is not built yet."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.source = source


def _read(data: bytes) -> Iterator[CapturedRecord]:
    shape = _decode(_SHAPE, data)
    if shape.batch_info:
        yield from _read_payload(shape.payload)
    elif shape.kinesis:
        yield _of_event(_decode(_EVENT_RECORD, data), ())
    elif shape.data:
        yield _of_output(_decode(_OUTPUT_RECORD, data), ())
    elif shape.records:
        yield from _read_list(data, shape.records)
    else:
        _refuse(shape)


def _read_list(data: bytes, records: msgspec.Raw) -> Iterator[CapturedRecord]:
    items = _decode(_ITEMS, records, ("Records",))
    if not items:
        return
    first = _decode(_SHAPE, items[0], ("Records", 0))
    if first.kinesis:
        for index, event in enumerate(_decode(_EVENT, data).records):
            yield _of_event(event, ("Records", index))
    elif first.data:
        for index, output in enumerate(_decode(_OUTPUT, data).records):
            yield _of_output(output, ("Records", index))
    else:
        _refuse(first, ("Records", 0))


def _read_payload(payload: msgspec.Raw) -> Iterator[CapturedRecord]:
    if not payload:
        raise Wrong(
            "E423",
            "this invocation record has no payload, and so no records",
            why="AWS sends the event to S3 only; SQS and SNS get where it was in the stream",
        )
    event = _decode(_TEXT, payload, ("payload",))
    try:
        yield from _read(event.encode())
    except Wrong as wrong:
        within = f"in its payload, at {_path_text(wrong.path)}: {wrong.message}"
        raise Wrong(wrong.code, within, ("payload",), why=wrong.why, fix=wrong.fix) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Wrong("E422", f"its payload is not JSON: {error}", ("payload",)) from None


def _refuse(shape: _Shape, path: JsonPath = ()) -> None:
    """Say what it is that is no capture of a Kinesis stream."""
    source = str(shape.event_source or shape.sns_source)
    if shape.dynamodb or shape.table_batch_info:
        source = "aws:dynamodb"
    if shape.topic_batch_info:
        source = "aws:kafka"
    if source in _LATER_SOURCES:
        raise _Later(_LATER_SOURCES[source])
    what = _OTHER_SOURCES.get(source) or _name_of(shape)
    raise Wrong("E423", f"{what} is no capture of a stream", path, why=f"expected {_EXPECTED}")


def _name_of(shape: _Shape) -> str:
    if shape.http_method or shape.request_context:
        return "an API Gateway event"
    if shape.detail_type:
        return "an EventBridge event"
    if shape.awslogs:
        return "a CloudWatch Logs event"
    return "a Firehose event" if shape.delivery_stream_arn else "this"


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
    _check_sequence_number(sequence_number, (*inner, "sequenceNumber"))
    _check_base64(kinesis.data, (*inner, "data"))
    return CapturedRecord(
        shard_id,
        sequence_number,
        kinesis.partition_key,
        _instant(kinesis.approximate_arrival_timestamp, (*inner, "approximateArrivalTimestamp")),
        kinesis.data,
        record.event_source_arn,
        record.aws_region,
        record.invoke_identity_arn,
    )


def _of_output(record: _OutputRecord, path: JsonPath) -> CapturedRecord:
    _check_sequence_number(record.sequence_number, (*path, "SequenceNumber"))
    _check_base64(record.data, (*path, "Data"))
    arrived = record.approximate_arrival_timestamp
    return CapturedRecord(
        UNKNOWN_SHARD,
        record.sequence_number,
        record.partition_key,
        _instant(arrived, (*path, "ApproximateArrivalTimestamp")),
        record.data,
    )


def _check_sequence_number(value: str, path: JsonPath) -> None:
    if not _SEQUENCE_NUMBER.fullmatch(value):
        raise Wrong("E424", "a sequence number is decimal digits without leading zeros", path)


def _check_base64(data: str, path: JsonPath) -> None:
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError as error:
        raise Wrong("E424", f"the data is not base64: {error}", path) from None


def _instant(value: float | str, path: JsonPath) -> int:
    """Epoch milliseconds of epoch seconds, or of ISO-8601 text as the AWS CLI writes it."""
    try:
        arrived_ms = parse_instant(value) if isinstance(value, str) else round(value * 1000)
    except (ValueError, OverflowError):
        arrived_ms = -1
    if not 0 <= arrived_ms <= _LAST_INSTANT_MS:
        raise Wrong(
            "E424", "no instant: write seconds since 1970, or text like 2026-01-31T12:00:00Z", path
        )
    return arrived_ms


def _decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, path: JsonPath = ()) -> T:
    """Decode, and turn a complaint about the shape into what is wrong at which path."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        match = _PATH.match(str(error))
        message, inside = match.groups(default="") if match else (str(error), "")
        where = (*path, *(key or int(index) for key, index in _STEP.findall(inside)))
        is_list = not where and message.endswith("got `array`")
        raise Wrong(
            "E424",
            in_words(message, where),
            where,
            why=f"expected {_EXPECTED}",
            fix="jq -c '.[]' makes a line of each record: JSONL" if is_list else None,
        ) from None


def _path_text(path: JsonPath) -> str:
    steps = (f".{step}" if isinstance(step, str) else f"[{step}]" for step in path)
    return "".join(steps).lstrip(".") or "its start"
