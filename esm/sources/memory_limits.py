"""Kinesis' limits per shard, for streams made with `limits=True`.

https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
AWS does not publish how it counts a second; ours starts with the first call after the last one.
"""

from __future__ import annotations

from esm.errors import EndpointError

SECOND_MS = 1_000
WRITE_BYTES_PER_SECOND = 1024 * 1024
WRITE_RECORDS_PER_SECOND = 1_000
READ_BYTES_PER_SECOND = 2 * 1024 * 1024
READ_CALLS_PER_SECOND = 5
PUSH_BYTES_PER_SECOND = 2 * 1024 * 1024


class ThroughputExceeded(EndpointError):
    """E510: a shard's write limit; AWS answers ProvisionedThroughputExceededException."""


class Quota:
    """So many calls and bytes a second; whoever takes more at once waits until it is paid for.

    `refused` counts the calls that came too early.
    """

    __slots__ = ("_bytes", "_bytes_per_second", "_calls", "_calls_per_second", "_paid_ms",
                 "_second_ms", "refused")  # fmt: skip

    def __init__(self, calls_per_second: int, bytes_per_second: int) -> None:
        self._calls_per_second = calls_per_second
        self._bytes_per_second = bytes_per_second
        self._second_ms = self._paid_ms = -SECOND_MS
        self._calls = self._bytes = 0
        self.refused = 0

    def admits(self, size: int, now_ms: int) -> bool:
        """Whether a call of `size` bytes may be made now; if not, it is refused."""
        if self._allows(size, now_ms):
            return True
        self.refused += 1
        return False

    def _allows(self, size: int, now_ms: int) -> bool:
        if now_ms < self._paid_ms:
            return False
        if not self._second_ms <= now_ms < self._second_ms + SECOND_MS:
            return True
        fits = not self._bytes or self._bytes + size <= self._bytes_per_second
        return fits and self._calls < self._calls_per_second

    def take(self, size: int, now_ms: int) -> None:
        """Count a call that was made."""
        if not self._second_ms <= now_ms < self._second_ms + SECOND_MS:
            self._second_ms, self._calls, self._bytes = now_ms, 0, 0
        self._calls += 1
        self._bytes += size
        if self._bytes > self._bytes_per_second:
            # After a read of 10 MiB, at 2 MiB a second, the next five seconds are throttled.
            self._paid_ms = now_ms + self._bytes * SECOND_MS // self._bytes_per_second


def write_quota() -> Quota:
    """What a shard takes in."""
    return Quota(WRITE_RECORDS_PER_SECOND, WRITE_BYTES_PER_SECOND)


def read_quota() -> Quota:
    """What a shard gives to all its shared readers together."""
    return Quota(READ_CALLS_PER_SECOND, READ_BYTES_PER_SECOND)
