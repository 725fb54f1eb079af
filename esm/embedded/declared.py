"""What a template declares beside streams, as the calls that make it.

Left out, because nothing here depends on it: encryption, policies, tags, throughput, life cycles,
versions, and every subscription or notification that leads elsewhere than to a queue or topic of
the template.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

from esm.embedded.declarations import Declared, Step
from esm.errors import TemplateError
from esm.template import Resource, Template
from esm.template.identities import SIMPLE_TABLE
from esm.template.properties import Reader, as_boolean

_LETTERS = {"String": "S", "Number": "N", "Binary": "B"}
# https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-simpletable.html
_DEFAULT_KEY = {"Name": "id", "Type": "String"}
_INDEXES = ("LocalSecondaryIndexes", "GlobalSecondaryIndexes")
_OF_AN_INDEX = ("IndexName", "KeySchema", "Projection")
_OF_A_QUEUE = (
    *("ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoThroughputLimit"),
    *("MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds"),
    "VisibilityTimeout",
)
_OF_A_SUBSCRIPTION = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery")
# A bucket's notifications, in the words of the template and of the API.
_NOTIFICATIONS = {
    "QueueConfigurations": ("Queue", "QueueArn"),
    "TopicConfigurations": ("Topic", "TopicArn"),
}


def declared_in(template: Template) -> Iterator[tuple[str, Declared]]:
    """Its queues, topics, buckets and tables, each with boto3's name of the service."""
    made = _Surroundings(template)
    for service, resources, declare in (
        ("sqs", template.queues, made.declared_queue),
        ("sns", template.topics, made.declared_topic),
        ("s3", template.buckets, made.declared_bucket),
        ("dynamodb", template.tables, made.declared_table),
    ):
        for resource in resources.values():
            yield service, declare(resource)


class _Surroundings:
    """Reads what the resources of a template say of themselves, when the first call needs it."""

    def __init__(self, template: Template) -> None:
        self._template = template

    def declared_queue(self, queue: Resource) -> Declared:
        """A queue."""
        return Declared(
            queue.name,
            queue.arn,
            creation=partial(self._queue, queue),
            steps=partial(self._redrive, queue),
            feeders=partial(self._feeders_of, queue),
        )

    def declared_topic(self, topic: Resource) -> Declared:
        """A topic."""
        return Declared(
            topic.name,
            topic.arn,
            creation=partial(self._topic, topic),
            steps=partial(self._subscribed, topic),
            feeders=partial(self._feeders_of, topic),
        )

    def declared_bucket(self, bucket: Resource) -> Declared:
        """A bucket."""
        return Declared(
            bucket.name,
            bucket.arn,
            creation=partial(dict, Bucket=bucket.name),
            steps=partial(self._notified, bucket),
        )

    def declared_table(self, table: Resource) -> Declared:
        """A table."""
        return Declared(
            table.name,
            table.arn,
            creation=partial(self._table, table),
            steps=partial(self._time_to_live, table),
            stream_arn=table.stream_arn,
        )

    def _queue(self, queue: Resource) -> dict[str, Any]:
        """CreateQueue's parameters."""
        given = self._read(queue, *_OF_A_QUEUE)
        attributes = {name: _text(value) for name, value in given.items()}
        if queue.is_fifo:
            attributes["FifoQueue"] = "true"
        return {"QueueName": queue.name, "Attributes": attributes}

    def _redrive(self, queue: Resource) -> Sequence[Step]:
        """Where messages go that are received too often, if that is a queue of the template."""
        policy = _map(self._read(queue, "RedrivePolicy").get("RedrivePolicy"))
        target = policy.get("deadLetterTargetArn")
        if not isinstance(target, str) or target not in self._queues:
            return ()
        attributes = {"RedrivePolicy": json.dumps(policy)}
        params = {"QueueUrl": queue.name, "Attributes": attributes}
        return [Step("SetQueueAttributes", params, needs=(target,))]

    def _topic(self, topic: Resource) -> dict[str, Any]:
        """CreateTopic's parameters."""
        given = self._read(topic, "ContentBasedDeduplication")
        attributes = {name: _text(value) for name, value in given.items()}
        if topic.is_fifo:
            attributes["FifoTopic"] = "true"
        return {"Name": topic.name, "Attributes": attributes}

    def _subscribed(self, topic: Resource) -> Sequence[Step]:
        """The queues of the template that a topic sends to."""
        own = _maps(self._read(topic, "Subscription").get("Subscription"))
        found = [*own, *(s for s in self._subscriptions if s.get("TopicArn") == topic.arn)]
        return [
            Step("Subscribe", _subscribe(topic, subscription), needs=(subscription["Endpoint"],))
            for subscription in found
            if subscription.get("Protocol") == "sqs"
            and _is_one_of(subscription.get("Endpoint"), self._queues)
        ]

    def _notified(self, bucket: Resource) -> Sequence[Step]:
        """The queues and topics of the template that a bucket tells of its objects."""
        name = "NotificationConfiguration"
        given = _map(self._read(bucket, name).get(name))
        configuration = {
            kind: [
                _notification(entry, written, known)
                for entry in _maps(given.get(kind))
                if _is_one_of(entry.get(written), self._places)
            ]
            for kind, (written, known) in _NOTIFICATIONS.items()
        }
        arns = tuple(
            entry[_NOTIFICATIONS[kind][1]]
            for kind, found in configuration.items()
            for entry in found
        )
        params = {"Bucket": bucket.name, name: configuration}
        return [Step("PutBucketNotificationConfiguration", params, needs=arns)] if arns else ()

    def _table(self, table: Resource) -> dict[str, Any]:
        """CreateTable's parameters: keys, indexes and stream, never with a limit of throughput."""
        if table.type == SIMPLE_TABLE:
            keys = _simple_keys(self._read(table, "PrimaryKey"))
        else:
            names = ("KeySchema", "AttributeDefinitions", *_INDEXES, "StreamSpecification")
            keys = _keys(self._read(table, *names))
        return {"TableName": table.name, "BillingMode": "PAY_PER_REQUEST", **keys}

    def _time_to_live(self, table: Resource) -> Sequence[Step]:
        """The attribute that says when an item has lived long enough."""
        name = "TimeToLiveSpecification"
        given = _map(self._read(table, name).get(name))
        if "AttributeName" not in given or not as_boolean(given.get("Enabled", True)):
            return ()
        specification = {"AttributeName": given["AttributeName"], "Enabled": True}
        return [Step("UpdateTimeToLive", {"TableName": table.name, name: specification})]

    def _feeders_of(self, place: Resource) -> Sequence[str]:
        """The ARNs of the topics and buckets that send to a queue or topic by themselves."""
        return self._feeders.get(place.arn, ())

    @cached_property
    def _feeders(self) -> dict[str, list[str]]:
        feeders: dict[str, list[str]] = {}
        for resources, steps_of in (
            (self._template.topics, self._subscribed),
            (self._template.buckets, self._notified),
        ):
            for resource in resources.values():
                for target in _needed(steps_of(resource)) if self._is_sound(resource) else ():
                    feeders.setdefault(target, []).append(resource.arn)
        return feeders

    def _is_sound(self, resource: Resource) -> bool:
        """What is wrong with a resource is told who uses it, not who may get something from it."""
        try:
            self._read(resource, "Subscription", "NotificationConfiguration")
        except TemplateError:
            return False
        return True

    @cached_property
    def _queues(self) -> frozenset[str]:
        return frozenset(queue.arn for queue in self._template.queues.values())

    @cached_property
    def _places(self) -> frozenset[str]:
        return self._queues | {topic.arn for topic in self._template.topics.values()}

    @cached_property
    def _subscriptions(self) -> list[dict[str, Any]]:
        """The subscriptions that are resources of their own, as far as their values are known."""
        names = ("TopicArn", "Protocol", "Endpoint", *_OF_A_SUBSCRIPTION)
        readers = [Reader(self._template.resolver, s) for s in self._template.subscriptions]
        return [{name: reader.value(name) for name in names} for reader in readers]

    def _read(self, resource: Resource, *names: str) -> dict[str, Any]:
        """Properties of a resource, without those that it does not have; raises TemplateError."""
        reader = Reader(self._template.resolver, resource.nodes)
        values = {name: reader.value(name) for name in names}
        for error in (*reader.problems, *reader.missing):
            raise error
        return {name: value for name, value in values.items() if value is not None}


def _is_one_of(value: object, arns: frozenset[str]) -> bool:
    return isinstance(value, str) and value in arns


def _needed(steps: Sequence[Step]) -> list[str]:
    return [arn for step in steps for arn in step.needs]


def _subscribe(topic: Resource, subscription: dict[str, Any]) -> dict[str, Any]:
    attributes = {
        name: _text(subscription[name])
        for name in _OF_A_SUBSCRIPTION
        if subscription.get(name) is not None
    }
    return {
        "TopicArn": topic.arn,
        "Protocol": "sqs",
        "Endpoint": subscription["Endpoint"],
        "Attributes": attributes,
    }


def _notification(entry: dict[str, Any], written: str, known: str) -> dict[str, Any]:
    made: dict[str, Any] = {known: entry[written], "Events": [entry.get("Event")]}
    rules = _map(_map(entry.get("Filter")).get("S3Key")).get("Rules")
    return {**made, "Filter": {"Key": {"FilterRules": rules}}} if rules else made


def _simple_keys(given: dict[str, Any]) -> dict[str, Any]:
    key = _map(given.get("PrimaryKey")) or _DEFAULT_KEY
    name, letter = key.get("Name", "id"), _LETTERS.get(str(key.get("Type", "String")), "")
    return {
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": letter}],
    }


def _keys(given: dict[str, Any]) -> dict[str, Any]:
    keys: dict[str, Any] = {
        name: given.get(name, []) for name in ("KeySchema", "AttributeDefinitions")
    }
    for name in _INDEXES:
        indexes = [{k: i[k] for k in _OF_AN_INDEX if k in i} for i in _maps(given.get(name))]
        if indexes:
            keys[name] = indexes
    if stream := _map(given.get("StreamSpecification")):
        keys["StreamSpecification"] = {"StreamEnabled": True, **stream}
    return keys


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _maps(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    """An attribute as the APIs of SQS and SNS take it."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
