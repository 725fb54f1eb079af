"""On-failure destinations that keep what they get: a queue, a topic, a bucket.

They keep JSON text, as the real ones do, so what is read from them is always a fresh copy.
ARNs are of one made-up account, unless one is given,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from esm.errors import InvalidValue
from esm.instants import from_ms
from esm.ports import DeliveryFailed

ACCOUNT = "123456789012"
REGION = "us-east-1"


class _Kept:
    """What the three have in common: deliveries in order, and failures that were asked for."""

    wants_payload: ClassVar[bool] = False
    _arn_before_name: ClassVar[str]
    _noun: ClassVar[str] = "messages"

    def __init__(self, name: str, arn: str | None = None) -> None:
        self.name = name
        self.arn = arn or f"{self._arn_before_name}{name}"
        self.looked = False
        """Whether anybody has read what was delivered."""
        self._bodies: list[tuple[str, bytes]] = []
        self._failures_left = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._noun}={len(self._bodies)})"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The invocation records that were delivered, oldest first, as fresh copies."""
        return [body for _, body in self._read()]

    @property
    def delivered(self) -> int:
        """How many deliveries were taken; asking is not looking at them."""
        return len(self._bodies)

    def look(self) -> None:
        """Count as looked at: somebody reads it in another way."""
        self.looked = True

    def since(self, number: int) -> list[tuple[str, bytes]]:
        """Key and JSON of the deliveries behind the first so many; asking is not looking."""
        return self._bodies[number:]

    def fail(self, times: int = 1) -> None:
        """Refuse the next `times` deliveries."""
        if times < 0:
            raise InvalidValue("E447", f"times cannot be negative: {times}", fix="fail(times=1)")
        self._failures_left = times

    def refuses(self) -> bool:
        """Whether the delivery that is asked for is one of those that `fail` has refused."""
        if not self._failures_left:
            return False
        self._failures_left -= 1
        return True

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Take one invocation record."""
        if self.refuses():
            raise DeliveryFailed(f"{self.arn} was told to fail")
        self._bodies.append((key, msgspec.json.encode(invocation_record)))

    def _read(self) -> list[tuple[str, dict[str, Any]]]:
        self.looked = True
        return [(key, msgspec.json.decode(body)) for key, body in self._bodies]


class Queue(_Kept):
    """An SQS queue; a message is the invocation record itself."""

    _arn_before_name = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that boto3 has published to a topic; `attributes` without their data types."""

    at: datetime
    subject: str | None
    message: str
    attributes: Mapping[str, str]

    @property
    def json(self) -> Any:
        """The message parsed as JSON; raises ValueError when it is none."""
        return json.loads(self.message)


class Topic(_Kept):
    """An SNS topic; `messages` are the invocation records of mappings, `published` is boto3's."""

    _arn_before_name = f"arn:aws:sns:{REGION}:{ACCOUNT}:"

    def __init__(self, name: str, arn: str | None = None) -> None:
        super().__init__(name, arn)
        self._published: list[Notification] = []

    @property
    def published(self) -> list[Notification]:
        """What boto3 has published, oldest first."""
        return list(self._published)

    def publish(
        self, at_ms: int, subject: str | None, message: str, attributes: Mapping[str, str]
    ) -> None:
        """Take one message."""
        self._published.append(Notification(from_ms(at_ms), subject, message, dict(attributes)))


class Bucket(_Kept):
    """An S3 bucket; an object's body is the invocation record with the event in its payload."""

    wants_payload = True
    _arn_before_name = "arn:aws:s3:::"
    _noun = "objects"

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """The objects by key, parsed, as fresh copies; `payload` stays the text that it is."""
        return dict(self._read())
