"""Tags of streams and consumers: kept and listed, nothing else heeds them.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_TagResource.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from esm.embedded.kinesis_errors import INVALID_ARGUMENT, KinesisApiError, no_consumer
from esm.sources.memory import KinesisStream

TAGS_MAX = 50
_ALLOWED = re.compile(r"[\w\s./=+@:-]*")


def add_tags(stream: KinesisStream, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Set tags of a stream or consumer; those of the same key are replaced."""
    what, tags = _tagged(stream, params)
    check_tags(params["Tags"], tags, what, stream.account)
    tags.update(params["Tags"])
    return {}


def remove_tags(stream: KinesisStream, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Take tags away; a key that is not there is none the worse."""
    tags = _tagged(stream, params)[1]
    for key in params["TagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags_for_stream(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """A page of a stream's tags, by key."""
    limit = params.get("Limit", TAGS_MAX)
    start = params.get("ExclusiveStartTagKey", "")
    behind = [tag for tag in _listed(stream.properties.tags) if tag["Key"] > start]
    return {"Tags": behind[:limit], "HasMoreTags": len(behind) > limit}


def list_tags_for_resource(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """All tags of a stream or consumer."""
    return {"Tags": _listed(_tagged(stream, params)[1])}


def check_tags(added: Mapping[str, str], present: Iterable[str], what: str, account: str) -> None:
    """Refuse tags that AWS would not take, or too many of them."""
    failed = f"Failed to add tags to {what} under account {account} because"
    if not all(_ALLOWED.fullmatch(text) for tag in added.items() for text in tag):
        raise KinesisApiError(
            INVALID_ARGUMENT,
            f"{failed} some tags contained illegal characters. The allowed characters are "
            "Unicode letters, white-spaces, '_', '.', '/', '=', '+', '-', '@', ':'.",
        )
    if len(added.keys() | set(present)) > TAGS_MAX:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            f"{failed} it cannot have more than {TAGS_MAX} tags associated with it.",
        )


def _tagged(stream: KinesisStream, params: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """What a call is about, in words, and its tags."""
    arn = params.get("ResourceARN", stream.arn)
    if arn == stream.arn:
        return f"stream {stream.name}", stream.properties.tags
    for consumer in stream.consumers:
        if consumer.arn == arn:
            return f"consumer {consumer.name}", consumer.tags
    raise no_consumer(arn, stream.account)


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
