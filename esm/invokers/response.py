"""From what a handler returns to what Lambda's caller gets: JSON, there and back.

The rules are those of Lambda's runtime interface client (awslambdaric's marshaller): Decimal is a
number, bytes inside the response are text, a response that is bytes is the body itself.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

# "Invocation payload (request and response): 6 MB each for synchronous"; Lambda's own error names
# this number. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
RESPONSE_LIMIT_BYTES = 6_291_556


class NotSerialisable(Exception):
    """The handler returned what is not JSON."""


class ResponseTooLarge(Exception):
    """The handler returned more than Lambda passes on."""

    def __init__(self, size: int) -> None:
        super().__init__(
            "Response payload size exceeded maximum allowed payload size"
            f" ({RESPONSE_LIMIT_BYTES} bytes): it has {size} bytes"
        )


class HandlerIsAsync(Exception):
    """The handler returned a coroutine, which Lambda does not await."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is async: Lambda does not await what a handler returns."
            " Let the handler be a plain function that calls asyncio.run(...)"
        )


def round_trip(response: object) -> Any:
    """What the caller parses: tuples are lists, keys are text. Raises what Lambda would refuse."""
    body = response if isinstance(response, bytes) else _encode(response)
    if len(body) > RESPONSE_LIMIT_BYTES:
        raise ResponseTooLarge(len(body))
    return _decode(body) if body else None


def _encode(response: object) -> bytes:
    try:
        return _ENCODER.encode(response).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NotSerialisable(f"Unable to marshal response: {error}") from error


def _decode(body: bytes) -> Any:
    """The parsed body; one that is no JSON is a string to whoever reads it."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _default(value: object) -> object:
    """What the encoder does not know: the runtime's client knows two more types."""
    if isinstance(value, Decimal):
        # It writes a Decimal's own digits; read back, they are an int or a float.
        digits = str(value)
        return int(digits) if digits.lstrip("-").isdigit() else float(digits)
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


# No NaN or Infinity: the client would write them, and no caller could read them.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_default)
