"""Tables, topics, queues and buckets, answered by moto for the names that are declared.

A resource is made in moto with the first call that names it; whatever nobody has declared is left
to the test's own mocks, or refused by the guard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from esm.embedded.declarations import Declared, Params
from esm.embedded.dynamodb_params import completed, put_by, tables_in
from esm.embedded.moto_world import MotoWorld

Answer = dict[str, Any]
Written = Iterable[tuple[str, int]]
"""Whom a call wrote to, in its own words, and how many."""


Around = Callable[[str, Params], AbstractContextManager[None]]
"""Of a call's operation and parameters."""


def _nothing(operation: str, params: Params) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Service:
    """What is to be known of a service: who a call is about, what it writes and what it reads.

    `delivery` is the call that brings a resource what a mapping has delivered to it.
    """

    create: str
    lists: frozenset[str]
    named: Callable[[Params], list[str]]
    written: Callable[[str, Params, Answer], Written]
    reads: frozenset[str] = frozenset()
    delivery: Callable[[Declared, str, bytes], tuple[str, Params]] | None = None


def _named(*parameters: str) -> Callable[[Params], list[str]]:
    return lambda params: [str(params[p]) for p in parameters if params.get(p)]


def _sent(operation: str, params: Params, answer: Answer) -> Written:
    place = params.get("QueueUrl") or params.get("TopicArn") or params.get("TargetArn")
    if operation in ("SendMessage", "Publish"):
        yield str(place), 1
    elif operation in ("SendMessageBatch", "PublishBatch"):
        yield str(place), len(answer.get("Successful", ()))


def _stored(operation: str, params: Params, answer: Answer) -> Written:
    if operation in ("PutObject", "CopyObject", "CompleteMultipartUpload"):
        yield params["Bucket"], 1


def _message(queue: Declared, key: str, body: bytes) -> tuple[str, Params]:
    return "SendMessage", {"QueueUrl": queue.name, "MessageBody": body.decode()}


def _publication(topic: Declared, key: str, body: bytes) -> tuple[str, Params]:
    return "Publish", {"TopicArn": topic.arn, "Message": body.decode()}


def _object(bucket: Declared, key: str, body: bytes) -> tuple[str, Params]:
    return "PutObject", {"Bucket": bucket.name, "Key": key, "Body": body}


SERVICES: Mapping[str, Service] = {
    "sqs": Service(
        "CreateQueue",
        frozenset({"ListQueues"}),
        _named("QueueUrl", "QueueName"),
        _sent,
        frozenset({"ReceiveMessage", "GetQueueAttributes"}),
        _message,
    ),
    "sns": Service(
        "CreateTopic",
        frozenset({"ListTopics"}),
        _named("TopicArn", "TargetArn", "Name"),
        _sent,
        delivery=_publication,
    ),
    "s3": Service(
        "CreateBucket",
        frozenset({"ListBuckets"}),
        _named("Bucket"),
        _stored,
        frozenset({"GetObject", "HeadObject", "ListObjects", "ListObjectsV2"}),
        _object,
    ),
    "dynamodb": Service("CreateTable", frozenset({"ListTables"}), tables_in, put_by),
}


class MotoApi:
    """One of SERVICES, over what is declared to it; each call of moto is made within `around`."""

    def __init__(self, service: str, world: MotoWorld, around: Around = _nothing) -> None:
        self.service = service
        self.checks_parameters = around is _nothing
        """moto does; who is around its calls reads parameters before."""
        self._around = around
        self.written: Counter[str] = Counter()
        """How many messages, objects or items were written by ARN."""
        self._knows = SERVICES[service]
        self._world = world
        self._declared: dict[str, Declared] = {}
        self._created: set[str] = set()
        self._in_progress: set[str] = set()

    @property
    def resources(self) -> list[str]:
        """The names of what is declared."""
        return list(self._declared)

    def declare(self, resource: Declared) -> None:
        """Have one more; the same one twice is one."""
        if self._declared.setdefault(resource.name, resource) is resource:
            self._world.provide(resource.arn, partial(self._prepare, resource))

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
        params = completed(operation, params)
        concerned = self._concerned(params)
        with self._world.lock, self._world.inside():
            for resource in concerned:
                self._prepare(resource, is_read=operation in self._knows.reads)
            with self._around(operation, params):
                answer = self._world.call(self.service, operation, params, concerned[0].site)
            self._count(self._knows.written(operation, params, answer))
        stream_arn = concerned[0].stream_arn
        return answer if stream_arn is None else with_stream(answer, stream_arn)

    def remedy(self, params: Params) -> str:
        """How a call's resource would come to exist."""
        return "declare it in the template, or: with moto.mock_aws():"

    def _concerned(self, params: Params) -> list[Declared]:
        """Those that a call names; a list is of all."""
        found = [self._find(name) for name in self._knows.named(params)]
        known = [resource for resource in found if resource is not None]
        return known or list(self._declared.values())

    def _prepare(self, resource: Declared, *, is_read: bool = False) -> None:
        """Have it there, with all that has come to it since."""
        if resource.arn in self._in_progress:  # two queues may be each other's
            return
        self._in_progress.add(resource.arn)
        try:
            self._create(resource)
            for arn in resource.feeders():
                self._world.need(arn, is_read=is_read)
            self._bring(resource, is_read=is_read)
        finally:
            self._in_progress.discard(resource.arn)

    def _create(self, resource: Declared) -> None:
        if resource.name in self._created:
            return
        # What is wrong with it is told before anything is made.
        parameters, steps = resource.creation(), resource.steps()
        self._world.call(self.service, self._knows.create, parameters, resource.site)
        self._created.add(resource.name)
        for step in steps:
            for arn in step.needs:
                self._world.need(arn)
            self._world.call(self.service, step.operation, step.params, resource.site)

    def _bring(self, resource: Declared, *, is_read: bool) -> None:
        """What mappings have delivered: moto learns of it when somebody asks, and not before."""
        if self._knows.delivery is None:
            return
        for key, body in resource.arrivals():
            operation, params = self._knows.delivery(resource, key, body)
            self._world.call(self.service, operation, params, resource.site)
        if is_read:
            resource.look()

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


def with_stream(answer: Answer, stream_arn: str) -> Answer:
    """A table's description with the stream that the template's `Fn::GetAtt` knows."""
    for name in ("Table", "TableDescription"):
        if "LatestStreamArn" in answer.get(name, ()):
            label = stream_arn.rpartition("/")[2]
            answer[name] |= {"LatestStreamArn": stream_arn, "LatestStreamLabel": label}
    return answer
