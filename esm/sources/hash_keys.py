"""Kinesis' hash keys: which shard a partition key belongs to.

A shard owns an inclusive range of the 128-bit numbers; a partition key's number is its MD5.
https://docs.aws.amazon.com/streams/latest/dev/key-concepts.html
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from hashlib import md5

MAX_HASH_KEY = 2**128 - 1

HashKeyRange = tuple[int, int]
"""First and last hash key of a shard, both inclusive."""


def hash_key_of(partition_key: str) -> int:
    """The MD5 of the key's UTF-8, as an unsigned big-endian number."""
    return int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest(), "big")


def uniform_starts(shards: int) -> list[int]:
    """The first hash key of each of `shards` equal ranges; the last range takes the rest."""
    width = (MAX_HASH_KEY + 1) // shards
    return [width * i for i in range(shards)]


def uniform_ranges(shards: int) -> list[HashKeyRange]:
    """The ranges of a stream that is made with so many shards."""
    starts = uniform_starts(shards)
    return [*zip(starts, (start - 1 for start in starts[1:]), strict=False),
            (starts[-1], MAX_HASH_KEY)]  # fmt: skip


def reshaped_starts(current: Sequence[int], shards: int) -> list[int]:
    """The first hash keys that UpdateShardCount goes for, given the sorted ones that are there.

    The equal ranges of 3 and of 6 shards differ by rounding: a start that is there within
    rounding stays, so that going from 3 to 6 is three splits and nothing else.
    """
    rounding = max(shards, len(current))
    result = []
    for start in uniform_starts(shards):
        at = bisect_left(current, start)
        near = min(current[max(at - 1, 0) : at + 1], key=lambda have: abs(have - start))
        result.append(near if abs(near - start) <= rounding else start)
    return result
