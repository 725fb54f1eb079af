"""The embedded Kinesis alone: its own streams, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.kinesis_errors import KinesisApiError
from esm.embedded.kinesis_subscribe import Subscription
from esm.sources.memory import KinesisStream

START_MS = 1_767_225_600_000
ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


class World:
    """Streams that the API makes itself."""

    def __init__(self, **options: Any) -> None:
        self.now_ms = START_MS
        self.woken = 0
        self.streams: dict[str, KinesisStream] = {}
        self._options = options
        self.api = KinesisApi(self.streams, self._make, consumer_created_ms=START_MS)

    def _make(self, name: str, shards: int, *, max_record_size_kib: int) -> KinesisStream:
        return KinesisStream(
            name,
            shards,
            now=lambda: self.now_ms,
            max_record_size_kib=max_record_size_kib,
            **self._options,
        )

    def stream(self, name: str = "orders", shards: int = 1) -> KinesisStream:
        self.call("CreateStream", StreamName=name, ShardCount=shards)
        return self.streams[name]

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.api.handle(operation, params, self.now_ms)

    def refused(self, operation: str, **params: Any) -> KinesisApiError:
        with pytest.raises(KinesisApiError) as refusal:
            self.call(operation, **params)
        return refusal.value

    def summary(self, name: str = "orders") -> dict[str, Any]:
        answer = self.call("DescribeStreamSummary", StreamName=name)
        summary: dict[str, Any] = answer["StreamDescriptionSummary"]
        return summary

    def consumer(self, name: str = "fast") -> str:
        stream = self.streams["orders"]
        answer = self.call("RegisterStreamConsumer", StreamARN=stream.arn, ConsumerName=name)
        arn: str = answer["Consumer"]["ConsumerARN"]
        return arn

    def subscribe(
        self,
        arn: str,
        start: str = "TRIM_HORIZON",
        shard: str = FIRST,
        on_put: Callable[[], None] | None = None,
        **where: Any,
    ) -> Subscription:
        params = {
            "ConsumerARN": arn,
            "ShardId": shard,
            "StartingPosition": {"Type": start, **where},
        }
        return self.api.subscribe(params, self.now_ms, on_put or self._wake)

    def _wake(self) -> None:
        self.woken += 1
