"""The ASGI application: guard, size, answer.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from esm.embedded.api import ApiError
from esm.embedded.http.guard import why_refused
from esm.embedded.http.messages import Answer, Headers, Request, Streamed, refusal
from esm.errors import EsmError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Respond = Callable[[Request], Awaitable[Answer | Streamed]]

BODY_BYTES = 64 * 1024 * 1024
"""More than PutRecords' 10 MB in base64; larger objects go to S3 in parts."""

_LOG = logging.getLogger(__name__)


class App:
    """Lets through what may come in, and writes what `respond` answers."""

    def __init__(self, respond: Respond, body_bytes: int = BODY_BYTES) -> None:
        self._respond = respond
        self._body_bytes = body_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        headers: Headers = scope["headers"]
        why = why_refused(headers)
        if why is not None:
            await _write(send, _closing(403, why))
            return
        try:
            body = await _body(headers, receive, self._body_bytes)
        except _ClientGone:
            return
        if body is None:
            await _write(send, _closing(413, f"a request has at most {self._body_bytes:,} bytes"))
            return
        request = Request(scope["method"], scope["raw_path"], scope["query_string"], headers, body)
        answer = await self._answer(request)
        if isinstance(answer, Streamed):
            await _stream(receive, send, answer)
        else:
            await _write(send, answer)

    async def _answer(self, request: Request) -> Answer | Streamed:
        try:
            return await self._respond(request)
        except (ApiError, EsmError) as error:
            return refusal(error, request)
        except RecursionError:
            deep = ApiError("SerializationException", "the body is nested too deeply")
            return refusal(deep, request)
        except Exception as error:
            # Whatever it is, its client learns of it and the server goes on.
            what = f"{type(error).__name__}: {error}"
            asked = request.target or request.path.decode("latin-1")
            _LOG.warning("%s %s failed: %s", request.method, asked, what)
            _LOG.debug("where it failed", exc_info=True)
            return refusal(ApiError("InternalFailure", what, 500), request)


class _ClientGone(Exception):
    """Half of a request is no request."""


def plain(status: int, text: str, headers: Headers = ()) -> Answer:
    """An answer for people: one line of text."""
    kind = (b"content-type", b"text/plain; charset=utf-8")
    return Answer(status, f"{text}\n".encode(), [kind, *headers])


def _closing(status: int, text: str) -> Answer:
    """A refusal after which the connection ends, whatever of the request is still to come."""
    return plain(status, text, [(b"connection", b"close")])


async def _body(headers: Headers, receive: Receive, limit: int) -> bytes | None:
    """The whole body, None if it is too large."""
    for name, value in headers:
        if name == b"content-length" and int(value) > limit:
            return None
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _write(send: Send, answer: Answer) -> None:
    headers = [*answer.headers]
    if all(name != b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _stream(receive: Receive, send: Send, answer: Streamed) -> None:
    """Write part by part, until the last one or until the connection is lost."""

    async def write(part: bytes) -> None:
        await send({"type": "http.response.body", "body": part, "more_body": True})

    await send({"type": "http.response.start", "status": 200, "headers": [*answer.headers]})
    writing = asyncio.create_task(answer.parts(write))
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({writing, gone}, return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            writing.result()
    except Exception:
        _LOG.exception("an answer broke off")
        return  # without its end, which a client takes for a lost connection
    finally:
        for task in (writing, gone):
            task.cancel()
        await asyncio.wait({writing, gone})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
