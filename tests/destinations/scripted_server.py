"""A server on loopback that answers what it is told to, one answer after the other."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Reply:
    """A status with its body; `cut` says more bytes than come."""

    status: int
    body: str = "{}"
    cut: bool = False


RESET = "reset"
Step = Reply | str


@dataclass
class Script:
    """What is answered, the last of it for ever, and the paths and bodies of what was asked."""

    steps: list[Step]
    url: str = ""
    asked: list[tuple[str, bytes]] = field(default_factory=list)

    def next(self) -> Step:
        return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


@contextmanager
def scripted(*steps: Step) -> Iterator[Script]:
    """The server, for as long as it is needed."""
    script = Script(list(steps))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.asked.append((self.path, body))
            self.close_connection = True
            match script.next():
                case Reply() as reply:
                    self._answer(reply)
                case _:
                    self._reset()

        do_PUT = do_POST  # noqa: N815  (http.server looks for it)

        def _answer(self, reply: Reply) -> None:
            content = reply.body.encode()
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(content) + 100 * reply.cut))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        def _reset(self) -> None:
            """No answer but RST."""
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
