"""PutRecords: many messages in few calls, and what to do when some are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

from botocore.client import BaseClient

# A call takes 500 records and 10 MiB with their partition keys; 5 MiB, the older limit, suits every
# endpoint. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
MAX_RECORDS = 500
MAX_BYTES = 5 * 1024 * 1024


class Entry(TypedDict):
    """A record as PutRecords takes it."""

    Data: bytes
    PartitionKey: str


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out for one record that came in: `sequence_number` is that record's."""

    sequence_number: str
    partition_key: str
    data: bytes

    @property
    def size(self) -> int:
        """What it counts towards the limit of a call."""
        return len(self.partition_key.encode()) + len(self.data)

    @property
    def entry(self) -> Entry:
        """The message as PutRecords takes it."""
        return {"Data": self.data, "PartitionKey": self.partition_key}


def publish(kinesis: BaseClient, stream: str, messages: Iterable[Message]) -> list[str]:
    """Send messages in order; returns the sequence numbers of those that the stream refused.

    PutRecords takes some records and refuses others, for example when one shard is throttled.
    After a call with refusals nothing more is sent: Lambda brings back everything from the first
    of them, so what follows would only be sent twice.
    """
    for call in calls(messages):
        answer = kinesis.put_records(StreamName=stream, Records=[m.entry for m in call])
        refused = [
            message.sequence_number
            for message, result in zip(call, answer["Records"], strict=True)
            if result.get("ErrorCode")
        ]
        if refused:
            return refused
    return []


def calls(messages: Iterable[Message]) -> Iterator[Sequence[Message]]:
    """Cut messages into as few calls as the limits of PutRecords allow, keeping their order."""
    call: list[Message] = []
    size = 0
    for message in messages:
        if call and (len(call) == MAX_RECORDS or size + message.size > MAX_BYTES):
            yield call
            call, size = [], 0
        call.append(message)
        size += message.size
    if call:
        yield call
