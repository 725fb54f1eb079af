"""An S3 bucket; an object is the invocation record with the event in its payload.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from esm.destinations.sending import body_of, delivering


class S3Destination:
    """Puts objects into a bucket, each under the key that it is given."""

    wants_payload: ClassVar[bool] = True

    def __init__(self, arn: str, client: Any) -> None:
        self.arn = arn
        self._bucket = arn.rpartition(":")[2]
        self._client = client

    def __repr__(self) -> str:
        return f"S3Destination({self.arn!r})"

    def deliver(self, key: str, invocation_record: Mapping[str, Any], now_ms: int) -> None:
        """Put one object. Raises DeliveryFailed."""
        with delivering(self.arn):
            body = body_of(invocation_record)
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body)
