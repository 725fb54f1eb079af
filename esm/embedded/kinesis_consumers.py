"""RegisterStreamConsumer, DeregisterStreamConsumer and those that show consumers.

A consumer is active as soon as it is registered, and gone as soon as it is deregistered.
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esm.embedded.kinesis_describe import LIST_SHARDS_PAGE, token_of
from esm.embedded.kinesis_errors import IN_USE, LIMIT, KinesisApiError, missing, no_consumer
from esm.embedded.kinesis_streams import Account
from esm.embedded.kinesis_tags import check_tags
from esm.embedded.kinesis_tokens import ShardsToken, encode
from esm.instants import from_ms
from esm.sources.memory import KinesisStream
from esm.sources.memory_consumer import CONSUMERS_MAX, KinesisConsumer


def register_stream_consumer(
    stream: KinesisStream, params: Mapping[str, Any], created_ms: int
) -> dict[str, Any]:
    """A new consumer of the stream, registered at that instant."""
    name, tags = params["ConsumerName"], params.get("Tags", {})
    check_tags(tags, {}, f"consumer {name}", stream.account)
    if any(consumer.name == name for consumer in stream.consumers):
        raise KinesisApiError(
            IN_USE,
            f"Consumer {name} under stream {stream.name} already exists for account "
            f"{stream.account}.",
        )
    if len(stream.consumers) == CONSUMERS_MAX:
        raise KinesisApiError(
            LIMIT,
            f"Stream {stream.name} under account {stream.account} has {CONSUMERS_MAX} consumers.",
        )
    consumer = stream.consumer(name, created_ms=created_ms)
    consumer.tags.update(tags)
    return {"Consumer": _summary(consumer)}


def deregister_stream_consumer(
    account: Account, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """Forget a consumer; its subscriptions end."""
    stream = account.asked_for(params)
    account.own("DeregisterStreamConsumer", "another consumer, made by the test")
    stream.deregister(_consumer(stream, params).name)
    return {}


def describe_stream_consumer(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """A consumer by its ARN, or by the stream's and its name."""
    consumer = _consumer(stream, params)
    return {"ConsumerDescription": _summary(consumer) | {"StreamARN": stream.arn}}


def list_stream_consumers(
    stream: KinesisStream, params: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """A page of the consumers, by name."""
    limit = params.get("MaxResults", LIST_SHARDS_PAGE)
    after = token_of(stream, params["NextToken"]).after if "NextToken" in params else ""
    consumers = sorted(stream.consumers, key=lambda consumer: consumer.name)
    behind = [consumer for consumer in consumers if consumer.name > after]
    answer: dict[str, Any] = {"Consumers": [_summary(each) for each in behind[:limit]]}
    if len(behind) > limit:
        token = ShardsToken(stream.arn, behind[limit - 1].name, now_ms, None)
        answer["NextToken"] = encode(token)
    return answer


def consumer_of(stream: KinesisStream, arn: str) -> KinesisConsumer:
    """The consumer of an ARN."""
    for consumer in stream.consumers:
        if consumer.arn == arn:
            return consumer
    raise no_consumer(arn, stream.account)


def _consumer(stream: KinesisStream, params: Mapping[str, Any]) -> KinesisConsumer:
    if "ConsumerARN" in params:
        return consumer_of(stream, params["ConsumerARN"])
    if "ConsumerName" not in params:
        raise missing("consumerName")
    name = params["ConsumerName"]
    for consumer in stream.consumers:
        if consumer.name == name:
            return consumer
    raise no_consumer(name, stream.account)


def _summary(consumer: KinesisConsumer) -> dict[str, Any]:
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": consumer.arn,
        "ConsumerStatus": "ACTIVE",
        "ConsumerCreationTimestamp": from_ms(consumer.created_ms // 1000 * 1000),
    }
