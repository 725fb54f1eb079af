"""Kinesis over HTTP on loopback, in the test's own time, whose next answers can be anything."""

from __future__ import annotations

import base64
import json
import socket
import struct
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from esm.embedded.api import ApiError
from esm.embedded.kinesis_api import KinesisApi
from esm.sources.memory import KinesisStream

START_MS = 1_767_225_600_000
Respond = Callable[["Handler"], None]


class ScriptedKinesis:
    """One stream behind a server. `asked` keeps each operation with its parameters."""

    def __init__(self) -> None:
        self.begin()
        self._port = 0
        self.start()

    def begin(self, shards: int = 1) -> None:
        """As new: an empty stream, nothing asked, and nothing to come in the place of an answer."""
        self.now_ms = START_MS
        self.stream = KinesisStream("orders", shards, now=lambda: self.now_ms)
        self.api = KinesisApi({"orders": self.stream})
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: dict[str, str] = {}
        self.over = Event()
        self._script: dict[str, deque[Respond]] = defaultdict(deque)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, after a `stop` where it listened before."""
        server = self._server = Server(("127.0.0.1", self._port), Handler)
        server.kinesis = self
        self._port = server.server_address[1]
        self._thread = Thread(target=server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.cut_connections()
        self._thread.join()

    def next(self, operation: str, *answers: Respond) -> None:
        """The next calls of an operation are answered so, each by one."""
        self._script[operation].extend(answers)

    def asked_for(self, operation: str) -> list[dict[str, Any]]:
        return [params for name, params in self.asked if name == operation]

    def respond(self, handler: Handler, operation: str, params: dict[str, Any]) -> None:
        self.asked.append((operation, params))
        if self._script[operation]:
            self._script[operation].popleft()(handler)
            return
        try:
            status, answer = 200, self.api.handle(operation, params, self.now_ms)
        except ApiError as error:
            status, answer = error.status, {"__type": error.code, "message": error.message}
        handler.answer(status, json.dumps(on_the_wire(answer)).encode())


class Server(ThreadingHTTPServer):
    kinesis: ScriptedKinesis

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def cut_connections(self) -> None:
        for connection in list(self._connections):
            connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.kinesis.respond(self, operation, json.loads(body))

    def answer(self, status: int, body: bytes, length: int | None = None) -> None:
        more = "".join(f"{k}: {v}\r\n" for k, v in self.server.kinesis.headers.items())
        head = f"HTTP/1.1 {status} Because\r\nContent-Length: {length or len(body)}\r\n{more}\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


# --- what may come in the place of an answer -----------------------------------------------------


def status(number: int, body: bytes = b"") -> Respond:
    return lambda handler: handler.answer(number, body)


def error(code: str, message: str = "so it is", number: int = 400) -> Respond:
    return status(number, json.dumps({"__type": code, "message": message}).encode())


def answer(**members: Any) -> Respond:
    return status(200, json.dumps(members).encode())


def reset(handler: Handler) -> None:
    """The connection is cut without a word."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True


def half_a_body(handler: Handler) -> None:
    handler.answer(200, b'{"Records": [{"Sequ', length=10_000)
    handler.close_connection = True


def nothing(handler: Handler) -> None:
    """No answer, for longer than the client waits."""
    handler.server.kinesis.over.wait(5)
    handler.close_connection = True


def on_the_wire(value: Any) -> Any:
    match value:
        case dict():
            return {name: on_the_wire(member) for name, member in value.items()}
        case list():
            return [on_the_wire(member) for member in value]
        case bytes():
            return base64.b64encode(value).decode()
        case datetime():
            return value.timestamp()
    return value
