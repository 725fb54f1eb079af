"""An SNS topic; a message is the invocation record, without a subject.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from esm.destinations.sending import body_of, delivering, part_of


class SnsDestination:
    """Publishes to a topic."""

    wants_payload: ClassVar[bool] = False

    def __init__(self, arn: str, client: Any) -> None:
        self.arn = arn
        self._client = client

    def __repr__(self) -> str:
        return f"SnsDestination({self.arn!r})"

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Publish one message. Raises DeliveryFailed."""
        with delivering(self.arn):
            body = body_of(invocation_record).decode()
            answer = self._client.publish(TopicArn=self.arn, Message=body)
            part_of(answer, "MessageId", self.arn)
