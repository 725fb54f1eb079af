"""Kinesis records and the event that Lambda makes of them.

Shape and key order as recorded on AWS; https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
Data stays in the wire's base64: the event shows it so, and most runs never decode it.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from esm.core.model import Envelope
from esm.instants import from_ms, iso_ms
from esm.payloads.time_window import window_bytes

_json_text = msgspec.json.encode

# From 2001 to 2286 the seconds of an instant have ten digits; behind the point stand one to three.
_TEN_DIGITS_MS = (1_000_000_000_000, 10_000_000_000_000)


class KinesisRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a stream, as read from its shard.

    `position` is the sequence number as an integer, or for a part of an aggregate one between it
    and the one before; `ordinal` counts from 1 in the order of putting into the stream; `base64`
    is the data as the wire carries it.
    """

    position: int
    key: str
    arrived_ms: int
    size: int
    sequence_number: str
    shard_id: str
    base64: str
    ordinal: int

    @property
    def partition_key(self) -> str:
        """The partition key that the producer gave."""
        return self.key

    @property
    def data(self) -> bytes:
        """The payload, decoded."""
        return binascii.a2b_base64(self.base64)

    @property
    def json(self) -> Any:
        """The payload parsed as JSON; raises ValueError when it is none."""
        return json.loads(self.data)

    @property
    def arrived_at(self) -> datetime:
        """ApproximateArrivalTimestamp as an aware datetime, millisecond precision."""
        return from_ms(self.arrived_ms)


def make_record(
    *, position: int, key: str, arrived_ms: int, base64: str, shard_id: str, ordinal: int
) -> KinesisRecord:
    """Make a record and weigh it; `base64` is standard, padded."""
    return weighed_record(str(position), position, key, arrived_ms, base64, shard_id, ordinal)


def user_record(
    whole: KinesisRecord, *, position: int, key: str, data: bytes, ordinal: int
) -> KinesisRecord:
    """A part of an aggregate: data and key are its own, the sequence number is the aggregate's."""
    base64 = binascii.b2a_base64(data, newline=False).decode("ascii")
    number, arrived_ms, shard_id = whole.sequence_number, whole.arrived_ms, whole.shard_id
    return weighed_record(number, position, key, arrived_ms, base64, shard_id, ordinal)


def weighed_record(
    sequence_number: str,
    position: int,
    key: str,
    arrived_ms: int,
    base64: str,
    shard_id: str,
    ordinal: int,
) -> KinesisRecord:
    """The record with its size; by position, because every record that is read comes this way."""
    if _TEN_DIGITS_MS[0] <= arrived_ms < _TEN_DIGITS_MS[1]:
        instant_bytes = 14 if arrived_ms % 10 else 13 if arrived_ms % 100 else 12
    else:
        instant_bytes = len(repr(arrived_ms / 1000))
    size = len(_json_text(key)) + 2 * len(sequence_number) + len(base64) + instant_bytes
    return KinesisRecord(
        position, key, arrived_ms, size, sequence_number, shard_id, base64, ordinal
    )


class KinesisEvents:
    """Builds the events of one mapping: `event_source_arn` is the ARN that the mapping names."""

    __slots__ = ("_envelopes", "event_source_arn", "region", "role_arn")

    def __init__(self, event_source_arn: str, region: str, role_arn: str) -> None:
        self.event_source_arn = event_source_arn
        self.region = region
        self.role_arn = role_arn
        self._envelopes: dict[int, Envelope] = {}

    def build(self, shard_id: str, records: Sequence[KinesisRecord]) -> dict[str, Any]:
        """The event, fresh for every call, so that a handler may change it."""
        arn, region, role = self.event_source_arn, self.region, self.role_arn
        prefix = shard_id + ":"
        return {
            "Records": [
                {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": r.key,
                        "sequenceNumber": r.sequence_number,
                        "data": r.base64,
                        "approximateArrivalTimestamp": r.arrived_ms / 1000,
                    },
                    "eventSource": "aws:kinesis",
                    "eventVersion": "1.0",
                    "eventID": prefix + r.sequence_number,
                    "eventName": "aws:kinesis:record",
                    "invokeIdentityArn": role,
                    "awsRegion": region,
                    "eventSourceARN": arn,
                }
                for r in records
            ]
        }

    def identifiers(self, records: Sequence[KinesisRecord]) -> list[str]:
        """What a partial batch response may name, in batch order."""
        return [r.sequence_number for r in records]

    def batch_info(
        self, shard_id: str, records: Sequence[KinesisRecord], stream_arn: str
    ) -> tuple[str, dict[str, Any]]:
        """What an invocation record says of these records, and under which name."""
        return "KinesisBatchInfo", {
            "shardId": shard_id,
            "startSequenceNumber": records[0].sequence_number,
            "endSequenceNumber": records[-1].sequence_number,
            "approximateArrivalOfFirstRecord": iso_ms(records[0].arrived_ms),
            "approximateArrivalOfLastRecord": iso_ms(records[-1].arrived_ms),
            "batchSize": len(records),
            "streamArn": stream_arn,
        }

    def envelope(self, shard_id: str) -> Envelope:
        """The weight of everything but key, data, sequence number and timestamp."""
        # Shards of a stream have ids of one length, and so one envelope.
        length = len(_json_text(shard_id))
        if length not in self._envelopes:
            self._envelopes[length] = self._weigh(shard_id)
        return self._envelopes[length]

    def _weigh(self, shard_id: str) -> Envelope:
        blank = KinesisRecord(
            position=0, key="", arrived_ms=0, size=0, sequence_number="", shard_id=shard_id,
            base64="", ordinal=0,
        )  # fmt: skip
        one = len(_json_text(self.build(shard_id, [blank])))
        empty = len(_json_text({"Records": []}))
        # The blank record brings `""` and `0.0`; a record's size counts its own quotes for the key
        # only. Each record brings a comma, except that the first has none.
        record = one - empty - len('""') - len("0.0") + len(",")
        of_window = window_bytes(shard_id, self.event_source_arn)
        return Envelope(empty - len(","), record, of_window)
