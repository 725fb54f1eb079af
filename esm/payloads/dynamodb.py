"""Records of a DynamoDB stream and the event that Lambda makes of them.

Shape and key order as recorded on AWS; https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
The `dynamodb` part stays JSON: it is parsed afresh for each attempt, which costs less than copying
it, and its length is what it weighs in the event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from esm.core.model import Envelope
from esm.instants import from_ms, iso_s
from esm.payloads.attribute_values import AttributeMap, canonical
from esm.payloads.time_window import window_bytes

_json_text = msgspec.json.encode
_parsed = msgspec.json.Decoder().decode


class UserIdentity(msgspec.Struct, frozen=True, gc=False):
    """Who changed an item, where AWS says so."""

    type: str
    principal_id: str


# On deletes by Time To Live only.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
TTL_IDENTITY = UserIdentity("Service", "dynamodb.amazonaws.com")


class DynamoDbRecord(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One change of an item, as read from its shard.

    `position` is the sequence number as an integer; `ordinal` counts from 1 in the order of
    writing; `key` is the canonical JSON of the item's keys; `data` the `dynamodb` part as compact
    JSON. `arrived_ms` is ApproximateCreationDateTime, a whole second; `written_ms` the instant
    itself, before which nobody can read the record.
    """

    position: int
    key: str
    arrived_ms: int
    written_ms: int
    size: int
    sequence_number: str
    shard_id: str
    ordinal: int
    event_name: str
    event_id: str
    data: bytes
    user_identity: UserIdentity | None = None

    @property
    def partition_key(self) -> str:
        """The item's keys as canonical JSON: order is kept per item."""
        return self.key

    @property
    def json(self) -> Any:
        """The `dynamodb` part, fresh."""
        return _parsed(self.data)

    @property
    def arrived_at(self) -> datetime:
        """ApproximateCreationDateTime as an aware datetime, whole seconds."""
        return from_ms(self.arrived_ms)


def item_key(keys: AttributeMap) -> str:
    """The canonical JSON of an item's keys: compact, names in order."""
    return _json_text(canonical(keys), order="sorted").decode()


def make_record(
    part: Mapping[str, Any],
    *,
    event_name: str,
    event_id: str,
    shard_id: str,
    ordinal: int,
    written_ms: int | None = None,
    user_identity: UserIdentity | None = None,
) -> DynamoDbRecord:
    """Make a record of its `dynamodb` part and weigh it; `written_ms` None: at its whole second."""
    arrived_ms = int(part["ApproximateCreationDateTime"]) * 1000
    return weighed_record(
        _json_text(part),
        key=item_key(part["Keys"]),
        sequence_number=part["SequenceNumber"],
        arrived_ms=arrived_ms,
        event_name=event_name,
        event_id=event_id,
        shard_id=shard_id,
        ordinal=ordinal,
        written_ms=arrived_ms if written_ms is None else written_ms,
        user_identity=user_identity,
    )


def weighed_record(
    data: bytes,
    *,
    key: str,
    sequence_number: str,
    arrived_ms: int,
    event_name: str,
    event_id: str,
    shard_id: str,
    ordinal: int,
    written_ms: int,
    user_identity: UserIdentity | None,
) -> DynamoDbRecord:
    """A record whose `dynamodb` part is JSON already, with its weight in the event."""
    size = len(data) + len(_json_text(event_id)) + len(_json_text(event_name))
    if user_identity is not None:
        size += len(',"userIdentity":') + len(_json_text(_identity(user_identity)))
    return DynamoDbRecord(
        position=int(sequence_number),
        key=key,
        arrived_ms=arrived_ms,
        written_ms=written_ms,
        size=size,
        sequence_number=sequence_number,
        shard_id=shard_id,
        ordinal=ordinal,
        event_name=event_name,
        event_id=event_id,
        data=data,
        user_identity=user_identity,
    )


class DynamoDbEvents:
    """Builds the events of one mapping: `event_source_arn` is the stream's ARN."""

    __slots__ = ("event_source_arn", "region")

    def __init__(self, event_source_arn: str, region: str) -> None:
        self.event_source_arn = event_source_arn
        self.region = region

    def build(self, shard_id: str, records: Sequence[DynamoDbRecord]) -> dict[str, Any]:
        """The event, fresh for every call, so that a handler may change it."""
        arn, region = self.event_source_arn, self.region
        parts = _parsed(b"[" + b",".join([r.data for r in records]) + b"]")
        return {
            "Records": [
                {
                    "eventID": r.event_id,
                    "eventName": r.event_name,
                    "eventVersion": "1.1",
                    "eventSource": "aws:dynamodb",
                    "awsRegion": region,
                    "dynamodb": part,
                    "eventSourceARN": arn,
                }
                if r.user_identity is None
                else self._with_identity(r, part, r.user_identity)
                for r, part in zip(records, parts, strict=True)
            ]
        }

    def identifiers(self, records: Sequence[DynamoDbRecord]) -> list[str]:
        """What a partial batch response may name, in batch order."""
        return [r.sequence_number for r in records]

    def batch_info(
        self, shard_id: str, records: Sequence[DynamoDbRecord], stream_arn: str
    ) -> tuple[str, dict[str, Any]]:
        """What an invocation record says of these records, and under which name."""
        return "DDBStreamBatchInfo", {
            "shardId": shard_id,
            "startSequenceNumber": records[0].sequence_number,
            "endSequenceNumber": records[-1].sequence_number,
            "approximateArrivalOfFirstRecord": iso_s(records[0].arrived_ms),
            "approximateArrivalOfLastRecord": iso_s(records[-1].arrived_ms),
            "batchSize": len(records),
            "streamArn": stream_arn,
        }

    def envelope(self, shard_id: str) -> Envelope:
        """The weight of everything but `dynamodb`, eventID, eventName and userIdentity."""
        one = len(_json_text(self.build(shard_id, [_BLANK])))
        empty = len(_json_text({"Records": []}))
        # The blank record brings `""` twice and `0`, which a record's size counts. Each record
        # brings a comma, except that the first has none.
        record = one - empty - 2 * len('""') - len("0") + len(",")
        of_window = window_bytes(shard_id, self.event_source_arn)
        return Envelope(empty - len(","), record, of_window)

    def _with_identity(
        self, record: DynamoDbRecord, part: dict[str, Any], identity: UserIdentity
    ) -> dict[str, Any]:
        return {
            "eventID": record.event_id,
            "eventName": record.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "userIdentity": _identity(identity),
            "dynamodb": part,
            "eventSourceARN": self.event_source_arn,
        }


_BLANK = DynamoDbRecord(
    position=0, key="", arrived_ms=0, written_ms=0, size=0, sequence_number="", shard_id="",
    ordinal=0, event_name="", event_id="", data=b"0",
)  # fmt: skip


def _identity(identity: UserIdentity) -> dict[str, str]:
    # Lower-case in Lambda's event; the Streams API writes Type and PrincipalId.
    return {"type": identity.type, "principalId": identity.principal_id}
