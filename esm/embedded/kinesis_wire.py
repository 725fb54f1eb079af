"""The Kinesis API in JSON, as it goes over the wire.

Calls that carry records take a short way, whose answers say the same as those of the long way.
"""

from __future__ import annotations

from esm.embedded.http.messages import as_json
from esm.embedded.http.shapes import parameters
from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.kinesis_fast import answer_fast


def handle_json(api: KinesisApi, operation: str, body: bytes, now_ms: int) -> bytes:
    """Do one call. Raises ApiError where AWS would answer an error."""
    answer = answer_fast(api, operation, body, now_ms)
    return handle_in_full(api, operation, body, now_ms) if answer is None else answer


def handle_in_full(api: KinesisApi, operation: str, body: bytes, now_ms: int) -> bytes:
    """`handle_json` by the long way."""
    return as_json(api.handle(operation, parameters(api.service, operation, body), now_ms))
