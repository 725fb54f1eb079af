"""Where the embedded AWS of a project listens, for programs that are started beside it.

The file is only a hint: whoever it names is asked, and must say that it is the one.
"""

from __future__ import annotations

import http.client
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from esm.hosts import is_loopback
from esm.state import create_private, make_folder, unusable

NAME = "endpoint.json"
_URL = re.compile(r"http://127\.0\.0\.1:(\d{1,5})")
_HEALTH = "/_esm/health"
_TIMEOUT_S = 2
_PORT_MAX = 65_535


class Endpoint(msgspec.Struct, frozen=True):
    """A server that runs, or ran."""

    url: str
    pid: int
    incarnation: str


class _Health(msgspec.Struct, frozen=True):
    incarnation: str


def write(folder: Path, url: str, incarnation: str) -> None:
    """Say where this process listens. Raises StateError E605."""
    _write(folder, Endpoint(url, os.getpid(), incarnation))


def put_back(folder: Path, earlier: Endpoint | None) -> None:
    """Say again where an earlier one listens that runs on, if nobody else has said so since."""
    if earlier is not None and not (folder / NAME).exists():
        _write(folder, earlier)


def _write(folder: Path, endpoint: Endpoint) -> None:
    make_folder(folder)
    path = folder / NAME
    fresh = path.with_name(f"{NAME}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(create_private(fresh), "wb") as file:
            file.write(msgspec.json.encode(endpoint))
        fresh.replace(path)
    except OSError as error:
        raise unusable(path, error.strerror or str(error)) from None


def remove(folder: Path, incarnation: str) -> None:
    """Say so no longer; another one's file stays."""
    said = _read(folder)
    if said is not None and said.incarnation == incarnation:
        (folder / NAME).unlink(missing_ok=True)


def find_running(folder: Path) -> str | None:
    """The URL of the embedded AWS that runs for this folder, None without one."""
    running = running_in(folder)
    return None if running is None else running.url


def running_in(folder: Path) -> Endpoint | None:
    """The embedded AWS that runs for this folder."""
    said = _read(folder)
    found = None if said is None else _URL.fullmatch(said.url)
    if said is None or found is None or not 0 < int(found[1]) <= _PORT_MAX:
        return None
    return said if _asked(int(found[1])) == said.incarnation else None


def is_embedded(url: str) -> bool:
    """Whether an embedded AWS listens there."""
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port is not None and is_loopback(url) and _asked(port) is not None


def _read(folder: Path) -> Endpoint | None:
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=Endpoint)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _asked(port: int) -> str | None:
    """The incarnation that answers there; no proxy is asked on the way."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", _HEALTH)
        return msgspec.json.decode(connection.getresponse().read(), type=_Health).incarnation
    except (OSError, http.client.HTTPException, msgspec.DecodeError, UnicodeDecodeError):
        return None
    finally:
        connection.close()
