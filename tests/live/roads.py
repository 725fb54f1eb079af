"""Streams of an embedded AWS, read over a road, and what a run tells of its troubles."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from live_world import World
from road import Road

from esm.cli.live_lines import Problems
from esm.embedded.aws import EmbeddedAws
from esm.pipeline import Pipeline
from esm.settings import Settings
from esm.sources.dynamodb import DynamoDbStreamSource
from esm.sources.kinesis import KinesisSource
from esm.sources.kinesis_subscription import KinesisConsumerSource
from esm.sources.kinesis_subscription_pace import Pace
from esm.sources.live_clients import live_client
from esm.trace import Entry

REGION = "us-east-1"
KEYS = 16
SHARDS = 2
BAD_ROAD = Settings(poll_failure_first="20ms", poll_failure_cap="80ms", throttle_first="20ms")
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d  ")


@dataclass
class Traffic:
    """Numbered records of a few keys: those that were put, and those that have arrived."""

    name: str
    clients: Callable[[str], Any]
    put_count: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def create(self) -> str:
        """The stream; gives the ARN that a mapping names."""
        kinesis = self.clients("kinesis")
        kinesis.create_stream(StreamName=self.name, ShardCount=SHARDS)
        answer = kinesis.describe_stream_summary(StreamName=self.name)
        return str(answer["StreamDescriptionSummary"]["StreamARN"])

    def source(self, arn: str, url: str) -> Any:
        return KinesisSource(arn, live_client("kinesis", url, REGION))

    def put(self, count: int) -> None:
        for number in self._numbers(count):
            self.clients("kinesis").put_record(
                StreamName=self.name, Data=str(number), PartitionKey=str(number % KEYS)
            )

    def _numbers(self, count: int) -> range:
        first, self.put_count = self.put_count, self.put_count + count
        return range(first, self.put_count)

    @property
    def arrived(self) -> list[int]:
        records = [record for event in self.events for record in event["Records"]]
        return [int(base64.b64decode(each["kinesis"]["data"])) for each in records]

    @property
    def newest(self) -> set[str]:
        """The sequence number of the last record of each shard that has arrived."""
        records = [record for event in self.events for record in event["Records"]]
        return set(dict(each["eventID"].split(":") for each in records).values())

    @property
    def has_arrived(self) -> bool:
        return len(self.arrived) >= self.put_count

    def require_all_in_order(self) -> None:
        arrived = self.arrived
        assert sorted(arrived) == list(range(self.put_count))
        for key in range(KEYS):
            of_key = [number for number in arrived if number % KEYS == key]
            assert of_key == sorted(of_key)


class Pushed(Traffic):
    """The same, for a consumer to which it is pushed."""

    def create(self) -> str:
        kinesis = self.clients("kinesis")
        answer = kinesis.register_stream_consumer(StreamARN=super().create(), ConsumerName="own")
        return str(answer["Consumer"]["ConsumerARN"])

    def source(self, arn: str, url: str) -> Any:
        pace = Pace(between_ms=20, first_ms=20, cap_ms=80, look_ms=200)
        return KinesisConsumerSource(arn, live_client("kinesis", url, REGION), pace=pace)


class Changes(Traffic):
    """Changes of a table."""

    def create(self) -> str:
        key = {"AttributeName": "id"}
        answer = self.clients("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[key | {"KeyType": "HASH"}],
            AttributeDefinitions=[key | {"AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        return str(answer["TableDescription"]["LatestStreamArn"])

    def source(self, arn: str, url: str) -> Any:
        return DynamoDbStreamSource(arn, live_client("dynamodbstreams", url, REGION))

    def put(self, count: int) -> None:
        for number in self._numbers(count):
            item = {"id": {"S": str(number % KEYS)}, "n": {"N": str(number)}}
            self.clients("dynamodb").put_item(TableName=self.name, Item=item)

    @property
    def arrived(self) -> list[int]:
        records = [record for event in self.events for record in event["Records"]]
        return [int(each["dynamodb"]["NewImage"]["n"]["N"]) for each in records]

    @property
    def newest(self) -> set[str]:
        records = [record for event in self.events for record in event["Records"]]
        return {records[-1]["dynamodb"]["SequenceNumber"]}


class Journey:
    """One run whose mapping reads its stream over a road."""

    def __init__(self, traffic: Traffic, aws: EmbeddedAws, settings: Settings) -> None:
        self.traffic = traffic
        self.road = Road(aws.url)
        self.lines: list[str] = []
        self._problems = Problems(self._tell)
        self.world = World(poll_ms=20, settings=settings, hear=self._hear)
        self.source, self.pipeline = self.add(traffic, self.road)

    def add(self, traffic: Traffic, road: Road) -> tuple[Any, Pipeline]:
        """One more mapping, whose stream is read over a road of its own."""
        source = traffic.source(traffic.create(), road.url)
        source.describe()
        return source, self.world.map(source, traffic.events.append)

    def _hear(self, entry: Entry) -> None:
        self.world.entries.append(entry)
        self._problems.hear(entry)

    def _tell(self, line: str) -> None:
        self.lines.append(_CLOCK.sub("", line))

    def put(self, count: int) -> None:
        self.traffic.put(count)

    def until_all_has_arrived(self) -> None:
        self.world.until(lambda: self.traffic.has_arrived)

    @property
    def saved(self) -> set[str]:
        """The sequence numbers of all checkpoints."""
        saved = self.world.store.load(self.pipeline.name, self.source.arn)
        return {self.source.sequence_number_of(each.position) for each in saved.values()}


@contextmanager
def journey(
    traffic: Traffic,
    aws: EmbeddedAws,
    settings: Settings = BAD_ROAD,
    beside: Sequence[tuple[Traffic, Road]] = (),
) -> Iterator[Journey]:
    """A run from its first records to its end; all of them have arrived then, and are saved."""
    made = Journey(traffic, aws, settings)
    for each in beside:
        made.add(*each)
    made.world.start()
    try:
        made.put(20)
        made.until_all_has_arrived()
        yield made
        made.put(20)
        made.until_all_has_arrived()
        made.world.stop()
    finally:
        made.road.close()
        made.world.live.stop()
    traffic.require_all_in_order()
    assert made.saved == traffic.newest
