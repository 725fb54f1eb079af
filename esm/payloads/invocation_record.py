"""What an on-failure destination gets for a discarded batch.

Shape and key order as recorded on AWS;
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from esm.core.model import Condition, DiscardInfo
from esm.instants import from_ms, iso_ms
from esm.payloads.kinesis import KinesisRecord

LATEST_VERSION = "$LATEST"


def kinesis_invocation_record(
    info: DiscardInfo,
    records: Sequence[KinesisRecord],
    *,
    shard_id: str,
    function_arn: str,
    request_id: str,
    stream_arn: str,
    now_ms: int,
    version: str = LATEST_VERSION,
    event: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The invocation record of a discarded batch, oldest record first.

    `request_id`: of the batch's last invocation; `version`: the one that ran. With `event`, as S3
    wants it, the whole event follows as JSON text under "payload".
    """
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": info.condition.value,
            "approximateInvokeCount": info.approximate_invoke_count,
        },
        **_response_context(info, version),
        "version": "1.0",
        "timestamp": iso_ms(now_ms),
        "KinesisBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": records[0].sequence_number,
            "endSequenceNumber": records[-1].sequence_number,
            "approximateArrivalOfFirstRecord": iso_ms(records[0].arrived_ms),
            "approximateArrivalOfLastRecord": iso_ms(records[-1].arrived_ms),
            "batchSize": len(records),
            "streamArn": stream_arn,
        },
    }
    if event is not None:
        record["payload"] = msgspec.json.encode(event).decode()
    return record


def s3_key(mapping_uuid: str, shard_id: str, now_ms: int, random_uuid: str) -> str:
    """The key of an invocation record in a bucket; days and times are UTC."""
    stamp = from_ms(now_ms).strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S")
    return f"aws/lambda/{mapping_uuid}/{shard_id}/{stamp}-{random_uuid}"


def _response_context(info: DiscardInfo, version: str) -> dict[str, Any]:
    """The responseContext entry: one for a function that answered, null or none for others."""
    match info.condition:
        case Condition.RETRY_ATTEMPTS_EXHAUSTED:
            return {
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": version,
                    "functionError": info.function_error,
                }
            }
        case Condition.MAXIMUM_PAYLOAD_SIZE_EXCEEDED:
            return {"responseContext": None}
        case Condition.RECORD_AGE_EXCEEDED:
            return {}
