"""What SubscribeToShard may answer with in a script: events one by one, and how it ends."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

from scripted_kinesis import START_MS, Handler, Respond, reset

from esm.embedded.api import ApiError
from esm.embedded.http.event_stream import event, exception, initial_response

Ending = Callable[[Handler], None]
Sent = bytes | Callable[[], bytes]


def record(number: int, data: bytes = b"data", key: str = "key") -> dict[str, Any]:
    """A record with this sequence number, a second after the one before it."""
    return {
        "SequenceNumber": str(number),
        "ApproximateArrivalTimestamp": START_MS / 1000 + number,
        "Data": base64.b64encode(data).decode(),
        "PartitionKey": key,
    }


def pushed(
    *records: int | dict[str, Any],
    behind_ms: int = 0,
    continuation: int | None = None,
    children: Iterable[str] = (),
) -> bytes:
    """An event; it goes on behind its last record, if nothing else is said."""
    all_records = [record(each) if isinstance(each, int) else each for each in records]
    members: dict[str, Any] = {"Records": all_records, "MillisBehindLatest": behind_ms}
    if continuation is not None:
        members["ContinuationSequenceNumber"] = str(continuation)
    elif all_records:
        members["ContinuationSequenceNumber"] = all_records[-1]["SequenceNumber"]
    if children:
        members["ChildShards"] = [{"ShardId": each, "ParentShards": ["p"]} for each in children]
        members.pop("ContinuationSequenceNumber", None)
    return event("SubscribeToShardEvent", json.dumps(members).encode())


def failing(code: str) -> bytes:
    """An exception as an event."""
    return exception(ApiError(code, "so it is"))


def ends(handler: Handler) -> None:
    """The subscription is over."""
    handler.wfile.write(b"0\r\n\r\n")


def stays_open(handler: Handler) -> None:
    """Nothing more comes until the test is over."""
    handler.server.kinesis.over.wait(10)
    handler.close_connection = True


def breaks(handler: Handler) -> None:
    """The connection ends in the middle of a message."""
    chunk(handler, pushed(99)[:50])
    handler.connection.shutdown(2)
    handler.close_connection = True


def pushes(*sent: Sent, opening: bool = True, ending: Ending = ends) -> Respond:
    """A subscription that brings this."""

    def respond(handler: Handler) -> None:
        more = "".join(f"{k}: {v}\r\n" for k, v in handler.server.kinesis.headers.items())
        handler.wfile.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n"
            b"Transfer-Encoding: chunked\r\n%b\r\n" % more.encode()
        )
        for each in ([initial_response()] if opening else []) + list(sent):
            chunk(handler, each if isinstance(each, bytes) else each())
        ending(handler)

    return respond


def chunk(handler: Handler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))


__all__ = ["breaks", "ends", "failing", "pushed", "pushes", "record", "reset", "stays_open"]
