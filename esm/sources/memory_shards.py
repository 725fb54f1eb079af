"""The shards of an in-memory stream as a family: who is open, who came from whom.

Ids are given upwards and never twice; the open shards partition the hash keys at any moment.
https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-resharding.html
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from esm.errors import InputError
from esm.sources.hash_keys import HashKeyRange, reshaped_starts, uniform_ranges
from esm.sources.memory_shard import MemoryShard

MakeShard = Callable[[int, tuple[MemoryShard, ...], HashKeyRange, int], MemoryShard]
"""Number, parents, hash keys, instant of its making."""


class ShardFamily:
    """All shards there ever were, by id, and the open ones by hash key."""

    __slots__ = ("_make", "_starts", "all", "open")

    def __init__(self, shards: int, make: MakeShard, now_ms: int) -> None:
        self._make = make
        self.all: dict[str, MemoryShard] = {}
        self.open = [self._add((), keys, now_ms) for keys in uniform_ranges(shards)]
        self._starts = [shard.hash_key_range[0] for shard in self.open]

    def owner(self, hash_key: int) -> MemoryShard:
        """The open shard that a hash key belongs to."""
        return self.open[self._index(hash_key)]

    def get(self, shard_id: str) -> MemoryShard:
        """A shard by id, open or closed."""
        try:
            return self.all[shard_id]
        except KeyError:
            raise InputError(
                "E413", f"no shard {shard_id!r}", fix=self._one_of_the_open()
            ) from None

    def get_open(self, shard_id: str | None) -> MemoryShard:
        """An open shard by id, or the only one."""
        if shard_id is None and len(self.open) == 1:
            return self.open[0]
        if shard_id is None:
            raise InputError("E414", "which of the shards?", fix=self._one_of_the_open())
        shard = self.get(shard_id)
        if shard.closed_ms is not None:
            raise InputError("E440", f"{shard_id} is closed", fix=self._one_of_the_open())
        return shard

    def split(
        self, shard: MemoryShard, middle: int | None, now_ms: int, ordinal: int
    ) -> list[MemoryShard]:
        """Close a shard and open its lower and upper half; `middle` is the upper one's first."""
        start, end = shard.hash_key_range
        if middle is None:
            middle = max((start + end) // 2, start + 1)
        if not start < middle <= end:
            raise InputError(
                "E415",
                f"{shard.shard.shard_id} cannot be split at hash key {middle}",
                why="both halves must hold at least one hash key",
                fix=f"a hash key from {start + 1} to {end}",
            )
        halves = ((start, middle - 1), (middle, end))
        return self._replace((shard,), halves, now_ms, ordinal)

    def merge(
        self, shard: MemoryShard, adjacent: MemoryShard, now_ms: int, ordinal: int
    ) -> list[MemoryShard]:
        """Close two shards whose hash keys touch and open one over both; either may be lower."""
        (start, low_end), (high_start, end) = sorted(
            (shard.hash_key_range, adjacent.hash_key_range)
        )
        if low_end + 1 != high_start:
            raise InputError(
                "E416",
                f"{shard.shard.shard_id} and {adjacent.shard.shard_id} cannot be merged",
                why="their hash key ranges do not touch",
                fix="two neighbours in the order of hash_key_range",
            )
        return self._replace((shard, adjacent), ((start, end),), now_ms, ordinal)

    def roll(self, shard: MemoryShard, now_ms: int, ordinal: int) -> MemoryShard:
        """Close a shard and open its only child, over the same hash keys."""
        return self._replace((shard,), (shard.hash_key_range,), now_ms, ordinal)[0]

    def reshape(self, shards: int, now_ms: int, ordinal: int) -> None:
        """Reach so many equal shards: all splits first, then all merges, by ascending hash key."""
        wanted = reshaped_starts(self._starts, shards)
        for start in wanted:
            shard = self.owner(start)
            if shard.hash_key_range[0] != start:
                self.split(shard, start, now_ms, ordinal)
        for start in sorted(set(self._starts).difference(wanted)):
            self.merge(self.owner(start - 1), self.owner(start), now_ms, ordinal)

    def _replace(
        self,
        parents: tuple[MemoryShard, ...],
        ranges: tuple[HashKeyRange, ...],
        now_ms: int,
        ordinal: int,
    ) -> list[MemoryShard]:
        for parent in parents:
            parent.close(now_ms, ordinal)
        children = [self._add(parents, keys, now_ms) for keys in ranges]
        at = self._index(ranges[0][0])
        self.open[at : at + len(parents)] = children
        self._starts[at : at + len(parents)] = [keys[0] for keys in ranges]
        return children

    def _add(
        self, parents: tuple[MemoryShard, ...], keys: HashKeyRange, now_ms: int
    ) -> MemoryShard:
        shard = self._make(len(self.all), parents, keys, now_ms)
        self.all[shard.shard.shard_id] = shard
        return shard

    def _index(self, hash_key: int) -> int:
        return bisect_right(self._starts, hash_key) - 1

    def _one_of_the_open(self) -> str:
        return "one of: " + ", ".join(shard.shard.shard_id for shard in self.open)
