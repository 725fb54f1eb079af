"""What a template declares beside streams, as parameters that make it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any

from esm.embedded.moto_api import Declared
from esm.template import Deployment, Resource, Template
from esm.template.identities import SIMPLE_TABLE
from esm.template.parameters import read_parameters
from esm.template.properties import Reader
from esm.template.reading import read_file
from esm.template.resolving import Resolver
from esm.template.sections import sections_of

_LETTERS = {"String": "S", "Number": "N", "Binary": "B"}
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-simpletable.html
_DEFAULT_KEY = {"Name": "id", "Type": "String"}
_INDEXES = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
_OF_AN_INDEX = ("IndexName", "KeySchema", "Projection")


def declared_in(
    template: Template, parameters: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Declared]]:
    """Its queues, topics, buckets and tables, each with boto3's name of the service."""
    for queue in template.queues.values():
        yield "sqs", Declared(queue.name, queue.arn, partial(_queue, queue))
    for topic in template.topics.values():
        yield "sns", Declared(topic.name, topic.arn, partial(_topic, topic))
    for bucket in template.buckets.values():
        yield "s3", Declared(bucket.name, bucket.arn, partial(dict, Bucket=bucket.name))
    tables = _Tables(template, parameters or {})
    for table in template.tables.values():
        yield "dynamodb", Declared(table.name, table.arn, partial(tables.creation_of, table))


def _queue(queue: Resource) -> dict[str, Any]:
    attributes = {"FifoQueue": "true"} if queue.is_fifo else {}
    return {"QueueName": queue.name, "Attributes": attributes}


def _topic(topic: Resource) -> dict[str, Any]:
    attributes = {"FifoTopic": "true"} if topic.is_fifo else {}
    return {"Name": topic.name, "Attributes": attributes}


class _Tables:
    """Reads the template once more, for the keys of its tables, when the first one is used."""

    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self._template = template
        self._parameters = parameters

    def creation_of(self, table: Resource) -> dict[str, Any]:
        """CreateTable's parameters: keys and indexes, never with a limit of throughput."""
        sections, resolver = self._read
        declared = sections.resources[table.logical_id]
        reader = Reader(resolver, declared.properties)
        keys = _simple_keys(reader) if declared.type == SIMPLE_TABLE else _keys(reader)
        for error in (*reader.problems, *reader.missing):
            raise error
        return {"TableName": table.name, "BillingMode": "PAY_PER_REQUEST", **keys}

    @cached_property
    def _read(self) -> tuple[Any, Resolver]:
        sections = sections_of(read_file(self._template.path))
        known, _ = read_parameters(sections.parameters, self._parameters, sections.place)
        return sections, Resolver(sections, known, Deployment())


def _simple_keys(reader: Reader) -> dict[str, Any]:
    key: Any = reader.value("PrimaryKey") or _DEFAULT_KEY
    name, kind = key.get("Name", "id"), key.get("Type", "String")
    return {
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": _LETTERS.get(kind, "")}],
    }


def _keys(reader: Reader) -> dict[str, Any]:
    keys: dict[str, Any] = {
        name: reader.value(name) or [] for name in ("KeySchema", "AttributeDefinitions")
    }
    for name in _INDEXES:
        indexes: Any = reader.value(name)
        if indexes:
            keys[name] = [{k: index[k] for k in _OF_AN_INDEX if k in index} for index in indexes]
    return keys
