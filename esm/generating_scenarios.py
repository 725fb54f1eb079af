"""A scenario's records as a Kinesis stream has them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from esm.generating import builder_of, check_instants, family_of, name_of, placed
from esm.payloads.kinesis import KinesisEvents, KinesisRecord
from esm.scenarios import load
from esm.sources.kinesis_input import (
    RECORD_KIB_MIN,
    check_shard_count,
    check_stream,
    payload_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPlan:
    """What to generate: `rate` is records a second over a whole day."""

    scenario: str
    stream: str
    start_ms: int
    duration_ms: int
    rate: Fraction
    shards: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        check_stream(name_of(self.stream), RECORD_KIB_MIN)
        check_shard_count(self.shards)
        check_instants(self.start_ms, self.start_ms + self.duration_ms)

    @property
    def count(self) -> int:
        """About how many records: chance decides, and the time of the day."""
        return round(self.rate * self.duration_ms / 1_000)

    def builder(self) -> KinesisEvents:
        """What makes events of the plan's records."""
        return builder_of(self.stream)

    def records(self) -> Iterator[KinesisRecord]:
        """The records in the order of their arrival."""
        rng = random.Random(self.seed)  # noqa: S311  (repeatable chance, not a secret)
        family = family_of(self.shards, self.start_ms)
        found = load(self.scenario)(rng, self.start_ms, self.duration_ms, float(self.rate))
        for number, record in enumerate(found, 1):
            data = record.data
            text = json.dumps(data, ensure_ascii=False) if isinstance(data, Mapping) else data
            payload = payload_of(text, RECORD_KIB_MIN * 1_024)
            yield placed(family, number, record.key, record.at_ms, payload)
