"""Long polling of queues: moto would wait asleep, and nobody else would be answered meanwhile.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from esm.embedded.http.messages import Answer, Request, as_json
from esm.embedded.http.shapes import json_of

RECEIVE = "AmazonSQS.ReceiveMessage"
_WAIT_MAX_S = 20
_PAUSE_S = 0.05
_WAIT, _QUEUE = "WaitTimeSeconds", "QueueUrl"
_FORM_RECEIVE = re.compile(rb"(?:^|&)Action=ReceiveMessage(?:&|$)")


def is_receive(request: Request) -> bool:
    """Whether somebody wants messages of a queue."""
    if request.target == RECEIVE:
        return True
    is_form = request.content_type == "application/x-www-form-urlencoded"
    return is_form and _FORM_RECEIVE.search(request.body) is not None


async def received(
    request: Request,
    call: Callable[[Request], Awaitable[Answer]],
    usual_wait_s: Callable[[str], Awaitable[int]],
    stopping: asyncio.Event,
) -> Answer:
    """Messages as soon as there are some, or none when the wait is over.

    `usual_wait_s` tells how long the queue of a URL lets those wait who do not say.
    """
    said = _Said.by(request)
    wait_s = await usual_wait_s(said.queue_url) if said.wait_s is None else said.wait_s
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait_s, _WAIT_MAX_S)
    while True:
        answer = await call(said.at_once)
        is_over = loop.time() >= deadline
        if is_over or answer.status != 200 or b"ReceiptHandle" in answer.body:
            return answer
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _PAUSE_S)
            return answer


@dataclass(frozen=True, slots=True)
class _Said:
    """Which queue is meant, how long to wait, and the request for what is there now."""

    queue_url: str
    wait_s: int | None
    at_once: Request

    @classmethod
    def by(cls, request: Request) -> _Said:
        if request.target == RECEIVE:
            return cls._by_json(request)
        said = dict(parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))
        body = urlencode({**said, _WAIT: "0"}).encode()
        return cls(said.get(_QUEUE, ""), _seconds(said.get(_WAIT)), replace(request, body=body))

    @classmethod
    def _by_json(cls, request: Request) -> _Said:
        params = json_of(request.body)
        if not isinstance(params, dict):
            return cls("", 0, request)  # moto says what is wrong with it
        body = as_json({**params, _WAIT: 0})
        wait_s = _seconds(params.get(_WAIT))
        return cls(str(params.get(_QUEUE, "")), wait_s, replace(request, body=body))


def _seconds(value: object) -> int | None:
    return int(str(value)) if str(value).isdecimal() else None
