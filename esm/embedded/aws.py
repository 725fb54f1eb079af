"""The embedded AWS: streams, tables and all that is around them, over HTTP on this machine.

It lives in memory and dies with its process; each start is a new incarnation, whose streams have
nothing to do with those of the one before.
"""

from __future__ import annotations

import random
import secrets
from types import TracebackType
from typing import Self

from esm.clock import SystemClock
from esm.embedded.http.app import App
from esm.embedded.http.dispatch import Dispatcher, Services
from esm.embedded.http.moto_server import MotoServer
from esm.embedded.http.own_pages import OwnPages
from esm.embedded.http.regions import Region, World
from esm.embedded.http.server import HOST, Server
from esm.embedded.moto_world import MotoWorld
from esm.embedded.redshift_data import RedshiftDataApi
from esm.embedded.redshift_warehouse import Warehouse
from esm.embedded.sagemaker import SageMakerApi, SageMakerEndpoint
from esm.embedded.surroundings import DEFAULT_REGION
from esm.errors import EndpointError
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.memory import FAN_OUT_DELAY_MS, KinesisStream

DEFAULT_PORT = 4577
ACCOUNT = "123456789012"


class EmbeddedAws:
    """A server from `start` to `stop`, or as long as `with` lasts.

    `port` None: the usual one, or a free one if that is taken; 0: a free one. `region` is that of
    requests that are not signed for one. `limits`: whether shards have AWS's limits.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        region: str = DEFAULT_REGION,
        account: str = ACCOUNT,
        limits: bool = False,
        fan_out_delay_ms: int = FAN_OUT_DELAY_MS,
    ) -> None:
        self.region = region
        self.account = account
        self.incarnation = secrets.token_hex(8)
        self.now = SystemClock().now_ms
        self.world = MotoWorld()
        self._asked_port = port
        self._port: int | None = None
        moto = MotoServer(self.world, account)
        self._kept = World(account, moto, self.world, self.now, limits, fan_out_delay_ms)
        self._regions: dict[str, Region] = {}
        self._pages = pages = OwnPages(self.in_region, self.world, self.now, self.incarnation)
        chance = random.Random(0)  # noqa: S311  (latencies of models, which are none here)
        services = Services(
            self.in_region,
            lambda: list(self._regions.values()),
            moto,
            SageMakerApi(pages.endpoints, chance, account),
            RedshiftDataApi(pages.warehouses),
            pages,
        )
        self._dispatcher = Dispatcher(services, self.now)
        app = App(self._dispatcher.respond)
        self._server = Server(app, self._dispatcher.keep_up, self.incarnation)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<EmbeddedAws {self.url if self._port else 'not started'}: {self.incarnation}>"

    @property
    def url(self) -> str:
        """What clients are told as their endpoint."""
        assert self._port is not None, "it is started first"
        return f"http://{HOST}:{self._port}"

    @property
    def streams(self) -> dict[str, KinesisStream]:
        """The streams of its own region, by name."""
        return self.in_region(None).streams

    @property
    def tables(self) -> dict[str, DynamoDbTable]:
        """The tables of its own region that have a stream, by name."""
        return self.in_region(None).tables

    @property
    def models(self) -> dict[str, SageMakerEndpoint]:
        """The SageMaker endpoints, by name."""
        return self._pages.endpoints

    @property
    def warehouses(self) -> dict[str, Warehouse]:
        """The Redshift warehouses, by name."""
        return self._pages.warehouses

    def in_region(self, name: str | None) -> Region:
        """What is kept for a region, None for its own."""
        name = self.region if name is None else name
        region = self._regions.get(name)
        if region is None:
            region = self._regions.setdefault(name, Region(name, self._kept))
        return region

    def start(self) -> None:
        """Listen. Raises EndpointError E535 when the port was asked for and is taken."""
        assert self._port is None, "it is started once; each start is an incarnation"
        if self._asked_port is not None:
            self._port = self._server.start(self._asked_port)
            return
        try:
            self._port = self._server.start(DEFAULT_PORT)
        except EndpointError as error:
            if error.esm_code != "E535":
                raise
            self._port = self._server.start(0)

    def stop(self) -> None:
        """Answer what is in flight and free the port; once more does nothing."""
        self._server.stop(self._dispatcher.stop)
