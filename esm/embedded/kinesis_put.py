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
from esm.sources.kinesis_input import KEY_CHARACTERS
from esm.sources.memory import KinesisStream
from esm.sources.memory_limits import ThroughputExceeded

PUT_RECORDS = 500
PUT_RECORDS_BYTES = 10 * 1024 * 1024

_HASH_KEY = re.compile(r"0|[1-9]\d{0,38}", re.ASCII)
_SEQUENCE_NUMBER = re.compile(r"0|[1-9]\d{0,128}", re.ASCII)


def put_record(stream: KinesisStream, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Put one record. Order per key needs no SequenceNumberForOrdering here: puts keep theirs."""
    _check_entry(params, stream.max_record_bytes, "")
    ordering = params.get("SequenceNumberForOrdering")
    if ordering is not None and not _SEQUENCE_NUMBER.fullmatch(ordering):
        pattern = r"satisfy regular expression pattern: 0|([1-9]\d{0,128})"
        raise constraint("sequenceNumberForOrdering", ordering, pattern)
    try:
        return _put(stream, params)
    except ThroughputExceeded as error:
        raise throttled(error) from error


def put_records(stream: KinesisStream, params: Mapping[str, Any], _now_ms: int) -> dict[str, Any]:
    """Put up to 500 records; a shard's limit fails its records alone, in their place."""
    entries: Sequence[Mapping[str, Any]] = params["Records"]
    if len(entries) > PUT_RECORDS:
        raise constraint("records", None, f"have length less than or equal to {PUT_RECORDS}")
    for number, entry in enumerate(entries, start=1):
        _check_entry(entry, stream.max_record_bytes, f"records.{number}.member.")
    total = sum(len(blob(e["Data"])) + len(e["PartitionKey"].encode()) for e in entries)
    if total > PUT_RECORDS_BYTES:
        raise KinesisApiError(INVALID_ARGUMENT, "Records size exceeds 10 MB limit")
    results = [_try_put(stream, entry) for entry in entries]
    return {"FailedRecordCount": sum("ErrorCode" in r for r in results), "Records": results}


def blob(value: bytes | bytearray | str) -> bytes:
    """A blob parameter's bytes; botocore takes text too, as UTF-8."""
    return value.encode() if isinstance(value, str) else bytes(value)


def _try_put(stream: KinesisStream, entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return _put(stream, entry)
    except ThroughputExceeded as error:
        refusal = throttled(error)
        return {"ErrorCode": refusal.code, "ErrorMessage": refusal.message}


def _put(stream: KinesisStream, entry: Mapping[str, Any]) -> dict[str, Any]:
    record = stream.put(blob(entry["Data"]), entry["PartitionKey"], entry.get("ExplicitHashKey"))
    return {"SequenceNumber": record.sequence_number, "ShardId": record.shard_id}


def _check_entry(entry: Mapping[str, Any], max_bytes: int, prefix: str) -> None:
    """Everything that fails a whole call, so that nothing is put when one record is wrong."""
    key = entry.get("PartitionKey")
    if key is None:
        raise missing(f"{prefix}partitionKey")
    if not key:
        raise constraint(f"{prefix}partitionKey", "", "have length greater than or equal to 1")
    if len(key) > KEY_CHARACTERS:
        rule = f"have length less than or equal to {KEY_CHARACTERS}"
        raise constraint(f"{prefix}partitionKey", key, rule)
    if len(blob(entry["Data"])) > max_bytes:
        raise constraint(f"{prefix}data", None, f"have length less than or equal to {max_bytes}")
    hash_key = entry.get("ExplicitHashKey")
    if hash_key is not None:
        _check_hash_key(hash_key, prefix)


def _check_hash_key(value: str, prefix: str) -> None:
    if not _HASH_KEY.fullmatch(value):
        pattern = r"satisfy regular expression pattern: 0|([1-9]\d{0,38})"
        raise constraint(f"{prefix}explicitHashKey", value, pattern)
    if int(value) >= 2**128:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
            f"Specified value was {value}",
        )
