"""Where the services differ whose shards are kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

# GetRecords: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
READ_RECORDS = 10_000
READ_BYTES = 10 * 1024 * 1024
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
ITERATOR_LIFE_MS = 300_000


@dataclass(frozen=True, slots=True)
class Numbering:
    """How sequence numbers are made, so that they rise within a shard and across its children.

    From the top: the bit `top`, the shard's depth in the family tree, arrival, ordinal, the
    shard's number; each `…_shift` is how many bits lie below.
    """

    top: int
    depth_shift: int
    arrival_shift: int
    ordinal_shift: int

    def base(self, depth: int, number: int) -> int:
        """Before every record of a shard."""
        assert depth < 1 << (self.top - self.depth_shift), "too many generations of shards"
        return (1 << self.top) + (depth << self.depth_shift) + number

    def position(self, base: int, arrived_ms: int, ordinal: int) -> int:
        """A record's sequence number as an integer."""
        return base + (arrived_ms << self.arrival_shift) + (ordinal << self.ordinal_shift)


@dataclass(frozen=True, slots=True)
class ShardRules:
    """What a read may take, how long an iterator lives, and how shards and records are named.

    `shard_id`: of a shard's number and the instant of its making; `instant_of`: the instant of a
    record from which on it can be read.
    """

    read_records: int
    read_bytes: int
    iterator_life_ms: int
    numbering: Numbering
    shard_id: Callable[[int, int], str]
    instant_of: Callable[[Any], int]


def _kinesis_shard_id(number: int, created_ms: int) -> str:
    return f"shardId-{number:012d}"


KINESIS = ShardRules(
    READ_RECORDS,
    READ_BYTES,
    ITERATOR_LIFE_MS,
    # 186 bits, and so 56 digits that begin with 49, as on AWS.
    Numbering(top=185, depth_shift=144, arrival_shift=96, ordinal_shift=32),
    _kinesis_shard_id,
    attrgetter("arrived_ms"),
)
