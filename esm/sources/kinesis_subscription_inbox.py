"""What was pushed and waits to be read; one thread puts, others take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Condition

from esm.core.messages import PollFailed, RecordsArrived
from esm.payloads.kinesis import KinesisRecord
from esm.payloads.kpl import WHOLE

# No more is taken in while so much waits.
WAITING_RECORDS = 10_000
WAITING_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pushed:
    """An event, or what is left of it. `records` end with a whole one, if there are any."""

    records: Sequence[KinesisRecord]
    behind_ms: int = 0
    strays: int = 0
    trimmed: bool = False
    is_end: bool = False


class Inbox:
    """Bounded. A failure is told in its turn, when all that came before it was read.

    `bug`: what the thread that puts has died of, which is raised in the one that takes.
    """

    def __init__(self) -> None:
        self.on_put: Callable[[], None] | None = None
        self.is_closed = False
        self.bug: Exception | None = None
        self._changed = Condition()
        self._waiting: deque[Pushed | PollFailed] = deque()
        self._records = 0
        self._bytes = 0
        self._behind_ms = 1  # of what was taken last; before that nobody knows

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, and nothing is to be raised."""
        return not self._waiting and self.bug is None

    def put(self, item: Pushed | PollFailed) -> None:
        """Add what has come, and tell of it if there was nothing before."""
        with self._changed:
            was_empty = self.is_empty
            if isinstance(item, Pushed):
                self._count(item, 1)
            elif not was_empty and isinstance(self._waiting[-1], PollFailed):
                self._waiting.pop()
            self._waiting.append(item)
        if was_empty:
            self._tell()

    def break_down(self, bug: Exception) -> None:
        """Nothing will be put any more, because of a mistake of ours."""
        self.bug = bug
        self._tell()

    def take(self, limit: int) -> RecordsArrived | PollFailed:
        """What waits, up to `limit` records, or one aggregate; or what has failed."""
        if self.bug is not None:
            raise self.bug
        with self._changed:
            if self._waiting and isinstance(self._waiting[0], PollFailed):
                return self._pop_failure()
            taken: list[Pushed] = []
            room = limit
            while room > 0 and (some := self._take_some(room, at_least_one=not taken)) is not None:
                taken.append(some)
                room -= len(some.records)
            has_more = bool(self._waiting) and isinstance(self._waiting[0], Pushed)
            self._changed.notify_all()
        if taken:
            self._behind_ms = taken[-1].behind_ms
        return RecordsArrived(
            [record for each in taken for record in each.records],
            max(self._behind_ms, 1) if has_more else self._behind_ms,
            any(each.is_end for each in taken),
            strays=sum(each.strays for each in taken),
            trimmed=any(each.trimmed for each in taken),
        )

    def wait(self, seconds: float) -> bool:
        """Wait for so long; False, at once, when it is closed."""
        with self._changed:
            return not self._changed.wait_for(lambda: self.is_closed, seconds)

    def wait_for_room(self) -> bool:
        """Wait until more may be put; False when it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_closed or self._has_room())
            return not self.is_closed

    def close(self) -> None:
        """Let go of whoever waits."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()

    def _tell(self) -> None:
        if self.on_put is not None:
            self.on_put()

    def _pop_failure(self) -> PollFailed:
        failed = self._waiting.popleft()
        assert isinstance(failed, PollFailed)
        return failed

    def _take_some(self, room: int, *, at_least_one: bool) -> Pushed | None:
        """The first event, or as many of its records as fit and end with a whole one."""
        first = self._waiting[0] if self._waiting else None
        if not isinstance(first, Pushed):
            return None
        if len(first.records) <= room:
            self._waiting.popleft()
            self._count(first, -1)
            return first
        end = _whole_end(first.records, room, at_least_one=at_least_one)
        if not end:
            return None
        some = replace(first, records=first.records[:end], is_end=False)
        self._waiting[0] = replace(first, records=first.records[end:], strays=0, trimmed=False)
        self._count(some, -1)
        return some

    def _count(self, pushed: Pushed, sign: int) -> None:
        self._records += sign * len(pushed.records)
        self._bytes += sign * sum(record.size for record in pushed.records)

    def _has_room(self) -> bool:
        return self._records < WAITING_RECORDS and self._bytes < WAITING_BYTES


def _whole_end(records: Sequence[KinesisRecord], most: int, *, at_least_one: bool) -> int:
    """How many of the records, at most so many, end with a whole one; 0 for none.

    `at_least_one`: the first whole one, however many parts it has.
    """
    for end in range(most, 0, -1):
        if records[end - 1].position & WHOLE == WHOLE:
            return end
    if not at_least_one:
        return 0
    ends = (end for end, record in enumerate(records, 1) if record.position & WHOLE == WHOLE)
    return next(ends, len(records))
