"""Tables, topics, queues and buckets, answered by moto for the names that are declared.

A resource is made in moto with the first call that names it; whatever nobody has declared is left
to the test's own mocks, or refused by the guard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import RLock
from typing import Any

from esm.embedded.moto_world import MotoWorld, Site
from esm.embedded.surroundings import DEFAULT_REGION

Params = Mapping[str, Any]
Answer = dict[str, Any]
_ACCOUNT = "123456789012"
Written = Iterable[tuple[str, int]]
"""Whom a call wrote to, in its own words, and how many."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource with its name and ARN; `creation` gives the parameters that make it."""

    name: str
    arn: str
    creation: Callable[[], Params]

    @property
    def site(self) -> Site:
        """Where it is; a bucket's ARN does not tell."""
        _, _, _, region, account, *_ = self.arn.split(":")
        return Site(account or _ACCOUNT, region or DEFAULT_REGION)


@dataclass(frozen=True, slots=True)
class Service:
    """What is to be known of a service: who a call is about, and what it writes."""

    create: str
    lists: frozenset[str]
    named: Callable[[Params], list[str]]
    written: Callable[[str, Params, Answer], Written]


def _named(*parameters: str) -> Callable[[Params], list[str]]:
    return lambda params: [str(params[p]) for p in parameters if params.get(p)]


def _tables(params: Params) -> list[str]:
    """The tables of a call, a batch or a transaction."""
    steps = [step for item in params.get("TransactItems", ()) for step in item.values()]
    named = [params["TableName"]] if "TableName" in params else []
    return [*named, *params.get("RequestItems", ()), *(step["TableName"] for step in steps)]


def _sent(operation: str, params: Params, answer: Answer) -> Written:
    place = params.get("QueueUrl") or params.get("TopicArn") or params.get("TargetArn")
    if operation in ("SendMessage", "Publish"):
        yield str(place), 1
    elif operation in ("SendMessageBatch", "PublishBatch"):
        yield str(place), len(answer.get("Successful", ()))


def _stored(operation: str, params: Params, answer: Answer) -> Written:
    if operation in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
        yield params["Bucket"], 1


def _put(operation: str, params: Params, answer: Answer) -> Written:
    """Items that were put or updated; what a batch left unprocessed was not."""
    if operation in ("PutItem", "UpdateItem"):
        yield params["TableName"], 1
    elif operation == "BatchWriteItem":
        for sign, batch in ((1, params["RequestItems"]), (-1, answer.get("UnprocessedItems", {}))):
            for table, requests in batch.items():
                yield table, sign * sum("PutRequest" in request for request in requests)
    elif operation == "TransactWriteItems":
        for item in params["TransactItems"]:
            for step in ("Put", "Update"):
                if step in item:
                    yield item[step]["TableName"], 1


SERVICES: Mapping[str, Service] = {
    "sqs": Service(
        "CreateQueue", frozenset({"ListQueues"}), _named("QueueUrl", "QueueName"), _sent
    ),
    "sns": Service(
        "CreateTopic", frozenset({"ListTopics"}), _named("TopicArn", "TargetArn", "Name"), _sent
    ),
    "s3": Service("CreateBucket", frozenset({"ListBuckets"}), _named("Bucket"), _stored),
    "dynamodb": Service("CreateTable", frozenset({"ListTables"}), _tables, _put),
}


class MotoApi:
    """One of SERVICES, over what is declared to it."""

    checks_parameters = True

    def __init__(self, service: str, world: MotoWorld) -> None:
        self.service = service
        self.written: Counter[str] = Counter()
        """How many messages, objects or items were written by ARN."""
        self._knows = SERVICES[service]
        self._world = world
        self._declared: dict[str, Declared] = {}
        self._created: set[str] = set()
        self._lock = RLock()  # a handler's threads may all be the first

    @property
    def resources(self) -> list[str]:
        """The names of what is declared."""
        return list(self._declared)

    def declare(self, resource: Declared) -> None:
        """Have one more; the same one twice is one."""
        self._declared.setdefault(resource.name, resource)

    def asked_for(self, params: Params) -> str | None:
        """The first resource that a call names, in the caller's words."""
        return next(iter(self._knows.named(params)), None)

    def owns(self, operation: str, params: Params) -> bool:
        """Whether a call names something that is declared; lists are of what is declared."""
        if operation in self._knows.lists:
            return bool(self._declared)
        return any(self._find(name) is not None for name in self._knows.named(params))

    def handle(self, operation: str, params: Params, now_ms: int) -> Answer:
        """Do one call. Raises ApiError where AWS would answer an error."""
        if operation == "ReceiveMessage":
            # Nobody would send anything while the handler waits.
            params = {**params, "WaitTimeSeconds": 0}
        concerned = self._concerned(params)
        with self._lock:
            for resource in concerned:
                self._create(resource)
            answer = self._world.call(self.service, operation, params, concerned[0].site)
            self._count(self._knows.written(operation, params, answer))
        return answer

    def remedy(self, params: Params) -> str:
        """How a call's resource would come to exist."""
        return "declare it in the template, or: with moto.mock_aws():"

    def _concerned(self, params: Params) -> list[Declared]:
        """Those that a call names; a list is of all."""
        found = [self._find(name) for name in self._knows.named(params)]
        known = [resource for resource in found if resource is not None]
        return known or list(self._declared.values())

    def _create(self, resource: Declared) -> None:
        if resource.name not in self._created:
            parameters = resource.creation()
            self._world.call(self.service, self._knows.create, parameters, resource.site)
            self._created.add(resource.name)

    def _count(self, written: Written) -> None:
        for name, count in written:
            resource = self._find(name)
            if resource is not None:
                self.written[resource.arn] += count

    def _find(self, asked: str) -> Declared | None:
        """By name, ARN or URL."""
        resource = self._declared.get(asked.replace(":", "/").rpartition("/")[2])
        if resource is None:
            return None
        is_queue_url = self.service == "sqs" and asked.endswith(
            f"/{resource.site.account}/{resource.name}"
        )
        return resource if is_queue_url or asked in (resource.name, resource.arn) else None
