"""Nothing that runs inside a Harness finds the way to AWS without boto3 either.

urllib, requests, http.client and asyncio ask `socket.getaddrinfo` for an address, which asks
`_socket`: while somebody needs it, that one knows no host of AWS, also under presigned URLs. A mock
that answers for a request, or in the place of `socket.getaddrinfo`, is never asked here.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any

from esm.errors import EndpointError
from esm.hosts import is_of_aws

_METHOD = "getaddrinfo"

LookUp = Callable[..., Any]
"""`_socket.getaddrinfo` as it stands there."""


class Network:
    """Refuses AWS's hosts for as long as somebody needs that; all others are looked up as ever."""

    def __init__(self) -> None:
        self._users = 0
        self._before: LookUp = _socket.getaddrinfo
        self._hook: LookUp | None = None

    def enter(self) -> None:
        """Somebody needs it."""
        self._users += 1
        if self._users == 1:
            self._before = _socket.getaddrinfo
            self._hook = self._guarding(self._before)
            setattr(_socket, _METHOD, self._hook)

    def leave(self) -> None:
        """Somebody needs it no longer; with the last one all is as it was."""
        self._users -= 1
        if not self._users and _socket.getaddrinfo is self._hook:
            setattr(_socket, _METHOD, self._before)

    def _guarding(self, before: LookUp) -> LookUp:
        def getaddrinfo(host: object, *args: Any, **kwargs: Any) -> Any:
            name = _text(host)
            if self._users and is_of_aws(name):
                raise _refusal(name)
            return before(host, *args, **kwargs)

        return getaddrinfo


def _text(host: object) -> str:
    """A host's name as it is compared: in lower case, without the point of the root."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else str(host)
    return text.lower().removesuffix(".")


def _refusal(host: str) -> EndpointError:
    return EndpointError(
        "E501",
        f"a request without boto3 would have gone to {host}",
        why="nothing here reaches AWS by accident",
        fix='with mock.patch("urllib.request.urlopen"):   # or what else sends the request',
    )


NETWORK = Network()
"""The one of this process, as its sockets are."""
