"""Who answers a request: ours for streams, tables, models and warehouses, moto for all else.

Streams are answered in the listener's own thread, because they are quick. moto has one thread for
itself and warehouses have one, because they can do one thing at a time, and models have several:
whoever is slow keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from esm.embedded.api import ApiError
from esm.embedded.http.json_service import answered, require_json
from esm.embedded.http.messages import Answer, Request, Streamed, json_body
from esm.embedded.http.models import PATH as MODELS
from esm.embedded.http.models import invoked
from esm.embedded.http.moto_server import MotoServer
from esm.embedded.http.own_pages import PREFIX, OwnPages
from esm.embedded.http.pushing import OPERATION as SUBSCRIBE
from esm.embedded.http.pushing import Pushing
from esm.embedded.http.queues import is_receive, received
from esm.embedded.http.regions import Region
from esm.embedded.kinesis_wire import handle_json
from esm.embedded.redshift_data import RedshiftDataApi
from esm.embedded.sagemaker import SageMakerApi

_THREADS = 8
_UPKEEP_S = 0.5  # ours: on AWS, Time To Live deletes within a few days

_LOG = logging.getLogger(__name__)

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Services:
    """All that is embedded; `region_of` gives what is kept for a region, None for the usual one."""

    region_of: Callable[[str | None], Region]
    regions: Callable[[], list[Region]]
    moto: MotoServer
    models: SageMakerApi
    warehouses: RedshiftDataApi
    pages: OwnPages


class Dispatcher:
    """Answers requests from when it is made until `stop`; `now` gives epoch milliseconds."""

    def __init__(self, services: Services, now: Callable[[], int]) -> None:
        self._services = services
        self._now = now
        self._moto_thread = ThreadPoolExecutor(1, "esm-moto")
        self._warehouse_thread = ThreadPoolExecutor(1, "esm-warehouse")
        self._model_threads = ThreadPoolExecutor(_THREADS, "esm-model")
        self._pushing = Pushing(now)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let whoever waits for something wait no longer; in the listener's thread."""
        self._stopping.set()
        self._pushing.stop()
        for threads in (self._moto_thread, self._warehouse_thread, self._model_threads):
            threads.shutdown(wait=False)

    async def keep_up(self) -> None:
        """Let tables do what they do by themselves, as long as the server runs."""
        while not await self._stops_within(_UPKEEP_S):
            for region in self._services.regions():
                try:
                    await self._in_moto(region.dynamodb.expire)
                    region.dynamodb.roll()
                except Exception:  # the next time may be better, and requests are answered
                    _LOG.exception("the tables of %s were not kept up", region.name)

    async def _stops_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    async def respond(self, request: Request) -> Answer | Streamed:
        """The answer to one request. Raises ApiError and EsmError where it is an error."""
        service, _, operation = request.target.rpartition(".")
        match service:
            case "Kinesis_20131202":
                return self._kinesis(operation, request)
            case "DynamoDBStreams_20120810":
                streams = self._region(request).table_streams
                return answered(streams, operation, request, self._now())
            case "DynamoDB_20120810":
                tables = self._region(request).dynamodb
                return await self._in_moto(tables.call, operation, request)
            case "RedshiftData":
                threads, warehouses = self._warehouse_thread, self._services.warehouses
                now_ms = self._now()
                return await self._run(threads, answered, warehouses, operation, request, now_ms)
        if request.target and not service:
            raise ApiError("UnknownOperationException", f"no operation: {request.target!r}")
        return await self._by_path(request)

    async def _by_path(self, request: Request) -> Answer:
        if request.method == "POST" and MODELS.fullmatch(request.path):
            threads, models = self._model_threads, self._services.models
            answer, latency_s = await self._run(threads, invoked, models, request, self._now())
            await asyncio.sleep(latency_s)
            return answer
        if request.path.startswith(PREFIX):
            pages = self._services.pages
            if request.method == "GET":
                return pages.call(request)
            return await self._run(self._warehouse_thread, pages.call, request)
        if is_receive(request):
            return await self._receive(request)
        return await self._ask_moto(request)

    async def _receive(self, request: Request) -> Answer:
        region = self._region(request).name

        async def usual_wait_s(queue_url: str) -> int:
            return await self._in_moto(self._services.moto.queue_wait_s, queue_url, region)

        return await received(request, self._ask_moto, usual_wait_s, self._stopping)

    def _kinesis(self, operation: str, request: Request) -> Answer | Streamed:
        require_json(request)
        kinesis = self._region(request).kinesis
        if operation == SUBSCRIBE:
            return self._pushing.subscribe(kinesis, request)
        return json_body(handle_json(kinesis, operation, request.body, self._now()))

    def _region(self, request: Request) -> Region:
        scope = request.scope
        return self._services.region_of(None if scope is None else scope.region)

    async def _ask_moto(self, request: Request) -> Answer:
        return await self._in_moto(self._services.moto.call, request)

    async def _in_moto(self, call: Callable[..., Done], *args: object) -> Done:
        return await self._run(self._moto_thread, call, *args)

    async def _run(
        self, threads: ThreadPoolExecutor, call: Callable[..., Done], *args: object
    ) -> Done:
        if self._stopping.is_set():
            raise ApiError("ServiceUnavailable", "the embedded AWS is being stopped", 503)
        return await asyncio.get_running_loop().run_in_executor(threads, call, *args)
