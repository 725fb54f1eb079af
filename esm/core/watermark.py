"""How far everything in a shard is resolved: the one position that may be saved.

A checkpoint never passes a record that is not resolved, on any lane. Reads are kept as they came
and passed over as a whole where possible, so the cost is per batch, not per record.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from esm.core.model import Record

_position = attrgetter("position")


@dataclass(slots=True)
class Watermark:
    """`position`: the last record before which nothing is open. `span`: records read beyond it."""

    position: int | None = None
    span: int = 0
    span_bytes: int = 0
    _reads: tuple[Sequence[Record], ...] = ()
    _passed: int = 0

    def read(self, records: Sequence[Record]) -> None:
        """These records, later than all before, have been read."""
        self._reads += (records,)
        self.span += len(records)
        self.span_bytes += sum([r.size for r in records])

    def advance(self, lowest_open: int | None) -> bool:
        """Move up to, not including, `lowest_open` (None: all is resolved). Whether it moved."""
        before = self.position
        while self._reads and (lowest_open is None or self._reads[0][-1].position < lowest_open):
            self._pass(self._reads[0], len(self._reads[0]))
            self._reads = self._reads[1:]
            self._passed = 0
        if self._reads and lowest_open is not None:
            first = self._reads[0]
            index = bisect_left(first, lowest_open, lo=self._passed, key=_position)
            self._pass(first, index)
        return self.position != before

    def _pass(self, records: Sequence[Record], upto: int) -> None:
        if upto == self._passed:
            return
        done = records[self._passed : upto]
        self.position = done[-1].position
        self.span -= len(done)
        self.span_bytes -= sum([r.size for r in done])
        self._passed = upto
