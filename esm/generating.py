"""Records and events that nobody captured: as many as wanted, the same for the same seed.

Records get their shards, sequence numbers and form from what makes those of the in-memory stream,
and none is kept, so their number has no limit. An event has records of one shard, as Lambda's.
"""

from __future__ import annotations

import binascii
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import Any, Protocol

from esm.data_template import DataTemplate, Facts
from esm.errors import InputError
from esm.payloads.dynamodb import DynamoDbRecord
from esm.payloads.kinesis import KinesisEvents, KinesisRecord, make_record
from esm.ports import Payloads
from esm.sources.hash_keys import HashKeyRange, hash_key_of
from esm.sources.kinesis_input import (
    RECORD_KIB_MIN,
    check_shard_count,
    check_stream,
    key_bytes,
    payload_of,
)
from esm.sources.memory_shard import MemoryShard
from esm.sources.memory_shards import ShardFamily

REGION, ACCOUNT = "us-east-1", "123456789012"
_ARN = re.compile(
    r"arn:aws[a-z-]*:kinesis:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):stream/(?P<name>.+)"
)
_LAST_INSTANT_MS = 253_402_300_799_999  # the end of the year 9999
_DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to generate. Without `keys` a record's number is its key; `rate` is records a second."""

    stream: str
    count: int
    data: DataTemplate
    start_ms: int
    rate: Fraction
    keys: tuple[str, ...] = ()
    shards: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_stream(name_of(self.stream), RECORD_KIB_MIN)
        check_shard_count(self.shards)
        for key in self.keys:
            key_bytes(key)
        check_instants(self.start_ms, self.instant_ms(self.count - 1))

    def instant_ms(self, index: int) -> int:
        """When a record arrives; the first has index 0."""
        return self.start_ms + int(index * 1_000 / self.rate)

    def builder(self) -> KinesisEvents:
        """What makes events of the plan's records."""
        return builder_of(self.stream)

    def records(self) -> Iterator[KinesisRecord]:
        """The records in the order of their arrival."""
        rng = random.Random(self.seed)  # noqa: S311  (repeatable chance, not a secret)
        family = family_of(self.shards, self.start_ms)
        for index in range(self.count):
            number, arrived_ms = index + 1, self.instant_ms(index)
            key = rng.choice(self.keys) if self.keys else str(number)
            text = self.data.fill(Facts(number, key, arrived_ms), rng)
            payload = payload_of(text, RECORD_KIB_MIN * 1_024)
            yield placed(family, number, key, arrived_ms, payload)


def builder_of(stream: str) -> KinesisEvents:
    """What makes events of a stream's records, given its name or ARN."""
    match = _ARN.fullmatch(stream)
    region, account = (match["region"], match["account"]) if match else (REGION, ACCOUNT)
    arn = stream if match else f"arn:aws:kinesis:{region}:{account}:stream/{stream}"
    return KinesisEvents(arn, region, f"arn:aws:iam::{account}:role/generated-role")


def family_of(shards: int, start_ms: int) -> ShardFamily:
    """The shards of a stream that nothing is kept in."""
    return ShardFamily(shards, _make_shard, start_ms)


def placed(
    family: ShardFamily, number: int, key: str, arrived_ms: int, payload: bytes
) -> KinesisRecord:
    """A record in the shard that its key belongs to; records are numbered as they arrive."""
    shard = family.owner(hash_key_of(key))
    return make_record(
        position=shard.position_of(arrived_ms, number),
        key=key,
        arrived_ms=arrived_ms,
        base64=binascii.b2a_base64(payload, newline=False).decode("ascii"),
        shard_id=shard.shard.shard_id,
        ordinal=number,
    )


def check_instants(first_ms: int, last_ms: int) -> None:
    """Refuse records that nobody can write the time of."""
    if not 0 <= first_ms <= last_ms <= _LAST_INSTANT_MS:
        raise InputError(
            "E455",
            "the records would not arrive between 1970 and 9999",
            fix="--start 2026-01-01T00:00:00Z --rate 10",
        )


def name_of(stream: str) -> str:
    """The name in an ARN, or the name itself."""
    match = _ARN.fullmatch(stream)
    return match["name"] if match else stream


class Generated(Protocol):
    """So many records, made one after the other, and what makes events of them."""

    @property
    def count(self) -> int:
        """How many records, where that is known before; else about how many."""

    def records(self) -> Iterator[KinesisRecord] | Iterator[DynamoDbRecord]:
        """The records in the order of their arrival."""

    def builder(self) -> Payloads:
        """What makes events of them."""


def events_of(plan: Generated, batch_size: int) -> Iterator[dict[str, Any]]:
    """Events of so many records, in the order in which they are full; the rest at the end."""
    events = plan.builder()
    waiting: dict[str, list[KinesisRecord | DynamoDbRecord]] = {}
    for record in plan.records():
        batch = waiting.setdefault(record.shard_id, [])
        batch.append(record)
        if len(batch) == batch_size:
            yield events.build(record.shard_id, waiting.pop(record.shard_id))
    for shard_id, batch in sorted(waiting.items()):
        yield events.build(shard_id, batch)


def _make_shard(
    number: int, parents: tuple[MemoryShard, ...], keys: HashKeyRange, now_ms: int
) -> MemoryShard:
    return MemoryShard(
        number,
        parents,
        keys,
        retention_ms=_DAY_MS,
        created_ms=now_ms,
        limits=False,
        lock=Lock(),
    )
