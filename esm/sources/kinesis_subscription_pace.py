"""When to subscribe to a shard again.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
"""

from __future__ import annotations

from dataclasses import dataclass

from esm.clock import Stopwatch
from esm.core.failure import backoff_ms
from esm.sources.live_calls import CallFailed

IN_USE = "ResourceInUseException"

# For so long AWS may take a subscription that is over for alive.
_OWN_MS = 5_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to subscribe: AWS allows one call a second; the waits after failures are ours.

    `look_ms`: how often the stream's list is looked at for shards that are closed.
    """

    between_ms: int = 1_000
    first_ms: int = 1_000
    cap_ms: int = 30_000
    look_ms: int = 5_000


class Renewals:
    """The subscriptions to one shard, one after the other; `wait_ms`: the pause before the next.

    One that has brought something is renewed without a word, and so is one that only its own
    predecessor is in the way of. Anything else is a failure.
    """

    __slots__ = ("_began", "_failures", "_own", "_pace", "wait_ms")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._began = Stopwatch()
        self._own: Stopwatch | None = None  # since the last one that brought something was over
        self._failures = 0
        self.wait_ms = 0

    def begin(self) -> None:
        """One begins."""
        self._began = Stopwatch()

    def end(self, failed: CallFailed | None, *, brought: bool) -> CallFailed | None:
        """It is over; gives the failure, if it is to be told."""
        pace = self._pace
        if brought:
            self._failures, self._own = 0, Stopwatch()
        if failed is None or (brought and not failed.code):
            self.wait_ms = max(0, pace.between_ms - self._began.elapsed_ms())
            return None
        if not brought and self._is_own(failed):
            self.wait_ms = pace.first_ms
            return None
        self._failures += 1
        self.wait_ms = backoff_ms(self._failures, pace.first_ms, pace.cap_ms)
        return failed

    def _is_own(self, failed: CallFailed) -> bool:
        own = self._own
        return failed.code == IN_USE and own is not None and own.elapsed_ms() < _OWN_MS
