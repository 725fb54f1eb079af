"""SubscribeToShard over HTTP: the answer is an event stream that lasts up to five minutes.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from esm.embedded.api import ApiError
from esm.embedded.http import event_stream
from esm.embedded.http.messages import Request, Streamed, Write, request_id
from esm.embedded.http.shapes import parameters
from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.kinesis_subscribe import Subscription

OPERATION = "SubscribeToShard"
_EVENT = "SubscribeToShardEvent"
_MS = 1_000


class Pushing:
    """The subscriptions of one server; `now` gives epoch milliseconds."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._wakers: set[asyncio.Event] = set()
        self._is_stopping = False

    def stop(self) -> None:
        """End all of them; in the listener's thread."""
        self._is_stopping = True
        for waker in self._wakers:
            waker.set()

    def subscribe(self, kinesis: KinesisApi, request: Request) -> Streamed:
        """A new one; raises ApiError where AWS refuses it."""
        loop, waker = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # a producer in this process may outlive the server
                loop.call_soon_threadsafe(waker.set)

        params = parameters(kinesis.service, OPERATION, request.body)
        subscription = kinesis.subscribe(params, self._now(), wake)

        async def parts(write: Write) -> None:
            self._wakers.add(waker)
            try:
                await self._push(subscription, waker, write)
            finally:
                self._wakers.discard(waker)
                subscription.close()

        kind = (b"content-type", event_stream.CONTENT_TYPE)
        return Streamed(parts, [kind, request_id()])

    async def _push(self, subscription: Subscription, waker: asyncio.Event, write: Write) -> None:
        await write(event_stream.initial_response())
        while not self._is_stopping:
            waker.clear()
            try:
                pushed = subscription.next_event(self._now())
            except ApiError as error:
                await write(event_stream.exception(error))
                return
            if pushed is not None:
                await write(event_stream.event(_EVENT, pushed.json()))
            if subscription.is_over:
                return
            await self._wait(subscription, waker)

    async def _wait(self, subscription: Subscription, waker: asyncio.Event) -> None:
        now_ms = self._now()
        wait_ms = subscription.ready_ms(now_ms) - now_ms
        if wait_ms <= 0 or self._is_stopping:
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(wait_ms / _MS, waker.set)
        try:
            await waker.wait()
        finally:
            timer.cancel()
