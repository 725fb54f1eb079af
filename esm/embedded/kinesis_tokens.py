"""Shard iterators and page tokens: opaque to their users, and all that we keep of them.

A token names its stream, because later calls need name nothing else.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from esm.core.model import After


class ShardIterator(msgspec.Struct, frozen=True, tag="i", array_like=True):
    """Where to read on; `generation` counts the `expire_iterators` of the stream before it.

    `created_ms`, of the stream, tells it from another one of its name. AWS takes iterators of up to
    512 characters, and so do clients.
    """

    stream: str
    shard_id: str
    sequence_number: str
    issued_ms: int
    generation: int
    created_ms: int = 0

    @property
    def position(self) -> After:
        """Behind the last record that was read."""
        return After(int(self.sequence_number))


class ShardsToken(msgspec.Struct, frozen=True, tag="s"):
    """Where the list of shards goes on: after a shard, under the same filter."""

    stream: str
    after: str
    issued_ms: int
    shard_filter: Mapping[str, Any] | None


Token = TypeVar("Token", ShardIterator, ShardsToken)


def encode(token: ShardIterator | ShardsToken) -> str:
    """A token as text."""
    return binascii.b2a_base64(msgspec.json.encode(token), newline=False).decode("ascii")


def decode(text: str, kind: type[Token]) -> Token | None:
    """The token that this text is, None when it is none of ours."""
    try:
        return msgspec.json.decode(binascii.a2b_base64(text, strict_mode=True), type=kind)
    except (ValueError, msgspec.DecodeError):
        return None


def stream_of(text: str) -> str | None:
    """The ARN of the stream that a token of ours belongs to."""
    token = decode(text, ShardIterator) or decode(text, ShardsToken)
    return token.stream if token else None
