"""What the forms of captures have in common: how they are decoded, and what their values may be."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from esm.instants import parse_instant
from esm.sources.capture_places import JsonPath
from esm.sources.capture_text import Wrong
from esm.sources.capture_words import in_words

EXPECTED = "a Lambda event, `aws … get-records` output, or an on-failure object from S3"

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html
_SEQUENCE_NUMBER = re.compile(r"0|[1-9]\d{0,128}")
_LAST_INSTANT_MS = 253_402_300_799_999  # the end of the year 9999
_PATH = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")

T = TypeVar("T")


def check_sequence_number(value: str, path: JsonPath) -> None:
    """A stream's number of a record."""
    if not _SEQUENCE_NUMBER.fullmatch(value):
        raise Wrong("E424", "a sequence number is decimal digits without leading zeros", path)


def instant_ms(value: float | str, path: JsonPath) -> int:
    """Epoch milliseconds of epoch seconds, or of ISO-8601 text as the AWS CLI writes it."""
    try:
        arrived_ms = parse_instant(value) if isinstance(value, str) else round(value * 1000)
    except (ValueError, OverflowError):
        arrived_ms = -1
    if not 0 <= arrived_ms <= _LAST_INSTANT_MS:
        raise Wrong(
            "E424", "no instant: write seconds since 1970, or text like 2026-01-31T12:00:00Z", path
        )
    return arrived_ms


def decode(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, path: JsonPath = ()) -> T:
    """Decode, and turn a complaint about the shape into what is wrong at which path."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        match = _PATH.match(str(error))
        message, inside = match.groups(default="") if match else (str(error), "")
        where = (*path, *(key or int(index) for key, index in _STEP.findall(inside)))
        is_list = not where and message.endswith("got `array`")
        raise Wrong(
            "E424",
            in_words(message, where),
            where,
            why=f"expected {EXPECTED}",
            fix="jq -c '.[]' makes a line of each record: JSONL" if is_list else None,
        ) from None
