"""Real time for the loop, which can be woken: whatever happens elsewhere is posted here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from esm.clock import SystemClock

Posted = Callable[[], None]
"""What the loop is to do about something that has happened."""

_LONGEST_WAIT_MS = 3_600_000  # a lock waits no longer than a few centuries; an hour will do


class LiveClock(SystemClock):
    """The machine's time. `post` may be called from any thread, and from a signal's handler."""

    __slots__ = ("_first", "_posted", "_quiet")

    def __init__(self) -> None:
        super().__init__()
        self._posted: SimpleQueue[Posted] = SimpleQueue()
        self._first: Posted | None = None
        self._quiet: deque[Posted] = deque()

    def post(self, posted: Posted) -> None:
        """Have something done in the loop's thread, soon."""
        self._posted.put(posted)

    def post_quietly(self, posted: Posted) -> None:
        """Have something done that is in no hurry: whenever the loop is awake anyway."""
        self._quiet.append(posted)

    def wait_until(self, instant_ms: int) -> None:
        """Return at an instant, or as soon as something has been posted, or now and then."""
        if self._first is not None:
            return
        left_ms = min(instant_ms - self.now_ms(), _LONGEST_WAIT_MS)
        try:
            self._first = self._posted.get(timeout=left_ms / 1000) if left_ms > 0 else None
        except Empty:
            return

    def take_posted(self) -> None:
        """Do what has been posted until now."""
        first, self._first = self._first, None
        if first is not None:
            first()
        for _ in range(self._posted.qsize()):
            self._posted.get()()
        for _ in range(len(self._quiet)):
            self._quiet.popleft()()
