"""Write the events of `events/`, the same in every run.

`bandwidth_enrichment/`: sign-ups as Lambda events. All of them are records of one stream of three
shards. Each partition key lies in the hash-key range of its shard, and arrival times and sequence
numbers rise together within a shard.

`dynamodb/`: the life of some orders, as the stream of their table tells it.

    python scripts/make_events.py [FOLDER]
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from esm.instants import iso_ms, iso_s, parse_instant
from esm.payloads.dynamodb import DynamoDbEvents, DynamoDbRecord
from esm.payloads.kinesis import KinesisEvents, KinesisRecord, make_record
from esm.sources.dynamodb_table import DynamoDbTable

EVENTS = Path(__file__).resolve().parent.parent / "events"
SEED = 2611
REGION = "eu-central-1"
ACCOUNT = "123456789012"
STREAM_ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/sign-ups"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/bandwidth-enrichment"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:BandwidthEnrichment"
SHARDS = 3
STREAM_CREATED_MS = parse_instant("2026-02-25T14:03:11Z")

SEQUENCE_DIGITS = 56
POISON_AT = 6
"""Index of the poison record among the twelve of its batch."""

PLACES = [
    ("DE", "10115", "Berlin", "Invalidenstraße"),
    ("DE", "10961", "Berlin", "Bergmannstraße"),
    ("DE", "20095", "Hamburg", "Mönckebergstraße"),
    ("DE", "50667", "Köln", "Hohe Straße"),
    ("DE", "80331", "München", "Sendlinger Straße"),
    ("DE", "94078", "Freyung", "Stadtplatz"),
    ("DE", "01067", "Dresden", "Wilsdruffer Straße"),
    ("GB", "EC1A 1BB", "London", "Aldersgate Street"),
    ("GB", "M1 1AE", "Manchester", "Piccadilly"),
    ("GB", "EH1 1BB", "Edinburgh", "Cockburn Street"),
    ("GB", "IV1 1HQ", "Inverness", "Church Street"),
    ("US", "10001", "New York", "West 30th Street"),
    ("US", "94103", "San Francisco", "Folsom Street"),
    ("US", "78701", "Austin", "Congress Avenue"),
    ("US", "59718", "Bozeman", "Durston Road"),
    ("US", "33101", "Miami", "Flagler Street"),
    ("IS", "101", "Reykjavík", "Laugavegur"),
]
GIVEN_NAMES = ["Ada", "Aylin", "Chloé", "Emre", "Hannah", "Ines", "Jörg", "Noah", "Priya", "Zoë"]
FAMILY_NAMES = ["Arslan", "Baker", "Brandt", "Costa", "Hughes", "Ito", "Müller", "Novák", "Patel"]
# The start of numbers that are kept free for fiction; two digits are missing.
PHONE_PREFIXES = {"DE": "+4930231250", "GB": "+4420794609", "US": "+120255501"}


class Stream:
    """Takes sign-ups as the stream would: a shard, a sequence number, an arrival time for each."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._users = 0
        self._taken = 0

    def batch(self, shard: int, size: int, start: str) -> list[KinesisRecord]:
        """The next `size` sign-ups whose keys belong to a shard, arriving from `start` on."""
        arrived_ms = parse_instant(start)
        records: list[KinesisRecord] = []
        while len(records) < size:
            arrived_ms += self._chance.randint(40, 2_500)
            sign_up = self._sign_up(arrived_ms)
            if shard_of(sign_up["user"]["id"]) == shard:
                records.append(self._take(shard, sign_up, arrived_ms))
        return records

    def _sign_up(self, arrived_ms: int) -> dict[str, Any]:
        chance = self._chance
        self._users += 1
        given, family = chance.choice(GIVEN_NAMES), chance.choice(FAMILY_NAMES)
        country, postal_code, city, street = chance.choice(PLACES)
        user = {
            "id": f"user-{self._users:06d}",
            "name": f"{given} {family}",
            "email": f"user{self._users:06d}@example.com",
        }
        if country in PHONE_PREFIXES and chance.random() < 0.6:
            user["phone"] = f"{PHONE_PREFIXES[country]}{chance.randint(10, 99)}"
        return {
            "user": user,
            "location": {
                "country": country,
                "postal_code": postal_code,
                "city": city,
                "street": f"{street} {chance.randint(1, 120)}",
            },
            "signed_up_at": iso_ms(arrived_ms - chance.randint(15, 120)),
        }

    def _take(self, shard: int, sign_up: dict[str, Any], arrived_ms: int) -> KinesisRecord:
        self._taken += 1
        return make_record(
            position=sequence_number(shard, self._taken, arrived_ms),
            key=sign_up["user"]["id"],
            arrived_ms=arrived_ms,
            base64=_base64(json.dumps(sign_up, ensure_ascii=False).encode()),
            shard_id=shard_id(shard),
            ordinal=self._taken,
        )


def shard_of(partition_key: str) -> int:
    """The shard of a new stream that takes a key: by MD5, ranges of equal size, remainder last."""
    hash_key = int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())
    return min(hash_key // (2**128 // SHARDS), SHARDS - 1)


def shard_id(shard: int) -> str:
    """`shardId-000000000002`."""
    return f"shardId-{shard:012d}"


def sequence_number(shard: int, count: int, arrived_ms: int) -> int:
    """Laid out in hexadecimal digits as those that AWS gives are seen to be.

    A 2, the second of the stream's creation, the shard, a counter, the second of arrival, the shard
    once more, a 2. Nothing reads it so: it is here to make numbers of the right length and order.
    """
    created_s, arrived_s = STREAM_CREATED_MS // 1000, arrived_ms // 1000
    digits = f"2{created_s:09x}{shard:x}{count:016x}00{arrived_s:09x}{shard:08x}2"
    number = int(digits, 16)
    assert len(str(number)) == SEQUENCE_DIGITS
    return number


def truncated(record: KinesisRecord) -> KinesisRecord:
    """The record with the second half of its payload missing: JSON that stops in mid-text."""
    return make_record(
        position=record.position,
        key=record.key,
        arrived_ms=record.arrived_ms,
        base64=_base64(record.data[: len(record.data) // 2]),
        shard_id=record.shard_id,
        ordinal=record.ordinal,
    )


def event(records: Sequence[KinesisRecord]) -> dict[str, Any]:
    """The Lambda event that holds records of one shard."""
    return KinesisEvents(STREAM_ARN, REGION, ROLE_ARN).build(records[0].shard_id, records)


def on_failure(records: Sequence[KinesisRecord], request_id: str) -> dict[str, Any]:
    """What Lambda puts in a bucket: the invocation record, and the event as text.

    Three attempts: a mapping with MaximumRetryAttempts 2 and without bisect.
    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    first, last = records[0], records[-1]
    return {
        "requestContext": {
            "requestId": request_id,
            "functionArn": FUNCTION_ARN,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": iso_ms(last.arrived_ms + 2_730),
        "KinesisBatchInfo": {
            "shardId": first.shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": iso_ms(first.arrived_ms),
            "approximateArrivalOfLastRecord": iso_ms(last.arrived_ms),
            "batchSize": len(records),
            "streamArn": STREAM_ARN,
        },
        "payload": json.dumps(event(records), separators=(",", ":"), ensure_ascii=False),
    }


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file's name and what is in it."""
    stream = Stream(random.Random(SEED))
    yield "batch.json", event(stream.batch(shard=1, size=12, start="2026-03-02T09:15:00Z"))

    poisoned = stream.batch(shard=0, size=12, start="2026-03-02T09:40:00Z")
    poisoned[POISON_AT] = truncated(poisoned[POISON_AT])
    yield "poison.json", event(poisoned)

    failed = stream.batch(shard=2, size=4, start="2026-03-02T10:05:00Z")
    yield "on-failure.json", on_failure(failed, "6f0c4b1e-93d4-4a57-8a3e-2d5b1c7f9e60")

    for shard, size in enumerate((9, 7, 8)):
        records = stream.batch(shard=shard, size=size, start="2026-03-02T11:00:00Z")
        yield f"shard-{shard}.json", event(records)


class Orders:
    """A table of orders in which something happens from time to time."""

    def __init__(self) -> None:
        self._now_ms = parse_instant("2026-03-02T12:00:00Z")
        self._table = DynamoDbTable(
            "orders", ("customer", "order"), now=lambda: self._now_ms, region=REGION
        )
        self._told = 0

    def put(self, order: int, state: str, **more: object) -> None:
        """Write an order, new or changed."""
        self._now_ms += 1_250
        item = {"customer": f"c-{order % 3}", "order": order, "state": state, **more}
        self._table.put_item(item)

    def expire(self, order: int) -> None:
        """Delete an order as Time To Live does."""
        self._now_ms += 1_250
        self._table.ttl_delete({"customer": f"c-{order % 3}", "order": order})

    def news(self) -> list[DynamoDbRecord]:
        """The records since this was asked last."""
        found = self._table.records[self._told :]
        self._told += len(found)
        return found

    def event(self, records: Sequence[DynamoDbRecord]) -> dict[str, Any]:
        """The Lambda event that holds them."""
        return DynamoDbEvents(self._table.arn, REGION).build(records[0].shard_id, records)

    def output(self, records: Sequence[DynamoDbRecord]) -> dict[str, Any]:
        """What `aws dynamodbstreams get-records` prints of them."""
        found = self.event(records)["Records"]
        for record in found:
            del record["eventSourceARN"]
            part = record["dynamodb"]
            written_ms = int(part["ApproximateCreationDateTime"]) * 1000
            part["ApproximateCreationDateTime"] = iso_s(written_ms).replace("Z", "+00:00")
            if identity := record.pop("userIdentity", None):
                record["userIdentity"] = {
                    "PrincipalId": identity["principalId"],
                    "Type": identity["type"],
                }
        return {"Records": found}


def documents_of_orders() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file's name and what is in it."""
    orders = Orders()
    for number in range(101, 107):
        orders.put(number, "new", total=Decimal("9.95") * (number % 4 + 1), note=b"\x00note")
    orders.put(102, "paid", total=Decimal("29.85"), tags={"gift", "express"})
    yield "orders.json", orders.event(orders.news())

    orders.put(103, "paid", total=Decimal("39.8"))
    orders.expire(104)
    yield "get-records.json", orders.output(orders.news())


FOLDERS = {"bandwidth_enrichment": documents, "dynamodb": documents_of_orders}


def texts(folder: str) -> dict[str, str]:
    """The name and text of each file of a folder."""
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in FOLDERS[folder]()
    }


def main(events: Path) -> None:
    """Write the folders into one."""
    for folder in FOLDERS:
        (events / folder).mkdir(parents=True, exist_ok=True)
        for name, text in texts(folder).items():
            (events / folder / name).write_text(text, encoding="utf-8")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
