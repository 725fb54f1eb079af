"""Endpoints of SageMaker and warehouses of Redshift in a template.

An endpoint's model lies in S3 or in a registry, where nothing here reads; which file of the project
stands in for it is said in the endpoint's Metadata, of which a deployment takes no notice:

    Metadata: {esm: {ModelFile: model/prices.json}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from esm.errors import Place
from esm.template import complaints
from esm.template.aws import Identity
from esm.template.nodes import Entries, Node
from esm.template.resolving import Resolver
from esm.template.sections import Declared

ENDPOINT = "AWS::SageMaker::Endpoint"
CLUSTER = "AWS::Redshift::Cluster"
WORKGROUP = "AWS::RedshiftServerless::Workgroup"
NAMESPACE = "AWS::RedshiftServerless::Namespace"

_OURS = "esm"
_MODEL_FILE = "ModelFile"
_DATABASE = "dev"  # what both kinds of warehouse have when nobody names one


@dataclass(frozen=True, slots=True)
class EndpointResource:
    """An endpoint; `model_file` is absolute or from the current folder, None where none is said."""

    logical_id: str
    name: str
    arn: str
    place: Place
    model_file: Path | None


@dataclass(frozen=True, slots=True)
class WarehouseResource:
    """A cluster or a workgroup, and the database that it has."""

    logical_id: str
    name: str
    arn: str
    place: Place
    database: str


def endpoint(
    declared: Declared, identity: Identity, resolver: Resolver, folder: Path
) -> EndpointResource:
    """An endpoint with its model file, which lies beside the template."""
    node = _model_file(declared.metadata)
    file = None if node is None else folder / resolver.text(node)
    return EndpointResource(declared.logical_id, identity.name, identity.ref, declared.place, file)


def _model_file(metadata: Mapping[str, Node]) -> Node | None:
    ours = metadata.get(_OURS)
    if not isinstance(ours, Entries):
        return None
    for name in ours.entries:
        if name != _MODEL_FILE:
            raise complaints.UNKNOWN_PROPERTY.at(
                ours.keys[name], f"an endpoint's Metadata has no {_OURS}: {name}", fix=_MODEL_FILE
            )
    return ours.entries.get(_MODEL_FILE)


def warehouse(
    declared: Declared, identity: Identity, resolver: Resolver, namespaces: Iterable[Declared]
) -> WarehouseResource:
    """A warehouse; a workgroup has the database of its namespace."""
    if declared.type == CLUSTER:
        database = _text(declared, "DBName", resolver)
    else:
        database = _database_of(_text(declared, "NamespaceName", resolver), resolver, namespaces)
    return WarehouseResource(
        declared.logical_id, identity.name, identity.arn, declared.place, database or _DATABASE
    )


def _database_of(
    namespace: str | None, resolver: Resolver, namespaces: Iterable[Declared]
) -> str | None:
    for each in namespaces:
        identity = resolver.identity(each.logical_id, each.place)
        if identity is not None and identity.name == namespace:
            return _text(each, "DbName", resolver)
    return None


def _text(declared: Declared, name: str, resolver: Resolver) -> str | None:
    node = declared.properties.get(name)
    return None if node is None else resolver.text(node)
