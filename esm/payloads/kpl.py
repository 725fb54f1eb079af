"""Takes apart what the Kinesis Producer Library packs into one record.

Four bytes of magic, a protobuf message, the MD5 of the message. What only looks like that is
nobody's aggregate, and stays as it is.
https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
https://docs.aws.amazon.com/streams/latest/dev/kinesis-kpl-concepts.html
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5
from typing import NamedTuple, TypeVar

Entry = TypeVar("Entry")

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES = 16
# What data begins with in base64, where the magic ends within the sixth character.
AGGREGATE_BASE64 = "84maw"

# Protobuf's wire types, and how long the values of the fixed ones are. There are no groups.
_VARINT, _BYTES = 0, 2
_FIXED_BYTES = {1: 8, 5: 4}
_VARINT_BYTES = 10
_UINT_64 = (1 << 64) - 1

# Tags, a field's number and its wire type: of the aggregate, and of a record in it.
_KEY_TABLE, _HASH_KEY_TABLE, _RECORDS = (number << 3 | _BYTES for number in (1, 2, 3))
_KEY_INDEX, _HASH_KEY_INDEX, _DATA = 1 << 3 | _VARINT, 2 << 3 | _VARINT, 3 << 3 | _BYTES

# An explicit hash key is a decimal number below 2^128.
_HASH_KEY_DIGITS = 39

# Of a consumer's position: the lower bits count the parts of an aggregate; whole records have
# them all set.
PART_BITS = 20
WHOLE = (1 << PART_BITS) - 1


class UserRecord(NamedTuple):
    """One record as its producer meant it; `hash_key` is its explicit hash key, if it has one."""

    key: str
    hash_key: int | None
    data: bytes


class _Malformed(Exception):
    """No message of this form."""


def may_be_aggregate(base64: str) -> bool:
    """Whether data in base64 begins as an aggregate does; nearly nothing else does."""
    return base64.startswith(AGGREGATE_BASE64)


def user_records(data: bytes) -> list[UserRecord] | None:
    """The records in an aggregate, in order; None when the data is no sound aggregate."""
    message, digest = data[len(MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not data.startswith(MAGIC) or not message:
        return None
    if md5(message, usedforsecurity=False).digest() != digest:
        return None
    try:
        return _read_aggregate(message)
    except _Malformed:
        return None


def _read_aggregate(message: bytes) -> list[UserRecord]:
    fields: dict[int, list[int | bytes]] = {_KEY_TABLE: [], _HASH_KEY_TABLE: [], _RECORDS: []}
    for tag, value in _fields(message):
        fields.setdefault(tag, []).append(value)
    # The tables may stand behind the records that point into them.
    keys = [_text(value) for value in fields[_KEY_TABLE]]
    hash_keys = [_hash_key(value) for value in fields[_HASH_KEY_TABLE]]
    return [_read_record(value, keys, hash_keys) for value in fields[_RECORDS]]


def _read_record(message: int | bytes, keys: list[str], hash_keys: list[int]) -> UserRecord:
    fields = dict(_fields(message))  # of a field that comes twice the last one counts
    data = fields.get(_DATA)
    if not isinstance(data, bytes):
        raise _Malformed
    hash_key = _entry(hash_keys, fields[_HASH_KEY_INDEX]) if _HASH_KEY_INDEX in fields else None
    return UserRecord(_entry(keys, fields.get(_KEY_INDEX)), hash_key, data)


def _entry(table: list[Entry], index: int | bytes | None) -> Entry:
    if not isinstance(index, int) or index >= len(table):
        raise _Malformed
    return table[index]


def _fields(message: int | bytes) -> Iterator[tuple[int, int | bytes]]:
    """Tags and values in order, those of unknown fields too."""
    assert isinstance(message, bytes), "a tag says what its value is"
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            number, at = _varint(message, at)
            yield tag, number
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise _Malformed
        if length > len(message) - at:
            raise _Malformed
        yield tag, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and where it ends."""
    number = 0
    for place, byte in enumerate(message[at : at + _VARINT_BYTES]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number & _UINT_64, at + place + 1
    raise _Malformed


def _text(value: int | bytes) -> str:
    assert isinstance(value, bytes)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _Malformed from None


def _hash_key(value: int | bytes) -> int:
    assert isinstance(value, bytes)
    if not value.isdigit() or len(value) > _HASH_KEY_DIGITS:
        raise _Malformed
    return int(value)
