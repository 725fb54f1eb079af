"""How many shards of a Kinesis stream carry a load.

https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
A shard takes 1 MB and 1,000 records a second. All readers without enhanced fan-out share 2 MB and
five reads of it a second, and Lambda reads each shard once a second; a reader with enhanced fan-out
has 2 MB of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from esm.errors import InputError
from esm.sources.kinesis_input import check_shard_count

WRITE_MB, WRITE_RECORDS = 1, 1_000
READ_MB, READS = 2, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a stream is to carry each second; `margin` comes on top, a quarter as 1/4.

    `consumers` share the throughput of reads, `fan_out` are those with enhanced fan-out.
    """

    mb: Fraction = Fraction(0)
    records: Fraction = Fraction(0)
    consumers: int = 1
    fan_out: int = 0
    margin: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Limit:
    """One of Kinesis' limits: what it counts, the load with its margin, what a shard carries."""

    name: str
    unit: str
    load: Fraction
    per_shard: int

    @property
    def shards(self) -> int:
        """How many shards this limit alone asks for."""
        return math.ceil(self.load / self.per_shard)


@dataclass(frozen=True, slots=True)
class Sizing:
    """The shards that a load needs, and the limits that it was held against, as AWS has them."""

    shards: int
    limits: tuple[Limit, ...]

    @property
    def decisive(self) -> Limit:
        """The limit that asks for the most shards, the first of equals."""
        return max(self.limits, key=lambda limit: limit.load / limit.per_shard)


def size(load: Load) -> Sizing:
    """The shards for a load; E450 where none are enough, E417 where a stream cannot have them."""
    _check_readers(load)
    grown = 1 + load.margin
    mb = load.mb * grown
    limits = [
        Limit("bytes written", "MB/s", mb, WRITE_MB),
        Limit("records written", "records/s", load.records * grown, WRITE_RECORDS),
    ]
    if load.consumers:
        limits.append(Limit("bytes read, shared", "MB/s", mb * load.consumers, READ_MB))
    if load.fan_out:
        limits.append(Limit("bytes read, fan-out", "MB/s", mb, READ_MB))
    shards = max(1, *(limit.shards for limit in limits))
    check_shard_count(shards)
    return Sizing(shards, tuple(limits))


def _check_readers(load: Load) -> None:
    if load.consumers <= READS:
        return
    raise InputError(
        "E450",
        f"{load.consumers} consumers read each shard {load.consumers} times a second, "
        f"and it allows {READS}",
        why="AWS throttles them, however many shards there are: each consumer reads all of them",
        fix=f"--consumers {READS} --fan-out {load.fan_out + load.consumers - READS}",
    )
