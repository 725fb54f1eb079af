"""The services of a Harness that are no sources and no destinations: models and warehouses."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from esm.embedded.guard import AwsGuard
from esm.embedded.objects import ObjectReader
from esm.embedded.redshift_data import RedshiftDataApi
from esm.embedded.redshift_warehouse import Warehouse
from esm.embedded.sagemaker import Predict, SageMakerApi, SageMakerEndpoint
from esm.errors import InputError
from esm.invokers.virtual_time import real_types

Kept = Callable[[str], Sequence[tuple[str, bytes]] | None]
"""Key and body of what a bucket has that boto3 does not find by itself, None for all others."""


class Services:
    """Endpoints of SageMaker and warehouses of Redshift, by name; boto3 finds them in `guard`."""

    def __init__(
        self,
        guard: AwsGuard,
        now: Callable[[], int],
        chance: random.Random,
        region: str,
        account: str,
        kept: Kept,
    ) -> None:
        self.endpoints: dict[str, SageMakerEndpoint] = {}
        self.warehouses: dict[str, Warehouse] = {}
        self._guard = guard
        self._now = now
        self._chance = chance
        self._region = region
        self._account = account
        self._kept = kept

    def endpoint(self, name: str, model: str | Path | Predict | None) -> SageMakerEndpoint:
        """A new endpoint, or one that has no model yet, with this model."""
        endpoint = self.endpoints.get(name)
        if endpoint is None or endpoint.model is not None:
            arn = f"arn:aws:sagemaker:{self._region}:{self._account}:endpoint/{name.lower()}"
            endpoint = self.add_endpoint(SageMakerEndpoint(name, arn))
        endpoint.serve(model)
        return endpoint

    def add_endpoint(self, endpoint: SageMakerEndpoint) -> SageMakerEndpoint:
        """Have one more."""
        _require_new(endpoint.name, self.endpoints, "SageMaker endpoint")
        if not self.endpoints:
            self._guard.add(SageMakerApi(self.endpoints, self._chance, self._account))
        self.endpoints[endpoint.name] = endpoint
        return endpoint

    def warehouse(self, name: str, database: str, arn: str | None = None) -> Warehouse:
        """A new warehouse, a cluster unless its ARN says what it is; it reads all buckets."""
        _require_new(name, self.warehouses, "warehouse")
        if not self.warehouses:
            self._guard.add(RedshiftDataApi(self.warehouses))
        arn = arn or f"arn:aws:redshift:{self._region}:{self._account}:cluster:{name}"
        objects = ObjectReader(self._kept, self._guarded, real_types, self._region)
        made = Warehouse(name, arn, database, self._now, self._chance, objects, real_types)
        self.warehouses[name] = made
        return made

    def _guarded(self) -> AbstractContextManager[object]:
        return self._guard


def _require_new(name: str, known: Mapping[str, object], what: str) -> None:
    if name in known:
        raise InputError(
            "E430",
            f"this Harness has a {what} {name!r} already",
            fix="another name, or the first one",
        )
