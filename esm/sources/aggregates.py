"""The records inside of an aggregate, as an enhanced fan-out consumer gets them.

A part whose key belongs to another shard is dropped in silence.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-polling-and-batching.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from esm.payloads.kinesis import KinesisRecord, user_record
from esm.payloads.kpl import UserRecord
from esm.sources.hash_keys import HashKeyRange, hash_key_of


def own_and_strays(
    inside: Sequence[UserRecord], keys: HashKeyRange
) -> tuple[list[UserRecord], list[UserRecord]]:
    """Parts that belong into a shard with these hash keys, and those that do not."""
    low, high = keys
    own: list[UserRecord] = []
    strays: list[UserRecord] = []
    for part in inside:
        hash_key = hash_key_of(part.key) if part.hash_key is None else part.hash_key
        (own if low <= hash_key <= high else strays).append(part)
    return own, strays


def parts_of(
    whole: KinesisRecord,
    own: Sequence[UserRecord],
    positions: Iterable[int],
    ordinals: Iterable[int],
) -> list[KinesisRecord]:
    """An aggregate's parts as records. The last position is to be the aggregate's own.

    The aggregate is resolved then when the last of its parts is.
    """
    numbers = zip(own, positions, ordinals, strict=False)
    return [
        user_record(whole, position=position, key=part.key, data=part.data, ordinal=ordinal)
        for part, position, ordinal in numbers
    ]
