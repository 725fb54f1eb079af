"""What a producer may give to a Kinesis stream, and what it is told when it may not.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
"""

from __future__ import annotations

import json
import re

from esm.errors import InputError, InvalidValue
from esm.sources.hash_keys import MAX_HASH_KEY

KEY_CHARACTERS = 256
RECORD_KIB_MIN = 1024
RECORD_KIB_MAX = 10_240
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
SHARDS_MAX = 10_000

_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}")
_HASH_KEY = re.compile(r"0|[1-9][0-9]{0,38}")
_JSON = (dict, list)
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def payload_of(data: object, max_bytes: int) -> bytes:
    """The bytes of a record: dict and list as compact JSON, text as UTF-8, bytes as they are."""
    try:
        payload = _bytes_of(data)
    except ValueError as error:
        raise InvalidValue(
            "E442",
            f"this data cannot be put: {error}",
            why="dict and list become JSON, which has no NaN; text becomes UTF-8",
            fix="None in place of NaN, or the bytes themselves",
        ) from error
    if len(payload) > max_bytes:
        raise InputError(
            "E411",
            f"the record has {len(payload)} bytes of data, the stream takes {max_bytes}",
            fix="a smaller record, or a stream with a larger max_record_size_kib",
        )
    return payload


def _bytes_of(data: object) -> bytes:
    if isinstance(data, _JSON):
        return _to_json(data).encode()
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, bytes):
        return data
    raise TypeError(
        f"data is {type(data).__name__}: give a dict or list (becomes JSON), str or bytes"
    )


def key_bytes(key: str) -> int:
    """The UTF-8 length of a partition key that AWS would take."""
    if not isinstance(key, str):
        raise TypeError(f"a partition key is text, not {type(key).__name__}: give str(key)")
    if not 1 <= len(key) <= KEY_CHARACTERS:
        raise InputError(
            "E410", f"a partition key has 1 to {KEY_CHARACTERS} characters, this one {len(key)}"
        )
    try:
        return len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidValue(
            "E441",
            f"the partition key {key!r} has half a character: {error.reason}",
            why="Kinesis takes text that can be written as UTF-8",
            fix='key.encode("utf-8", "replace").decode()',
        ) from error


def hash_key_from(value: str | int) -> int:
    """A hash key given as decimal text, as AWS wants it, or as a number."""
    text = str(value)
    if not _HASH_KEY.fullmatch(text) or int(text) > MAX_HASH_KEY:
        raise InputError(
            "E412", f"{value!r} is not a hash key", fix="a decimal number from 0 to 2^128-1"
        )
    return int(text)


def check_shard_count(shards: int) -> None:
    """Refuse a number of shards that no stream can have."""
    if not 1 <= shards <= SHARDS_MAX:
        raise InputError("E417", f"a stream has 1 to {SHARDS_MAX} shards, not {shards}")


def check_stream(name: str, max_record_size_kib: int) -> None:
    """Refuse a name or a record size that no stream can have."""
    if not _NAME.fullmatch(name):
        raise InputError(
            "E418",
            f"{name!r} is not a stream name",
            fix="1 to 128 letters, digits, dots, dashes and underscores",
        )
    if not RECORD_KIB_MIN <= max_record_size_kib <= RECORD_KIB_MAX:
        raise InputError(
            "E419",
            f"max_record_size_kib is {max_record_size_kib}",
            fix=f"a number from {RECORD_KIB_MIN} to {RECORD_KIB_MAX}",
        )
