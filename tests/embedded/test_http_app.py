"""The ASGI application alone, with messages as a server would bring them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from esm.embedded.http.app import App
from esm.embedded.http.messages import Answer, Request, Streamed, Write, json_answer

LIMIT = 10


def asked(
    messages: Sequence[dict[str, Any]], answer: Answer | Streamed | Exception
) -> list[dict[str, Any]]:
    """What the application sends for a request that comes in these messages."""
    sent: list[dict[str, Any]] = []
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def respond(request: Request) -> Answer | Streamed:
        if isinstance(answer, Exception):
            raise answer
        return answer

    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    asyncio.run(App(respond, LIMIT)(scope, receive, send))
    return sent


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def test_a_body_in_parts_that_grows_too_large_is_refused():
    start, *_ = asked([part(b"x" * LIMIT, more=True), part(b"x")], json_answer({}))
    assert start["status"] == 413
    assert (b"connection", b"close") in start["headers"]


def test_a_body_in_parts_of_the_right_size_is_answered():
    start, body = asked([part(b"x" * 4, more=True), part(b"x" * 6)], json_answer({"a": 1}))
    assert (start["status"], body["body"]) == (200, b'{"a":1}')


def test_nobody_is_answered_who_has_gone():
    assert asked([part(b"x", more=True), GONE], json_answer({})) == []


def test_what_goes_wrong_inside_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture):
    start, body = asked([part(b"")], KeyError("DEFAULT"))
    assert start["status"] == 500
    assert b"KeyError: 'DEFAULT'" in body["body"]
    assert caplog.messages == ["POST / failed: KeyError: 'DEFAULT'"]


def test_a_stream_that_breaks_off_has_no_end(caplog: pytest.LogCaptureFixture):
    async def parts(write: Write) -> None:
        await write(b"1")
        raise ZeroDivisionError

    sent = asked([part(b"")], Streamed(parts))
    assert [message.get("body") for message in sent] == [None, b"1"]
    assert "an answer broke off" in caplog.text


def test_a_stream_ends_when_its_reader_goes():
    ended = []

    async def parts(write: Write) -> None:
        try:
            await write(b"1")
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    sent = asked([part(b""), GONE], Streamed(parts))
    assert ended == [True]
    assert [message.get("body") for message in sent] == [None, b"1", b""]
