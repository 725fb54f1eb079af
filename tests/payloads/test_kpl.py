"""What the Kinesis Producer Library packs is taken apart; anything else stays as it is."""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kpl_oracle import Part, aggregate

from esm.payloads.kpl import MAGIC, UserRecord, may_be_aggregate, user_records

HASH_KEYS = st.none() | st.integers(0, 2**128 - 1).map(str)
PARTS = st.lists(
    st.builds(Part, st.text(min_size=1, max_size=20), st.binary(max_size=300), HASH_KEYS),
    min_size=1,
    max_size=20,
)
KEY, HASH_KEY, RECORD = b"\x0a\x01k", b"\x12\x0217", b"\x1a\x05\x08\x00\x1a\x01d"


def sealed(message: bytes) -> bytes:
    """A message between magic and digest."""
    return MAGIC + message + md5(message).digest()


def told(part: Part) -> UserRecord:
    return UserRecord(part.key, None if part.hash_key is None else int(part.hash_key), part.data)


@given(PARTS)
def test_aggregates_of_awss_library_are_read_as_they_were_meant(parts: list[Part]) -> None:
    assert user_records(aggregate(*parts)) == [told(part) for part in parts]


@given(PARTS)
def test_they_are_recognised_in_base64(parts: list[Part]) -> None:
    assert may_be_aggregate(b64encode(aggregate(*parts)).decode())


@pytest.mark.parametrize("data", [b"", b"{}", b"\xf3\x89\x9a", b"\xf3\x89\x9b\xc2more"])
def test_other_data_is_told_apart_by_its_first_bytes(data: bytes) -> None:
    assert not may_be_aggregate(b64encode(data).decode())
    assert user_records(data) is None


@given(st.binary(max_size=200))
@example(b"")
@example(KEY + RECORD)
def test_nothing_that_claims_to_be_an_aggregate_raises(message: bytes) -> None:
    for record in user_records(sealed(message)) or ():
        assert isinstance(record, UserRecord)


@given(PARTS, st.data())
def test_a_bit_that_flips_leaves_a_blob(parts: list[Part], data: st.DataObject) -> None:
    intact = aggregate(*parts)
    at = data.draw(st.integers(0, 8 * len(intact) - 1))
    broken = bytearray(intact)
    broken[at // 8] ^= 1 << at % 8
    assert user_records(bytes(broken)) is None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(KEY + HASH_KEY + RECORD, id="as the library orders it"),
        pytest.param(RECORD + HASH_KEY + KEY, id="tables behind the records"),
        pytest.param(KEY + b"\x28\x96\x01" + RECORD, id="an unknown number"),
        pytest.param(KEY + b"\x29" + bytes(8) + b"\x2d" + bytes(4) + RECORD, id="unknown, fixed"),
        pytest.param(KEY + b"\x0d" + bytes(4) + RECORD, id="a known field of another type"),
        pytest.param(KEY + b"\x1a\x07\x08\x09\x08\x00\x1a\x01d", id="the last of two counts"),
        pytest.param(KEY + b"\x1a\x08\x08\x00\x22\x01t\x1a\x01d", id="tags"),
    ],
)
def test_every_way_to_write_the_same_message_is_read(message: bytes) -> None:
    assert user_records(sealed(message)) == [UserRecord("k", None, b"d")]


def test_a_record_may_have_a_hash_key_and_no_data() -> None:
    message = KEY + HASH_KEY + b"\x1a\x06\x08\x00\x10\x00\x1a\x00"
    assert user_records(sealed(message)) == [UserRecord("k", 17, b"")]


def test_an_aggregate_may_be_empty() -> None:
    assert user_records(sealed(KEY)) == []


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="nothing between magic and digest"),
        pytest.param(b"\x0a\x05k", id="a text that ends too early"),
        pytest.param(b"\x2d\x00", id="a fixed value that ends too early"),
        pytest.param(b"\x80", id="a number that does not end"),
        pytest.param(b"\x80" * 11 + b"\x00", id="a number of more than ten bytes"),
        pytest.param(b"\x0b", id="a group"),
        pytest.param(b"\x0a\x01\xff" + RECORD, id="a key that is no text"),
        pytest.param(KEY + b"\x12\x01x" + RECORD, id="a hash key that is no number"),
        pytest.param(KEY + b"\x12\x00" + RECORD, id="an empty hash key"),
        pytest.param(KEY + b"\x12\x28" + b"1" * 40 + RECORD, id="a hash key of 40 digits"),
        pytest.param(RECORD, id="a key that is not in the table"),
        pytest.param(KEY + b"\x1a\x07\x08\x00\x10\x00\x1a\x01d", id="a hash key that is not there"),
        pytest.param(KEY + b"\x1a\x03\x1a\x01d", id="a record without a key"),
        pytest.param(KEY + b"\x1a\x02\x08\x00", id="a record without data"),
    ],
)
def test_a_malformed_message_leaves_a_blob(message: bytes) -> None:
    assert user_records(sealed(message)) is None
