"""Stops handlers that feed the streams which they read, within one instant of virtual time."""

from __future__ import annotations

from esm.errors import RunError

# A loop that multiplies its records would otherwise go on until the memory is full.
MOST_INVOCATIONS_AT_ONE_INSTANT = 100_000


class Feedback:
    """Knows which streams are fed by handlers of which, and counts invocations while they are."""

    __slots__ = ("_count", "_feeds", "_instant_ms")

    def __init__(self) -> None:
        self._feeds: dict[str, set[str]] = {}
        self._instant_ms = -1
        self._count = 0

    def put(self, reader_of: str, into: str, now_ms: int) -> None:
        """A handler that reads one stream has put into another, or into the same."""
        self._feeds.setdefault(reader_of, set()).add(into)
        if self._instant_ms != now_ms:
            self._instant_ms, self._count = now_ms, 0

    def invoked(self, mapping: str, stream: str, now_ms: int) -> None:
        """A mapping is about to be invoked. Raises E701 when a loop has gone on for too long."""
        if self._instant_ms != now_ms:
            return
        self._count += 1
        if self._count <= MOST_INVOCATIONS_AT_ONE_INSTANT:
            return
        loop = self._loop_through(stream)
        if not loop:
            self._count = 0  # much to do, but it comes to an end
            return
        raise RunError(
            "E701",
            f"{mapping}: more than {MOST_INVOCATIONS_AT_ONE_INSTANT:,} invocations within one "
            f"instant, while handlers feed the streams that they read: {' → '.join(loop)}",
            why="every round makes more records, and no time passes",
            fix="write to another stream, or stop after a number of rounds",
        )

    def _loop_through(self, stream: str) -> list[str]:
        """A way from the stream back to itself; empty when there is none."""
        ways = [[stream]]
        seen: set[str] = set()
        while ways:
            way = ways.pop(0)
            for fed in sorted(self._feeds.get(way[-1], ())):
                if fed == stream:
                    return [*way, fed]
                if fed not in seen:
                    seen.add(fed)
                    ways.append([*way, fed])
        return []
