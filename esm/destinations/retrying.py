"""Deliveries that may succeed later are made again; the others fail for good at once.

AWS does not say how often it tries. The numbers are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from esm.patience import Patience, Wait
from esm.ports import DeliveryFailed, Destination

ATTEMPTS = 8
"""How often a delivery is tried. Ours: with these waits about half a minute, in which a server
restarts; the lane waits as long, and its other lanes and shards do not."""
FIRST_MS = 250
"""The wait after a first failure; doubles with each further one. Ours: a connection that was cut
comes back at once."""
CAP_MS = 10_000
"""The longest wait between two tries. Ours: a server that is back is found within ten seconds."""


class Retrying:
    """A destination that is tried again while that may help."""

    def __init__(
        self,
        destination: Destination,
        *,
        attempts: int = ATTEMPTS,
        first_ms: int = FIRST_MS,
        cap_ms: int = CAP_MS,
        wait: Wait,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`wait` answers False when the run is being stopped; `tell` hears of first failures."""
        self._destination = destination
        self._attempts = attempts
        self._first_ms = first_ms
        self._cap_ms = cap_ms
        self._wait = wait
        self._tell = tell

    def __repr__(self) -> str:
        return f"Retrying({self._destination!r}, attempts={self._attempts})"

    @property
    def arn(self) -> str:
        """That of the destination."""
        return self._destination.arn

    @property
    def wants_payload(self) -> bool:
        """What the destination wants."""
        return self._destination.wants_payload

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Deliver, as often as it takes.

        Raises DeliveryFailed: `fatal` when it is given up, not so when the run is being stopped and
        the next one may still deliver.
        """
        patience = Patience(self._wait, self._attempts, self._first_ms, self._cap_ms)
        while True:
            try:
                self._destination.deliver(key, invocation_record, now_ms)
            except DeliveryFailed as failure:
                if failure.fatal:
                    raise
                patience.fail()
                if patience.failures == 1:
                    self._tell(str(failure))
                if patience.is_over:
                    message = f"{failure} (tried {patience.failures} times)"
                    raise DeliveryFailed(message, fatal=True) from failure
                if not patience.pause():
                    raise
            else:
                return
