"""Requests and answers as every part behind the listener sees them."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from esm.embedded.api import ApiError
from esm.errors import EsmError

Headers = Sequence[tuple[bytes, bytes]]
"""As ASGI has them: names in lower case."""

JSON = b"application/x-amz-json-1.1"
_FORM = "application/x-www-form-urlencoded"

# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
_SCOPE = re.compile(rb"(?:Credential=|X-Amz-Credential=)[^/%]+(?:/|%2F)\d+(?:/|%2F)([\w-]+)"
                    rb"(?:/|%2F)([\w-]+)(?:/|%2F)aws4_request")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """What a request is signed for."""

    region: str
    service: str


@dataclass(frozen=True)
class Request:
    """One request with its whole body; `path` is as it was sent, with its percent signs."""

    method: str
    path: bytes
    query: bytes
    headers: Headers
    body: bytes

    @cached_property
    def by_name(self) -> Mapping[bytes, bytes]:
        """The headers, of each name the last."""
        return dict(self.headers)

    @property
    def target(self) -> str:
        """The operation behind its service, as the JSON protocols have it; else nothing."""
        return self.by_name.get(b"x-amz-target", b"").decode("latin-1")

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case."""
        value = self.by_name.get(b"content-type", b"")
        return value.partition(b";")[0].strip().lower().decode("latin-1")

    @property
    def is_for_s3(self) -> bool:
        """Whether it is signed for S3, or not at all, as what is public there."""
        return self.scope is None or self.scope.service == "s3"

    @cached_property
    def scope(self) -> Scope | None:
        """What its signature is for; None for a request without one."""
        signature = self.by_name.get(b"authorization", b"") or self.query
        found = _SCOPE.search(signature)
        return found and Scope(found[1].decode(), found[2].decode().lower())


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    headers: Headers = ()


Write = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer in parts: `parts` writes them, and is cancelled when nobody listens any more."""

    parts: Callable[[Write], Coroutine[None, None, None]]
    headers: Headers = ()


def as_json(value: object) -> bytes:
    """A value as AWS's JSON protocols write it: blobs in base64, instants in epoch seconds."""
    return _ENCODER.encode(value).encode()


def json_answer(value: object) -> Answer:
    """What an operation answers."""
    return json_body(as_json(value))


def json_body(body: bytes) -> Answer:
    """What an operation answers, written already."""
    return Answer(200, body, [(b"content-type", JSON), request_id()])


def refusal(error: ApiError | EsmError, request: Request) -> Answer:
    """An error answer in the protocol of the request; our own errors are told in one line."""
    if isinstance(error, EsmError):
        error = not_emulated(error)
    if request.content_type == _FORM or (request.is_for_s3 and not request.target):
        return _refusal_in_xml(error, request)
    body = as_json({"__type": error.code, "message": error.message, **error.more})
    return Answer(error.status, body, [(b"content-type", JSON), request_id()])


def _refusal_in_xml(error: ApiError, request: Request) -> Answer:
    """https://smithy.io/2.0/aws/protocols/aws-query-protocol.html and S3's own form."""
    told = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    text = f"<Error>{told}</Error>"
    if not request.is_for_s3:
        text = f"<ErrorResponse>{text}</ErrorResponse>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
    return Answer(error.status, body, [(b"content-type", b"application/xml"), request_id()])


def not_emulated(error: EsmError) -> ApiError:
    """What AWS would do and we do not, as an answer that no client tries again."""
    more = [f"{name}: {text}" for name, text in (("why", error.why), ("fix", error.fix)) if text]
    return ApiError("NotEmulated", " · ".join([f"{error.esm_code} {error.message}", *more]))


def request_id() -> tuple[bytes, bytes]:
    """A header that tells this answer from all others."""
    return b"x-amzn-requestid", str(uuid4()).encode()


def _plain(value: object) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    assert isinstance(value, datetime), value
    return value.timestamp()


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=_plain)
