"""Records into a Kinesis stream, in order.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from esm.feeding_calls import OnProgress, Writer
from esm.patience import Wait
from esm.sources.kinesis import address_of

_ENTRIES_MAX = 500
# AWS takes 10 MiB in a call, keys included. Other servers have the 5 MiB that it was before; a
# record that is larger goes alone.
_CALL_BYTES = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to put; with a hash key of its own it goes to the shard that has that one."""

    data: bytes
    partition_key: str
    explicit_hash_key: str | None = None

    @property
    def size(self) -> int:
        """What it counts towards the limit of a call."""
        return len(self.data) + len(self.partition_key.encode())

    @property
    def params(self) -> dict[str, Any]:
        """The entry as boto3 takes it."""
        own = {} if self.explicit_hash_key is None else {"ExplicitHashKey": self.explicit_hash_key}
        return {"Data": self.data, "PartitionKey": self.partition_key, **own}


@dataclass(slots=True)
class ShardTotal:
    """What one shard got."""

    records: int = 0
    last_sequence_number: str = ""


@dataclass(slots=True)
class Fed:
    """What came of it; a table does not tell its shards.

    `overtaken`: records that the stream refused at first while it took later ones of their key, so
    that they stand behind those.
    """

    records: int = 0
    shards: dict[str, ShardTotal] = field(default_factory=dict)
    overtaken: int = 0

    def add(self, answer: Mapping[str, str]) -> None:
        """One record that the stream took."""
        self.records += 1
        total = self.shards.setdefault(answer["ShardId"], ShardTotal())
        total.records += 1
        total.last_sequence_number = answer["SequenceNumber"]


def put_records(
    client: Any,
    stream_arn: str,
    entries: Iterable[Entry | None],
    *,
    wait: Wait,
    on_progress: OnProgress,
) -> Fed:
    """Put them all, what comes before a None in calls of its own.

    Raises EndpointError E542 where the stream takes no more.
    """
    fed = Fed()
    address = address_of(stream_arn, client.meta.endpoint_url)
    writer = Writer(stream_arn.rpartition("/")[2], wait, on_progress)
    for batch in _batches(entries):
        waiting = batch
        while waiting:
            params = [entry.params for entry in waiting]
            answer = writer.call(client.put_records, Records=params, **address)
            waiting = _take(fed, waiting, answer["Records"])
            writer.took(fed.records - writer.done)
            if waiting:
                writer.wait_after(_reason(answer["Records"]))
    return fed


def _take(fed: Fed, entries: list[Entry], answers: list[dict[str, str]]) -> list[Entry]:
    """Count what was taken, and give what was refused, in its order.

    A call may take a record although it has refused one of the same key before it.
    """
    refused: list[Entry] = []
    taken_keys: set[str] = set()
    for entry, answer in zip(reversed(entries), reversed(answers), strict=True):
        if "ErrorCode" in answer:
            refused.append(entry)
            fed.overtaken += entry.partition_key in taken_keys
        else:
            taken_keys.add(entry.partition_key)
    for answer in answers:
        if "ErrorCode" not in answer:
            fed.add(answer)
    return refused[::-1]


def _reason(answers: list[dict[str, str]]) -> str:
    """Why the first of those that were refused was."""
    first = next(answer for answer in answers if "ErrorCode" in answer)
    return f"{first['ErrorCode']}: {first.get('ErrorMessage', 'no message')}"


def _batches(entries: Iterable[Entry | None]) -> Iterator[list[Entry]]:
    """As many as one call takes, in order."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        is_full = entry is None or len(batch) == _ENTRIES_MAX or size + entry.size > _CALL_BYTES
        if batch and is_full:
            yield batch
            batch, size = [], 0
        if entry is not None:
            batch.append(entry)
            size += entry.size
    if batch:
        yield batch
