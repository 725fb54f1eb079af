"""The forms in which captured records come, told apart by their keys.

- an event as the function saw it, or one record of it;
- the answer of `aws kinesis get-records` or `aws dynamodbstreams get-records`, or one record of
  it; neither says which shard it read;
- an object from an S3 on-failure destination, with the event as text under `payload`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from esm.errors import NotEmulated
from esm.sources import capture_dynamodb as dynamodb
from esm.sources import capture_kinesis as kinesis
from esm.sources.capture_decoding import EXPECTED, decode
from esm.sources.capture_places import JsonPath
from esm.sources.capture_text import Document, Wrong

Captured = kinesis.CapturedRecord | dynamodb.CapturedChange


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


class _BatchInfo(msgspec.Struct, rename="camel"):
    shard_id: str


_SHAPE = msgspec.json.Decoder(_Shape)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_BATCH_INFO = msgspec.json.Decoder(_BatchInfo)

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
    "aws:kafka": "Kafka",
    "SelfManagedKafka": "Kafka",
}


def read_records(document: Document) -> Iterator[Captured]:
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
            f"this is a capture of {later.source}: only Kinesis and DynamoDB can be replayed yet",
            place=document.place(),
            why="not emulated: on AWS a mapping reads it",
        ) from None


class _Later(Exception):
    """A form whose source is not built yet."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self.source = source


def _read(data: bytes) -> Iterator[Captured]:
    shape = decode(_SHAPE, data)
    if shape.batch_info:
        yield from _read_payload(shape.payload)
    elif shape.table_batch_info:
        yield from _read_changes(shape)
    elif shape.kinesis:
        yield kinesis.event_record(data)
    elif shape.dynamodb:
        yield dynamodb.change(data)
    elif shape.data:
        yield kinesis.output_record(data)
    elif shape.records:
        yield from _read_list(data, shape.records)
    else:
        _refuse(shape)


def _read_list(data: bytes, records: msgspec.Raw) -> Iterator[Captured]:
    items = decode(_ITEMS, records, ("Records",))
    if not items:
        return
    first = decode(_SHAPE, items[0], ("Records", 0))
    if first.kinesis:
        yield from kinesis.event_records(data)
    elif first.dynamodb:
        yield from dynamodb.changes(data)
    elif first.data:
        yield from kinesis.output_records(data)
    else:
        _refuse(first, ("Records", 0))


def _read_changes(shape: _Shape) -> Iterator[Captured]:
    """Only here is told which shard of a table's stream they are of."""
    shard_id = decode(_BATCH_INFO, shape.table_batch_info, ("DDBStreamBatchInfo",)).shard_id
    for record in _read_payload(shape.payload):
        yield msgspec.structs.replace(record, shard_id=shard_id)


def _read_payload(payload: msgspec.Raw) -> Iterator[Captured]:
    if not payload:
        raise Wrong(
            "E423",
            "this invocation record has no payload, and so no records",
            why="AWS sends the event to S3 only; SQS and SNS get where it was in the stream",
        )
    event = decode(_TEXT, payload, ("payload",))
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
    if shape.topic_batch_info:
        source = "aws:kafka"
    if source in _LATER_SOURCES:
        raise _Later(_LATER_SOURCES[source])
    what = _OTHER_SOURCES.get(source) or _name_of(shape)
    raise Wrong("E423", f"{what} is no capture of a stream", path, why=f"expected {EXPECTED}")


def _name_of(shape: _Shape) -> str:
    if shape.http_method or shape.request_context:
        return "an API Gateway event"
    if shape.detail_type:
        return "an EventBridge event"
    if shape.awslogs:
        return "a CloudWatch Logs event"
    return "a Firehose event" if shape.delivery_stream_arn else "this"


def _path_text(path: JsonPath) -> str:
    steps = (f".{step}" if isinstance(step, str) else f"[{step}]" for step in path)
    return "".join(steps).lstrip(".") or "its start"
