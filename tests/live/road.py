"""The way to an endpoint: a proxy on loopback on which things can go wrong."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlsplit

Trouble = Callable[["Traveller"], None]
"""What happens to a request in the place of its answer."""

_PATIENCE_S = 60
_HEAD = ("content-type", "date", "x-amzn-requestid", "x-esm-incarnation")
_PAGE = b"<html><body>Sign in to the hotel's network</body></html>"
HOST = "127.0.0.1"


class Road:
    """Leads to `url`. `trouble` is what happens to requests; `asked` are their operations.

    `held` counts those that a black hole has taken.
    """

    def __init__(self, url: str) -> None:
        self.target = urlsplit(url)
        self.trouble: Trouble | None = None
        self.asked: list[str] = []
        self.held = 0
        self.over = Event()
        self._port = 0
        self._server: _Server | None = None
        self.open()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    def open(self) -> None:
        """Listen, after `close` where it listened before."""
        self.over = Event()
        server = self._server = _Server((HOST, self._port), Traveller)
        server.road = self
        self._port = server.server_address[1]
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Nobody listens any more, and every connection is cut; once more does nothing."""
        server, self._server = self._server, None
        if server is not None:
            self.over.set()
            server.shutdown()
            server.server_close()
            server.cut_all()

    def cut(self) -> None:
        """Every connection that there is now is cut."""
        if self._server is not None:
            self._server.cut_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    road: Road

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lock = Lock()
        self._connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def cut_all(self) -> None:
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # its client was quicker
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was cut is what most of this is about."""


class Traveller(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        road = self.server.road
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        road.asked.append(self.operation)
        (road.trouble or pass_on)(self)

    def ask(self) -> tuple[HTTPConnection, HTTPResponse]:
        """The answer of the endpoint, to be read; the connection is to be closed."""
        target = self.server.road.target
        upstream = HTTPConnection(target.hostname or "", target.port, timeout=_PATIENCE_S)
        # The host is signed, and guarded: it stays the client's own.
        upstream.request(self.command, self.path, self.body, dict(self.headers))
        return upstream, upstream.getresponse()

    def first_answer(self) -> tuple[HTTPResponse, bytes]:
        """The whole, or the first piece of a stream."""
        upstream, response = self.ask()
        try:
            is_whole = response.length is not None
            return response, response.read() if is_whole else response.read1(65_536)
        finally:
            upstream.close()

    def answer(self, status: int, body: bytes, length: int | None = None, **head: str) -> None:
        head = {"Content-Length": str(len(body) if length is None else length)} | head
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in head.items()]
        self.wfile.write("\r\n".join([f"HTTP/1.1 {status} So", *lines, "", ""]).encode() + body)

    def hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


# --- what may happen ------------------------------------------------------------------------------


def pass_on(traveller: Traveller) -> None:
    """All is well: the answer as it is, piece by piece."""
    upstream, response = traveller.ask()
    try:
        kept = {name: value for name, value in response.getheaders() if name.lower() in _HEAD}
        if response.length is not None:
            traveller.answer(response.status, response.read(), **kept)
            return
        head = [f"{name}: {value}" for name, value in kept.items()]
        lines = [f"HTTP/1.1 {response.status} So", "Transfer-Encoding: chunked", *head, "", ""]
        traveller.wfile.write("\r\n".join(lines).encode())
        while piece := response.read1(65_536):
            traveller.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        traveller.wfile.write(b"0\r\n\r\n")
    finally:
        upstream.close()


def reset(traveller: Traveller) -> None:
    """The connection is reset."""
    linger = struct.pack("ii", 1, 0)
    traveller.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    traveller.hang_up()


def bad_request(traveller: Traveller) -> None:
    traveller.answer(400, b'{"__type": "InvalidThing", "message": "that is no thing"}')


def denied(traveller: Traveller) -> None:
    traveller.answer(400, b'{"__type": "AccessDeniedException", "message": "you may not"}')


def throttled(traveller: Traveller) -> None:
    traveller.answer(400, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}')


def broken_server(traveller: Traveller) -> None:
    traveller.answer(500, b"")


def page(traveller: Traveller) -> None:
    """A 200 with what somebody else has to say."""
    traveller.answer(200, _PAGE, Content_Type="text/html")


def cut_off(traveller: Traveller) -> None:
    """Half of the body comes, then the connection is gone."""
    response, body = traveller.first_answer()
    traveller.answer(response.status, body[: len(body) // 2], length=len(body))
    traveller.hang_up()


def half(traveller: Traveller) -> None:
    """Half of the body comes as if it were the whole."""
    response, body = traveller.first_answer()
    traveller.answer(response.status, body[: len(body) // 2])


def black_hole(traveller: Traveller) -> None:
    """It is taken and never answered."""
    road = traveller.server.road
    road.held += 1
    road.over.wait(_PATIENCE_S)
    traveller.hang_up()
