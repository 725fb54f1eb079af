"""On-failure destinations that keep what they get: a queue, a topic, a bucket.

They keep JSON text, as the real ones do, so what is read from them is always a fresh copy.
ARNs are of one made-up account, unless one is given,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from esm.errors import InvalidValue
from esm.ports import DeliveryFailed

ACCOUNT = "123456789012"
REGION = "us-east-1"


class _Shelf:
    """The deliveries of one destination, in order, and the failures it was told to have."""

    __slots__ = ("_bodies", "_failures_left", "looked")

    def __init__(self) -> None:
        self._bodies: list[tuple[str, bytes]] = []
        self._failures_left = 0
        self.looked = False

    def __len__(self) -> int:
        return len(self._bodies)

    def fail(self, times: int) -> None:
        if times < 0:
            raise InvalidValue("E447", f"times cannot be negative: {times}", fix="fail(times=1)")
        self._failures_left = times

    def put(self, arn: str, key: str, body: Mapping[str, Any]) -> None:
        if self._failures_left:
            self._failures_left -= 1
            raise DeliveryFailed(f"{arn} was told to fail")
        self._bodies.append((key, msgspec.json.encode(body)))

    def read(self) -> list[tuple[str, dict[str, Any]]]:
        self.looked = True
        return [(key, msgspec.json.decode(body)) for key, body in self._bodies]


class Queue:
    """An SQS queue; a message is the invocation record itself."""

    wants_payload = False

    def __init__(self, name: str, arn: str | None = None) -> None:
        self.name = name
        self._arn = arn
        self._shelf = _Shelf()

    def __repr__(self) -> str:
        return f"Queue({self.name!r}, messages={len(self._shelf)})"

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return self._arn or f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The invocation records that were delivered, oldest first, as fresh copies."""
        return [body for _, body in self._shelf.read()]

    @property
    def looked(self) -> bool:
        """Whether anybody has read `messages`."""
        return self._shelf.looked

    @property
    def delivered(self) -> int:
        """How many deliveries were taken; asking is not looking at them."""
        return len(self._shelf)

    def fail(self, times: int = 1) -> None:
        """Refuse the next `times` deliveries."""
        self._shelf.fail(times)

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Take one invocation record."""
        self._shelf.put(self.arn, key, invocation_record)


class Topic:
    """An SNS topic; a message is the invocation record itself."""

    wants_payload = False

    def __init__(self, name: str, arn: str | None = None) -> None:
        self.name = name
        self._arn = arn
        self._shelf = _Shelf()

    def __repr__(self) -> str:
        return f"Topic({self.name!r}, messages={len(self._shelf)})"

    @property
    def arn(self) -> str:
        """The topic's ARN."""
        return self._arn or f"arn:aws:sns:{REGION}:{ACCOUNT}:{self.name}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The invocation records that were delivered, oldest first, as fresh copies."""
        return [body for _, body in self._shelf.read()]

    @property
    def looked(self) -> bool:
        """Whether anybody has read `messages`."""
        return self._shelf.looked

    @property
    def delivered(self) -> int:
        """How many deliveries were taken; asking is not looking at them."""
        return len(self._shelf)

    def fail(self, times: int = 1) -> None:
        """Refuse the next `times` deliveries."""
        self._shelf.fail(times)

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Take one invocation record."""
        self._shelf.put(self.arn, key, invocation_record)


class Bucket:
    """An S3 bucket; an object's body is the invocation record with the event in its payload."""

    wants_payload = True

    def __init__(self, name: str, arn: str | None = None) -> None:
        self.name = name
        self._arn = arn
        self._shelf = _Shelf()

    def __repr__(self) -> str:
        return f"Bucket({self.name!r}, objects={len(self._shelf)})"

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return self._arn or f"arn:aws:s3:::{self.name}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The bodies of `objects`, oldest first."""
        return [body for _, body in self._shelf.read()]

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """The objects by key, parsed, as fresh copies; `payload` stays the text that it is."""
        return dict(self._shelf.read())

    @property
    def looked(self) -> bool:
        """Whether anybody has read `objects` or `messages`."""
        return self._shelf.looked

    @property
    def delivered(self) -> int:
        """How many deliveries were taken; asking is not looking at them."""
        return len(self._shelf)

    def fail(self, times: int = 1) -> None:
        """Refuse the next `times` deliveries."""
        self._shelf.fail(times)

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Take one invocation record under `key`."""
        self._shelf.put(self.arn, key, invocation_record)
