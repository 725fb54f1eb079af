"""Clients of an embedded AWS, as programs beside it have them, and bare requests."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from esm.embedded.aws import EmbeddedAws

PATIENCE_S = 10
SESSION = boto3.Session("esm", "esm")


@dataclass
class Clients:
    """boto3's clients for one server, all closed together."""

    url: str
    region: str = "us-east-1"
    _open: ExitStack = field(default_factory=ExitStack)
    _made: dict[str, Any] = field(default_factory=dict)

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            config = Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S)
            client = SESSION.client(
                service, region_name=self.region, endpoint_url=self.url, config=config
            )
            self._open.callback(client.close)
            self._made[service] = client
        return self._made[service]

    def close(self) -> None:
        self._open.close()


@dataclass(frozen=True)
class Reply:
    """What came back over a socket."""

    status: int
    text: str

    @cached_property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2].strip()


def send(aws: EmbeddedAws, raw: bytes) -> Reply:
    """Send bytes as they are, and read until the server closes the connection."""
    address = urlsplit(aws.url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S) as sock:
        sock.sendall(raw)
        parts = []
        while part := sock.recv(65_536):
            parts.append(part)
    text = b"".join(parts).decode("latin-1")
    return Reply(int(text.split(" ", 2)[1]) if text else 0, text)


def request(*lines: str, body: bytes = b"") -> bytes:
    """A request of these lines, which may be anything, and the last of its connection."""
    last = ("Connection: close", f"Content-Length: {len(body)}", "", "")
    return "\r\n".join([*lines, *last]).encode() + body


def wait_for(what: Callable[[], Any]) -> Any:
    """Until something is so, and what it is then."""
    end = monotonic() + PATIENCE_S
    while not (found := what()):
        assert monotonic() < end, "it never happened"
    return found
