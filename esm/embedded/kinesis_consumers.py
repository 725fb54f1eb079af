"""RegisterStreamConsumer, DescribeStreamConsumer and ListStreamConsumers.

A consumer is active as soon as it is registered.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esm.embedded.kinesis_describe import LIST_SHARDS_PAGE, page_size
from esm.embedded.kinesis_errors import (
    INVALID_ARGUMENT,
    NOT_FOUND,
    KinesisApiError,
    constraint,
    missing,
)
from esm.embedded.kinesis_tokens import ShardsToken, decode, encode
from esm.instants import from_ms
from esm.sources.memory import KinesisStream
from esm.sources.memory_consumer import CONSUMERS_MAX, NAME, KinesisConsumer


def register_stream_consumer(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """A new consumer of the stream."""
    name = _name(params)
    if any(consumer.name == name for consumer in stream.consumers):
        raise KinesisApiError(
            "ResourceInUseException",
            f"Consumer {name} under stream {stream.name} already exists for account "
            f"{stream.account}.",
        )
    if len(stream.consumers) == CONSUMERS_MAX:
        raise KinesisApiError(
            "LimitExceededException",
            f"Stream {stream.name} under account {stream.account} has {CONSUMERS_MAX} consumers.",
        )
    return {"Consumer": _summary(stream.consumer(name))}


def describe_stream_consumer(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """A consumer by its ARN, or by the stream's and its name."""
    arn = params.get("ConsumerARN")
    name = None if arn else _name(params)
    for consumer in stream.consumers:
        if arn == consumer.arn or name == consumer.name:
            return {"ConsumerDescription": _summary(consumer) | {"StreamARN": stream.arn}}
    raise KinesisApiError(
        NOT_FOUND, f"Consumer {arn or name} under account {stream.account} not found."
    )


def list_stream_consumers(
    stream: KinesisStream, params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """A page of the consumers, by name."""
    limit = page_size("maxResults", params.get("MaxResults", LIST_SHARDS_PAGE))
    after = _after(stream, params)
    consumers = sorted(stream.consumers, key=lambda consumer: consumer.name)
    behind = [consumer for consumer in consumers if consumer.name > after]
    answer: dict[str, Any] = {"Consumers": [_summary(each) for each in behind[:limit]]}
    if len(behind) > limit:
        token = ShardsToken(stream.arn, behind[limit - 1].name, now_ms, None)
        answer["NextToken"] = encode(token)
    return answer


def _after(stream: KinesisStream, params: Mapping[str, Any]) -> str:
    if "NextToken" not in params:
        return ""
    token = decode(params["NextToken"], ShardsToken)
    if token is None or token.stream != stream.arn:
        raise KinesisApiError(INVALID_ARGUMENT, "Invalid NextToken.")
    return token.after


def _name(params: Mapping[str, Any]) -> str:
    name = params.get("ConsumerName")
    if name is None:
        raise missing("consumerName")
    if not NAME.fullmatch(name):
        raise constraint(
            "consumerName", name, f"satisfy regular expression pattern: {NAME.pattern}"
        )
    return str(name)


def _summary(consumer: KinesisConsumer) -> dict[str, Any]:
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": consumer.arn,
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": from_ms(consumer.created_ms // 1000 * 1000),
    }
