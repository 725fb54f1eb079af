"""What SubscribeToShard pushes, read off the wire.

botocore signs and sends, and reads errors; the event stream of a subscription is ours. So data
stays in base64, and a connection can be cut while it is being read.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from zlib import crc32

import msgspec
from botocore.eventstream import EventStreamBuffer, EventStreamMessage, ParserError
from botocore.exceptions import ClientError
from urllib3.exceptions import HTTPError

from esm.core.model import After, AtTimestamp, Latest, Position
from esm.instants import from_ms
from esm.payloads.kinesis import KinesisRecord, weighed_record
from esm.payloads.kpl import PART_BITS, WHOLE
from esm.sources.kinesis_wire import WireRecord
from esm.sources.live_calls import UNREADABLE, CallFailed, failure_of

SUBSCRIBE = "before-parse.kinesis.SubscribeToShard"
_STREAM = "EsmStream"


class PushedEvent(msgspec.Struct, gc=False, rename="pascal"):
    """A SubscribeToShardEvent; with children it is the last one of the shard."""

    records: list[WireRecord]
    millis_behind_latest: int = 0
    continuation_sequence_number: str | None = None
    child_shards: list[dict[str, Any]] | None = None


_decode = msgspec.json.Decoder(PushedEvent).decode


def keep_stream(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """The `before-parse` hook: botocore reads an opening of ours in place of the stream.

    It insists on one, and some servers send none; one that comes is passed over by `events_in`.
    """
    if response_dict["status_code"] == 200:
        customized_response_dict[_STREAM] = response_dict["body"]
        response_dict["body"] = _Opening()


def stream_of(response: dict[str, Any]) -> Any:
    """The stream that the hook has kept: urllib3's response. Raises CallFailed without one."""
    if _STREAM not in response:
        raise CallFailed("an answer that is no subscription", status=200)
    return response[_STREAM]


def events_in(stream: Any) -> Iterator[PushedEvent]:
    """The events as they come, until the server ends the stream. Raises CallFailed."""
    buffer = EventStreamBuffer()
    try:
        for chunk in stream.stream():
            buffer.add_data(chunk)
            for message in buffer:
                event = _event(message)
                if event is not None:
                    yield event
    except ParserError as error:
        raise CallFailed(f"what is pushed is no event stream: {error}") from error
    except (HTTPError, OSError) as error:
        raise CallFailed(f"the subscription broke: {error}") from error


def cut(stream: Any) -> None:
    """End a stream that another thread may be reading."""
    # Without a connection it is over already.
    with suppress(OSError, RuntimeError, ValueError):
        stream.shutdown()


def starting_position(position: Position) -> dict[str, Any]:
    """Where to subscribe. The place after a record begins with it, so that its absence shows."""
    match position:
        case After():
            number = str(position.position >> PART_BITS)
            return {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": number}
        case AtTimestamp():
            return {"Type": "AT_TIMESTAMP", "Timestamp": from_ms(position.timestamp_ms)}
        case Latest():
            return {"Type": "LATEST"}
    return {"Type": "TRIM_HORIZON"}


def records_in(event: PushedEvent, shard_id: str) -> list[KinesisRecord]:
    """An event's records, whole. Raises CallFailed where a sequence number is none."""
    try:
        return [
            weighed_record(
                r.sequence_number,
                int(r.sequence_number) << PART_BITS | WHOLE,
                r.partition_key,
                int(r.approximate_arrival_timestamp * 1000 + 0.5),
                r.data,
                shard_id,
                0,
            )
            for r in event.records
        ]
    except (ValueError, OverflowError) as error:
        raise CallFailed(f"a record that is none: {error}") from error


def _event(message: EventStreamMessage) -> PushedEvent | None:
    kind, headers = message.headers.get(":message-type"), message.headers
    if kind in ("exception", "error"):
        raise failure_of(_exception(message))
    if headers.get(":event-type") != "SubscribeToShardEvent":
        return None
    try:
        return _decode(message.payload)
    except UNREADABLE as error:
        raise CallFailed(f"an event that is none: {error}") from error


def _exception(message: EventStreamMessage) -> ClientError:
    headers, text = message.headers, message.headers.get(":error-message", "")
    with suppress(msgspec.DecodeError):  # the code says enough
        text = msgspec.json.decode(message.payload, type=dict[str, Any]).get("message", text)
    code = headers.get(":exception-type") or headers.get(":error-code") or "InternalFailure"
    answer = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    return ClientError(answer, "SubscribeToShard")


class _Opening:
    """A stream with nothing but what botocore wants to see first."""

    def stream(self) -> Iterator[bytes]:
        """The message."""
        yield _INITIAL_RESPONSE

    def close(self) -> None:
        """There is nothing to let go of."""


def _message(headers: dict[str, str], body: bytes) -> bytes:
    fields = b"".join(
        struct.pack(f">B{len(name)}sBH{len(value)}s", len(name), name.encode(), 7, len(value),
                    value.encode())
        for name, value in headers.items()
    )  # fmt: skip
    prelude = struct.pack(">II", 16 + len(fields) + len(body), len(fields))
    message = prelude + struct.pack(">I", crc32(prelude)) + fields + body
    return message + struct.pack(">I", crc32(message))


_INITIAL_RESPONSE = _message({":message-type": "event", ":event-type": "initial-response"}, b"{}")
