"""An SQS queue; a message is the invocation record.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from esm.destinations.sending import body_of, delivering, part_of


class SqsDestination:
    """Sends to the queue of an ARN; its URL is asked for once."""

    wants_payload: ClassVar[bool] = False

    def __init__(self, arn: str, client: Any) -> None:
        self.arn = arn
        self._client = client
        self._url: str | None = None

    def __repr__(self) -> str:
        return f"SqsDestination({self.arn!r})"

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Send one message. Raises DeliveryFailed."""
        with delivering(self.arn):
            if self._url is None:
                self._url = self._ask_for_url()
            body = body_of(invocation_record).decode()
            answer = self._client.send_message(QueueUrl=self._url, MessageBody=body)
            part_of(answer, "MessageId", self.arn)

    def _ask_for_url(self) -> str:
        account, name = self.arn.split(":")[4:6]
        answer = self._client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        return part_of(answer, "QueueUrl", self.arn)
