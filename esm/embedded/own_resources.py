"""What a template has that AWS has no simple call for, told to the embedded AWS in its own way."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from esm.embedded.http.own_pages import RESOURCES, EndpointSaid, ResourcesSaid, WarehouseSaid
from esm.template import Template

_TIMEOUT_S = 30


class _Made(msgspec.Struct, frozen=True):
    made: list[str]


TELLING_FAILURES = (OSError, http.client.HTTPException, msgspec.DecodeError)
"""What is raised here for a server that is gone, or is not ours."""


def tell(url: str, template: Template) -> list[str]:
    """Have the template's endpoints and warehouses there; gives the ARNs of the new ones."""
    endpoints = template.endpoints.values()
    warehouses = template.warehouses.values()
    said = ResourcesSaid(
        tuple(EndpointSaid(e.name, e.arn, _absolute(e.model_file)) for e in endpoints),
        tuple(WarehouseSaid(w.name, w.arn, w.database) for w in warehouses),
    )
    return [] if said == ResourcesSaid() else _posted(url, msgspec.json.encode(said))


def call_by(url: str, arn: str) -> None:
    """Have a stream, a consumer or a table's stream known by this ARN, of whatever account."""
    _posted(url, msgspec.json.encode(ResourcesSaid(arns=(arn,))))


def _posted(url: str, body: bytes) -> list[str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", RESOURCES, body, {"Content-Type": "application/json"})
        return msgspec.json.decode(connection.getresponse().read(), type=_Made).made
    finally:
        connection.close()


def _absolute(file: Path | None) -> str | None:
    """Another process has another current folder."""
    return None if file is None else str(file.absolute())
