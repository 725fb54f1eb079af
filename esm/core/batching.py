"""Which lane a record goes to, and when and how many of a lane's records make a batch.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from zlib import crc32

from esm.core.model import Envelope, Policy, Record


def lane_of(key: str, parallelization_factor: int) -> int:
    """The lane of a key: the same for the same key, in every process.

    AWS publishes only that a key sticks to its lane, not the hash. Ours is crc32.
    """
    return crc32(key.encode()) % parallelization_factor


def payload_bytes(records: Sequence[Record], envelope: Envelope) -> int:
    """UTF-8 bytes of the event in compact JSON, for one record or more."""
    sizes = sum([r.size for r in records])
    return envelope.event_bytes + envelope.record_bytes * len(records) + sizes


def take(buffer: Sequence[Record], policy: Policy, envelope: Envelope) -> int:
    """How many records from the front of a non-empty buffer make the next batch.

    At most BatchSize, and no more than fit the payload limit; a first record that exceeds the
    limit alone is a batch of its own, for the machine to discard.
    """
    count = min(len(buffer), policy.batch_size)
    if payload_bytes(buffer[:count], envelope) <= policy.payload_limit_bytes:
        return count
    room = policy.payload_limit_bytes - envelope.event_bytes
    filled = list(accumulate(r.size + envelope.record_bytes for r in buffer[:count]))
    return max(1, bisect_right(filled, room))


def is_full(buffer: Sequence[Record], policy: Policy, envelope: Envelope) -> bool:
    """Whether a batch is due whatever the window says: BatchSize reached, or 6 MB exceeded."""
    if len(buffer) >= policy.batch_size:
        return True
    return payload_bytes(buffer, envelope) > policy.payload_limit_bytes


def is_too_large(record: Record, policy: Policy, envelope: Envelope) -> bool:
    """Whether a record alone exceeds the payload limit, so that it can never be invoked."""
    return payload_bytes([record], envelope) > policy.payload_limit_bytes


def window_due_ms(window_start_ms: int, now_ms: int, window_ms: int) -> int:
    """When a batching window closes over records that came into an empty buffer now.

    A window that ends empty starts anew at once, so a record waits between nothing and the whole
    window; one that is read just as the window ends goes with it.
    """
    windows = max(1, -(-(now_ms - window_start_ms) // window_ms))
    return window_start_ms + windows * window_ms
