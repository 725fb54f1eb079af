"""What is kept for each region: streams, and tables with their streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from esm.embedded.dynamodb_streams import DynamoDbStreamsApi
from esm.embedded.http.moto_server import MotoServer
from esm.embedded.http.tables import TablesFront
from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.moto_world import MotoWorld, Site
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.memory import KinesisStream
from esm.template.aws import CONSUMER_CREATED

CONSUMERS_CREATED_MS = int(CONSUMER_CREATED) * 1_000
"""In the ARN of every consumer, as the template's `Fn::GetAtt` has it."""


@dataclass(frozen=True, slots=True)
class World:
    """What the regions share; `now` gives epoch milliseconds."""

    account: str
    moto: MotoServer
    state: MotoWorld
    now: Callable[[], int]
    limits: bool
    fan_out_delay_ms: int


class Region:
    """Streams and tables of one region by name, and the services that speak of them."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self.streams: dict[str, KinesisStream] = {}
        self.tables: dict[str, DynamoDbTable] = {}
        self._world = world
        self.kinesis = KinesisApi(
            self.streams,
            self._make_stream,
            account=world.account,
            region=name,
            consumer_created_ms=CONSUMERS_CREATED_MS,
        )
        self.table_streams = DynamoDbStreamsApi(self.tables)
        self.site = Site(world.account, name)
        self.dynamodb = TablesFront(self.tables, world.moto, world.state, self.site, world.now)

    def _make_stream(self, name: str, shards: int, *, max_record_size_kib: int) -> KinesisStream:
        world = self._world
        return KinesisStream(
            name,
            shards,
            limits=world.limits,
            now=world.now,
            region=self.name,
            account=world.account,
            max_record_size_kib=max_record_size_kib,
            fan_out_delay_ms=world.fan_out_delay_ms,
        )
