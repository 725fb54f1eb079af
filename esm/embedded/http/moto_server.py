"""moto's own server, without its listener: requests go in as WSGI has them, in a world of ours."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import unquote_to_bytes

from esm.embedded.api import ApiError
from esm.embedded.http.messages import Answer, Headers, Request
from esm.embedded.moto_world import MotoWorld

_OURS = "the embedded AWS has its own"
_NOT_SERVED: Mapping[str, str] = {
    "kinesis": _OURS,
    "dynamodb": _OURS,
    "dynamodb_v20111205": _OURS,
    "dynamodbstreams": _OURS,
    "moto_api": "it would change what is embedded behind everybody's back",
    "instance_metadata": "nobody gets credentials from here",
    # A stack could make streams, tables and mappings past ours.
    "cloudformation": "the resources of a template are made by: esm serve -t template.yaml",
}
_MAPPINGS = "/2015-03-31/event-source-mappings"
# Answers to web pages, which do not get here, and what the listener says itself.
_LEFT_OUT = ("access-control-", "connection", "date", "server", "vary")


class MotoServer:
    """Calls of moto over one world; moto is not thread-safe: one call at a time."""

    def __init__(self, world: MotoWorld, account: str) -> None:
        self._world = world
        self._account = account

    def call(self, request: Request) -> Answer:
        """The answer of whatever service the request is for, if it is one that moto keeps."""
        _check_path(request)
        with self._world.inside():
            return self._answer(self._dispatcher, request)

    def call_dynamodb(self, request: Request) -> Answer:
        """The answer of DynamoDB's tables; moto's state must be in place."""
        return self._answer(self._dynamodb, request)

    def queue_wait_s(self, url: str, region: str) -> int:
        """How long a queue lets those wait who ask for messages; 0 for one that is not there."""
        with self._world.inside():
            from moto.sqs.models import sqs_backends

            queue = sqs_backends[self._account][region].queues.get(url.rpartition("/")[2])
            return int(getattr(queue, "receive_message_wait_time_seconds", None) or 0)

    def _answer(self, app: Any, request: Request) -> Answer:
        status, headers = "", []

        def start_response(line: str, fields: list[tuple[str, str]], _: Any = None) -> Any:
            nonlocal status, headers
            status, headers = line, fields

        try:
            parts = app(_environ(request, self._account), start_response)
        except NotImplementedError as error:
            raise ApiError("NotEmulated", f"moto: {error}") from error
        try:
            body = b"".join(parts)
        finally:
            parts.close()
        if request.method == "HEAD":  # the length is that of what is not sent
            return Answer(int(status[:3]), b"", _headers(headers, _LEFT_OUT))
        return Answer(int(status[:3]), body, _headers(headers, (*_LEFT_OUT, "content-length")))

    @cached_property
    def _dispatcher(self) -> Any:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        class Dispatcher(DomainDispatcherApplication):
            """Knows which of moto's services are not for here."""

            def get_backend_for_host(self, host: str | None) -> Any:
                return None if host is None else _served(host, self.backend_url_patterns)

            def get_application(self, environ: dict[str, Any]) -> Any:
                try:
                    return super().get_application(environ)
                except (LookupError, ValueError) as error:
                    what = "the signature does not tell which service is meant"
                    raise ApiError("IncompleteSignature", what) from error

        return Dispatcher(create_backend_app)

    @cached_property
    def _dynamodb(self) -> Any:
        from moto.moto_server.werkzeug_app import create_backend_app

        return create_backend_app("dynamodb")


def _check_path(request: Request) -> None:
    path = unquote_to_bytes(request.path).decode("latin-1")
    if path.startswith("/moto-api"):
        raise ApiError("NotEmulated", f"/moto-api is not answered: {_NOT_SERVED['moto_api']}", 403)
    if path.startswith(_MAPPINGS):
        raise ApiError(
            "NotEmulated",
            "event source mappings are those of the template: esm run -t template.yaml",
        )


def _served(host: str, patterns: Any) -> str:
    """moto's name of a service; raises ApiError for what is not answered by it."""
    from moto import backends

    known = {*_NOT_SERVED, *backends.list_of_moto_modules()}
    by_host = (name for name, pattern in patterns if pattern.match(f"http://{host}"))
    name: str | None = host if host in known else next(by_host, None)
    why = "moto does not know it" if name is None else _NOT_SERVED.get(name)
    if name is None or why is not None:
        shown = name or host.partition(".")[0]
        raise ApiError("NotEmulated", f"{shown} is not answered here: {why}", 403)
    return name


def _environ(request: Request, account: str) -> dict[str, Any]:
    """https://peps.python.org/pep-3333/#environ-variables"""
    query = request.query.decode("latin-1")
    raw_path = request.path.decode("latin-1")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
        "RAW_URI": f"{raw_path}?{query}" if query else raw_path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    _add_headers(environ, request.headers)
    environ["CONTENT_LENGTH"] = str(len(request.body))
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
    return environ


def _add_headers(environ: dict[str, Any], headers: Headers) -> None:
    """WSGI cannot tell `_` from `-`; moto is told how metadata of S3 was written."""
    from moto.core.request import (
        PRESERVED_HEADER_NAMES_ENVIRON_KEY,
        environ_key_for_header,
        should_preserve_original_header_name,
    )

    written: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name and not should_preserve_original_header_name(name):
            continue
        key = environ_key_for_header(name)
        environ[key] = f"{environ[key]},{value}" if key in environ else value
        if "_" in name:
            written[key] = name
    environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = written


def _headers(fields: list[tuple[str, str]], left_out: tuple[str, ...]) -> Headers:
    return [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in fields
        if not name.lower().startswith(left_out)
    ]
