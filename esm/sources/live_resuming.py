"""Finding a place in a shard again with a new iterator, and noticing that it is gone.

A checkpoint's iterator begins with the checkpoint's own record, so that its absence shows: the
record is past retention, and so may others be that nobody has read.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import dropwhile
from typing import TypeVar

from esm.core.model import After, AtTimestamp, Position, Record

Read = TypeVar("Read", bound=Record)


class Resuming:
    """What the first reads with a new iterator bring before the place that was asked for.

    `is_over`: the place is behind us, and every record is wanted from now on.
    """

    __slots__ = ("_position", "_seen", "is_over")

    def __init__(self, position: Position) -> None:
        self._position = position
        self._seen = False
        self.is_over = not isinstance(position, After | AtTimestamp)

    def cut(self, records: Sequence[Read]) -> Sequence[Read]:
        """The records without those that lie before the place."""
        wanted = list(dropwhile(self._is_before, records))
        self.is_over = bool(wanted)
        return wanted

    def misses(self, records: Sequence[Record], *, at_tip: bool) -> bool:
        """Whether this read shows that the record of the place is gone; asked before `cut`.

        `at_tip`: there is nothing behind these records now.
        """
        if self._seen or not isinstance(self._position, After) or not (records or at_tip):
            return False
        self._seen = True
        return not records or records[0].position > self._position.position

    def _is_before(self, record: Record) -> bool:
        match self._position:
            case After(position=position):
                return record.position <= position
            case AtTimestamp(timestamp_ms=timestamp_ms):
                return record.arrived_ms < timestamp_ms
        return False
