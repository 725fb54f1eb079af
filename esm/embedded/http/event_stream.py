"""Messages of AWS's event streams, as SubscribeToShard answers with them.

A message has its length, that of its headers, their checksum, headers, a body and a checksum of
all. https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
from zlib import crc32

from esm.embedded.api import ApiError
from esm.embedded.http.messages import as_json

CONTENT_TYPE = b"application/vnd.amazon.eventstream"

_STRING = 7
_PRELUDE = struct.Struct(">II")
_CHECKSUM = struct.Struct(">I")
_JSON = "application/json"


def event(kind: str, body: bytes) -> bytes:
    """An event of this kind with its JSON."""
    return _message({":event-type": kind, ":content-type": _JSON, ":message-type": "event"}, body)


def initial_response() -> bytes:
    """The answer of the operation itself, which comes before the first event."""
    return event("initial-response", b"{}")


def exception(error: ApiError) -> bytes:
    """An error after which nothing comes."""
    headers = {
        ":exception-type": error.code,
        ":content-type": _JSON,
        ":message-type": "exception",
    }
    return _message(headers, as_json({"message": error.message, **error.more}))


def _message(headers: dict[str, str], body: bytes) -> bytes:
    fields = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    total = _PRELUDE.size + _CHECKSUM.size + len(fields) + len(body) + _CHECKSUM.size
    prelude = _PRELUDE.pack(total, len(fields))
    message = b"".join((prelude, _CHECKSUM.pack(crc32(prelude)), fields, body))
    return message + _CHECKSUM.pack(crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack(f">B{len(name)}sBH", len(name), name, _STRING, len(value)) + value
