"""What the embedded AWS says of itself, and resources that AWS has no simple call for.

GET  /_esm/health
POST /_esm/resources  {"endpoints": [{"name", "arn", "model"}], "warehouses": [{"name", "arn",
                       "database"}]}
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import nullcontext
from importlib.metadata import version
from typing import Annotated, Any

import msgspec

from esm.embedded.declarations import site_of
from esm.embedded.http.messages import Answer, Request, as_json
from esm.embedded.http.regions import Region
from esm.embedded.moto_world import MotoWorld
from esm.embedded.redshift_warehouse import Warehouse
from esm.embedded.sagemaker import SageMakerEndpoint
from esm.instants import iso_ms

PREFIX = b"/_esm/"
HEALTH = "/_esm/health"
RESOURCES = "/_esm/resources"
_KIND = b"application/json"
PAGE = 1_000
"""Of a bucket's list, S3's most."""


Arn = Annotated[str, msgspec.Meta(pattern=r"^arn(:[^:]*){4}:.+$")]


class EndpointSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A SageMaker endpoint and the file of its model."""

    name: str
    arn: Arn
    model: str | None = None


class WarehouseSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Redshift cluster or workgroup and its first database."""

    name: str
    arn: Arn
    database: str


class ResourcesSaid(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody wants to have here.

    `arns` are those under which streams, consumers and tables' streams of these names are known
    elsewhere: a template may have the ARNs of another account.
    """

    endpoints: tuple[EndpointSaid, ...] = ()
    warehouses: tuple[WarehouseSaid, ...] = ()
    arns: tuple[Arn, ...] = ()


class OwnPages:
    """Answers under /_esm/. `endpoints` and `warehouses`, by name, are what is there."""

    def __init__(
        self,
        region_of: Callable[[str | None], Region],
        world: MotoWorld,
        now: Callable[[], int],
        incarnation: str,
    ) -> None:
        self.endpoints: dict[str, SageMakerEndpoint] = {}
        self.warehouses: dict[str, Warehouse] = {}
        self._region_of = region_of
        self._world = world
        self._now = now
        self._incarnation = incarnation
        self._started_ms = now()

    def call(self, request: Request) -> Answer:
        """Answer one request; those that are not for reading, one after the other."""
        match request.method, request.path.decode("latin-1"):
            case "GET", path if path == HEALTH:
                return _answer(200, self._health())
            case "POST", path if path == RESOURCES:
                return self._take(request)
        return _answer(404, {"message": f"known here: GET {HEALTH}, POST {RESOURCES}"})

    def _health(self) -> dict[str, object]:
        return {
            "esm": version("lambda-esm"),
            "incarnation": self._incarnation,
            "pid": os.getpid(),
            "startedAt": iso_ms(self._started_ms),
        }

    def _take(self, request: Request) -> Answer:
        """Make what is new; what is there stays as it is."""
        if request.content_type != _KIND.decode():
            return _answer(415, {"message": f"content-type: {_KIND.decode()}"})
        try:
            said = msgspec.json.decode(request.body, type=ResourcesSaid)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _answer(400, {"message": str(error)})
        endpoints = [e for e in said.endpoints if e.name not in self.endpoints]
        warehouses = [w for w in said.warehouses if w.name not in self.warehouses]
        self.endpoints |= {each.name: _endpoint(each) for each in endpoints}
        self.warehouses |= {each.name: self._warehouse(each) for each in warehouses}
        for arn in said.arns:
            self._rename(arn)
        return _answer(200, {"made": [*(e.arn for e in endpoints), *(w.arn for w in warehouses)]})

    def _rename(self, arn: str) -> None:
        """Let what is there under that name be known by that ARN."""
        _, _, service, region_name, *_ = arn.split(":")
        stream_arn, _, consumer_said = arn.partition("/consumer/")
        region, name = self._region_of(region_name), stream_arn.partition("/")[2].partition("/")[0]
        if service == "dynamodb" and name in region.tables:
            region.tables[name].arn = arn
        stream = region.streams.get(name) if service == "kinesis" else None
        if stream is None:
            return
        stream.arn = stream_arn
        consumer_name, _, created_s = consumer_said.partition(":")
        for consumer in stream.consumers:
            if consumer.name == consumer_name and created_s.isdecimal():
                consumer.created_ms = int(created_s) * 1_000

    def _warehouse(self, said: WarehouseSaid) -> Warehouse:
        chance = random.Random(0)  # noqa: S311  (latencies, which nobody has asked for)
        objects = _ObjectsOf(self._world, said.arn)
        return Warehouse(
            said.name, said.arn, said.database, self._now, chance, objects, nullcontext
        )


class _ObjectsOf:
    """The objects of buckets in moto, as a warehouse reads them."""

    def __init__(self, world: MotoWorld, arn: str) -> None:
        self._world = world
        self._site = site_of(arn)

    def under(self, bucket: str, prefix: str) -> list[tuple[str, bytes]]:
        """Key and body of the objects whose keys begin like this; raises ApiError."""
        found: list[tuple[str, bytes]] = []
        params: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": PAGE}
        with self._world.inside():  # nobody changes the bucket meanwhile
            while True:
                page = self._world.call("s3", "ListObjectsV2", params, self._site)
                found += [
                    (e["Key"], self._body(bucket, e["Key"])) for e in page.get("Contents", ())
                ]
                if not page.get("IsTruncated"):
                    return found
                params["ContinuationToken"] = page["NextContinuationToken"]

    def _body(self, bucket: str, key: str) -> bytes:
        params = {"Bucket": bucket, "Key": key}
        body: bytes = self._world.call("s3", "GetObject", params, self._site)["Body"].read()
        return body


def _endpoint(said: EndpointSaid) -> SageMakerEndpoint:
    endpoint = SageMakerEndpoint(said.name, said.arn)
    endpoint.model = said.model  # read when it is invoked first
    return endpoint


def _answer(status: int, value: object) -> Answer:
    return Answer(status, as_json(value), [(b"content-type", _KIND)])
