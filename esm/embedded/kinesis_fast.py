"""PutRecord, PutRecords and GetRecords from JSON to JSON, without a dict for each record.

Only what is right in every point goes this way: whatever is not is left to the long way, which
knows what to answer. Data stays in base64.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping

import msgspec

from esm.embedded.kinesis_answers import records_read
from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.kinesis_errors import throttled
from esm.embedded.kinesis_put import PUT_RECORDS, PUT_RECORDS_BYTES, is_hash_key
from esm.embedded.kinesis_read import read_on
from esm.payloads.kinesis import KinesisRecord
from esm.payloads.kpl import MAGIC
from esm.sources.kinesis_input import KEY_CHARACTERS
from esm.sources.memory import KinesisStream
from esm.sources.memory_intake import Entry
from esm.sources.memory_limits import ThroughputExceeded
from esm.sources.memory_rules import READ_RECORDS


class RecordToPut(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A record of PutRecords."""

    Data: str
    PartitionKey: str
    ExplicitHashKey: str | None = None


class PutRecord(RecordToPut, gc=False, forbid_unknown_fields=True):
    """The parameters of PutRecord but for SequenceNumberForOrdering, which few have."""

    StreamName: str | None = None
    StreamARN: str | None = None


class PutRecords(msgspec.Struct, forbid_unknown_fields=True):
    """The parameters of PutRecords."""

    Records: list[RecordToPut]
    StreamName: str | None = None
    StreamARN: str | None = None


class GetRecords(msgspec.Struct, forbid_unknown_fields=True):
    """The parameters of GetRecords."""

    ShardIterator: str
    Limit: int = READ_RECORDS
    StreamARN: str | None = None


class Accepted(msgspec.Struct, gc=False):
    """A record that was put."""

    SequenceNumber: str
    ShardId: str


class Refused(msgspec.Struct, gc=False):
    """A record that its shard was too full for."""

    ErrorCode: str
    ErrorMessage: str


class Results(msgspec.Struct):
    """The answer of PutRecords."""

    FailedRecordCount: int
    Records: list[Accepted | Refused]


# Of the model; longer ones are no iterators, and the long way says so.
ITERATOR_CHARACTERS = 512

_put_record = msgspec.json.Decoder(PutRecord).decode
_put_records = msgspec.json.Decoder(PutRecords).decode
_get_records = msgspec.json.Decoder(GetRecords).decode
_encode = msgspec.json.encode


def answer_fast(api: KinesisApi, operation: str, body: bytes, now_ms: int) -> bytes | None:
    """The answer; None where the long way has to be taken. Nothing has happened then."""
    run = _FAST.get(operation)
    if run is None:
        return None
    try:
        return run(api, body, now_ms)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _run_put_record(api: KinesisApi, body: bytes, _now_ms: int) -> bytes | None:
    request = _put_record(body)
    stream = _stream(api, request.StreamName, request.StreamARN)
    entry = None if stream is None else _entry(request, stream.max_record_bytes)
    if stream is None or entry is None:
        return None
    [result] = stream.put_all([entry])
    if isinstance(result, ThroughputExceeded):
        raise throttled(result) from result
    return _encode(_shown(result))


def _run_put_records(api: KinesisApi, body: bytes, _now_ms: int) -> bytes | None:
    request = _put_records(body)
    stream = _stream(api, request.StreamName, request.StreamARN)
    if stream is None or not 1 <= len(request.Records) <= PUT_RECORDS:
        return None
    entries: list[Entry] = []
    for record in request.Records:
        entry = _entry(record, stream.max_record_bytes)
        if entry is None:
            return None
        entries.append(entry)
    if sum(entry.weight for entry in entries) > PUT_RECORDS_BYTES:
        return None
    results = list(map(_shown, stream.put_all(entries)))
    failed = sum(isinstance(result, Refused) for result in results)
    return _encode(Results(failed, results))


def _run_get_records(api: KinesisApi, body: bytes, now_ms: int) -> bytes | None:
    request = _get_records(body)
    named = {"ShardIterator": request.ShardIterator}
    if request.StreamARN is not None:
        named["StreamARN"] = request.StreamARN
    stream = api.find(named)
    fits = (
        1 <= request.Limit <= READ_RECORDS
        and 1 <= len(request.ShardIterator) <= ITERATOR_CHARACTERS
    )
    if stream is None or not fits:
        return None
    page = read_on(stream, request.ShardIterator, request.Limit, now_ms)
    answer = {
        "Records": records_read(page.records),
        "MillisBehindLatest": page.millis_behind,
    }
    if page.next_iterator is None:
        return _encode(answer | {"ChildShards": page.children})
    return _encode(answer | {"NextShardIterator": page.next_iterator})


_FAST: Mapping[str, Callable[[KinesisApi, bytes, int], bytes | None]] = {
    "PutRecord": _run_put_record,
    "PutRecords": _run_put_records,
    "GetRecords": _run_get_records,
}


def _stream(api: KinesisApi, name: str | None, arn: str | None) -> KinesisStream | None:
    """The stream that is named once."""
    if name is not None and arn is not None:
        return None
    return api.find({"StreamName": name, "StreamARN": arn})


def _entry(record: RecordToPut, max_bytes: int) -> Entry | None:
    key, base64, text = record.PartitionKey, record.Data, record.ExplicitHashKey
    if not 1 <= len(key) <= KEY_CHARACTERS or not (text is None or is_hash_key(text)):
        return None
    try:
        payload = binascii.a2b_base64(base64, strict_mode=True)
    except ValueError:
        return None
    if len(payload) > max_bytes:
        return None
    if base64.endswith("="):  # bits behind the last byte are nobody's, and shown as zero
        base64 = binascii.b2a_base64(payload, newline=False).decode("ascii")
    weight = len(payload) + (len(key) if key.isascii() else len(key.encode()))
    hash_key = None if text is None else int(text)
    return Entry(key, base64, weight, hash_key, payload.startswith(MAGIC))


def _shown(result: KinesisRecord | ThroughputExceeded) -> Accepted | Refused:
    if isinstance(result, ThroughputExceeded):
        refusal = throttled(result)
        return Refused(refusal.code, refusal.message)
    return Accepted(result.sequence_number, result.shard_id)
