"""PutRecord and PutRecords.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from esm.embedded.kinesis_errors import (
    INVALID_ARGUMENT,
    KinesisApiError,
    constraint,
    missing,
    throttled,
)
from esm.payloads.kinesis import KinesisRecord
from esm.sources.hash_keys import MAX_HASH_KEY
from esm.sources.kinesis_input import KEY_CHARACTERS
from esm.sources.memory import KinesisStream
from esm.sources.memory_intake import Entry, entry_of
from esm.sources.memory_limits import ThroughputExceeded

PUT_RECORDS = 500
PUT_RECORDS_BYTES = 10 * 1024 * 1024

_HASH_KEY = re.compile(r"0|[1-9]\d{0,38}", re.ASCII)
_SEQUENCE_NUMBER = re.compile(r"0|[1-9]\d{0,128}", re.ASCII)


def put_record(stream: KinesisStream, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Put one record. Order per key needs no SequenceNumberForOrdering here: puts keep theirs."""
    entry = _checked(params, stream.max_record_bytes, "")
    ordering = params.get("SequenceNumberForOrdering")
    if ordering is not None and not _SEQUENCE_NUMBER.fullmatch(ordering):
        pattern = r"satisfy regular expression pattern: 0|([1-9]\d{0,128})"
        raise constraint("sequenceNumberForOrdering", ordering, pattern)
    [result] = stream.put_all([entry])
    if isinstance(result, ThroughputExceeded):
        raise throttled(result) from result
    return _shown(result)


def put_records(stream: KinesisStream, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Put up to 500 records; a shard's limit fails its records alone, in their place."""
    given: Sequence[Mapping[str, Any]] | None = params.get("Records")
    if given is None:
        raise missing("records")
    if not given:
        raise constraint("records", None, "have length greater than or equal to 1")
    if len(given) > PUT_RECORDS:
        raise constraint("records", None, f"have length less than or equal to {PUT_RECORDS}")
    entries = [
        _checked(record, stream.max_record_bytes, f"records.{number}.member.")
        for number, record in enumerate(given, start=1)
    ]
    if sum(entry.weight for entry in entries) > PUT_RECORDS_BYTES:
        raise KinesisApiError(INVALID_ARGUMENT, "Records size exceeds 10 MB limit")
    results = list(map(_shown, stream.put_all(entries)))
    return {"FailedRecordCount": sum("ErrorCode" in r for r in results), "Records": results}


def is_hash_key(text: str) -> bool:
    """Whether text is an ExplicitHashKey that Kinesis takes."""
    return bool(_HASH_KEY.fullmatch(text)) and int(text) <= MAX_HASH_KEY


def _shown(result: KinesisRecord | ThroughputExceeded) -> dict[str, Any]:
    if isinstance(result, ThroughputExceeded):
        refusal = throttled(result)
        return {"ErrorCode": refusal.code, "ErrorMessage": refusal.message}
    return {"SequenceNumber": result.sequence_number, "ShardId": result.shard_id}


def _checked(given: Mapping[str, Any], max_bytes: int, prefix: str) -> Entry:
    """An entry; everything that fails a whole call is found before anything is put."""
    key = given.get("PartitionKey")
    if key is None:
        raise missing(f"{prefix}partitionKey")
    if not key:
        raise constraint(f"{prefix}partitionKey", "", "have length greater than or equal to 1")
    if len(key) > KEY_CHARACTERS:
        rule = f"have length less than or equal to {KEY_CHARACTERS}"
        raise constraint(f"{prefix}partitionKey", key, rule)
    if given.get("Data") is None:
        raise missing(f"{prefix}data")
    data = _blob(given["Data"])
    if len(data) > max_bytes:
        raise constraint(f"{prefix}data", None, f"have length less than or equal to {max_bytes}")
    hash_key = given.get("ExplicitHashKey")
    return entry_of(data, key, None if hash_key is None else _hash_key(hash_key, prefix))


def _blob(value: bytes | bytearray | str) -> bytes:
    """A blob parameter's bytes; botocore takes text too, as UTF-8."""
    return value.encode() if isinstance(value, str) else bytes(value)


def _hash_key(value: str, prefix: str) -> int:
    if not _HASH_KEY.fullmatch(value):
        pattern = r"satisfy regular expression pattern: 0|([1-9]\d{0,38})"
        raise constraint(f"{prefix}explicitHashKey", value, pattern)
    if int(value) > MAX_HASH_KEY:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {value}",
        )
    return int(value)
