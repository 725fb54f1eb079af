"""Aggregates as AWS's own library for producers makes them."""

from __future__ import annotations

import sys
from typing import NamedTuple

_BEFORE = list(sys.path)
from aws_kinesis_agg.aggregator import RecordAggregator  # noqa: E402

sys.path[:] = _BEFORE  # it puts its own folders in front


class Part(NamedTuple):
    """A record of a producer."""

    key: str
    data: bytes
    hash_key: str | None = None


def aggregate(*parts: Part) -> bytes:
    """The data of one record that holds them all."""
    aggregator = RecordAggregator()
    for key, data, hash_key in parts:
        assert aggregator.add_user_record(key, data, hash_key) is None, "too much for one record"
    _, _, aggregated = aggregator.clear_and_get().get_contents()
    return bytes(aggregated)


def aggregate_of(*keys: str) -> bytes:
    """One whose records have these keys, and their keys as data."""
    return aggregate(*(Part(key, key.encode()) for key in keys))
