"""Topics hear what boto3 publishes to them, and may refuse it.

moto sends a message on to the queues that have subscribed; what it took is told to the topic, where
a test can read it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from esm.embedded.api import ApiError
from esm.embedded.declarations import Params, site_of

if TYPE_CHECKING:
    from moto.sns.models import Topic as MotoTopic

_PUBLISHING = frozenset({"Publish", "PublishBatch"})


class Listener(Protocol):
    """A topic that keeps what is published to it."""

    def refuses(self) -> bool:
        """Whether the next call is refused; asked once for each."""

    def publish(
        self, at_ms: int, subject: str | None, message: str, attributes: Mapping[str, str]
    ) -> None:
        """Take one message."""


class MotoTopics:
    """Around calls of moto: `find` gives the topic of an ARN, `now` the time of a message."""

    def __init__(self, find: Callable[[str], Listener | None], now: Callable[[], int]) -> None:
        self._find = find
        self._now = now

    @contextmanager
    def following(self, operation: str, params: Params) -> Iterator[None]:
        """Around a call of moto, whose topics are there; moto's state must be in place."""
        arn = str(params.get("TopicArn") or params.get("TargetArn"))
        topic = self._find(arn) if operation in _PUBLISHING else None
        if topic is None:
            yield
            return
        if topic.refuses():
            # An error that botocore does not retry: what is told to fail once fails once.
            raise ApiError("AuthorizationError", f"{arn} was told to fail", 403)
        sent = _in_moto(arn).sent_notifications
        known = len(sent)
        yield
        for _, message, subject, attributes, _ in sent[known:]:
            topic.publish(self._now(), subject, message, _texts(attributes or {}))


def _in_moto(arn: str) -> MotoTopic:
    from moto.sns.models import sns_backends

    site = site_of(arn)
    topic: MotoTopic = sns_backends[site.account][site.region].topics[arn]
    return topic


def _texts(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: str(attribute["Value"]) for name, attribute in attributes.items()}
