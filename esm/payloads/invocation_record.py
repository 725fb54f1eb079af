"""What an on-failure destination gets for a discarded batch.

Shape and key order as recorded on AWS;
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from esm.core.model import Condition, DiscardInfo
from esm.instants import from_ms, iso_ms

LATEST_VERSION = "$LATEST"


def invocation_record(
    info: DiscardInfo,
    batch_info: tuple[str, Mapping[str, Any]],
    *,
    function_arn: str,
    request_id: str,
    now_ms: int,
    event: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The invocation record of a discarded batch.

    `batch_info`: what it says of the records, under a name of their source's; `request_id`: of the
    batch's last invocation. With `event`, as S3 wants it, the whole event follows as JSON text
    under "payload".
    """
    record: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": info.condition.value,
            "approximateInvokeCount": info.approximate_invoke_count,
        },
        **_response_context(info, function_arn),
        "version": "1.0",
        "timestamp": iso_ms(now_ms),
        batch_info[0]: dict(batch_info[1]),
    }
    if event is not None:
        record["payload"] = msgspec.json.encode(event).decode()
    return record


def s3_key(mapping_uuid: str, shard_id: str, now_ms: int, random_uuid: str) -> str:
    """The key of an invocation record in a bucket; days and times are UTC."""
    stamp = from_ms(now_ms).strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S")
    return f"aws/lambda/{mapping_uuid}/{shard_id}/{stamp}-{random_uuid}"


def executed_version(function_arn: str) -> str:
    """The version that ran: a numbered qualifier's own. What an alias points to we cannot know."""
    qualifier = function_arn.split(":")[7:]
    return qualifier[0] if qualifier and qualifier[0].isdecimal() else LATEST_VERSION


def _response_context(info: DiscardInfo, function_arn: str) -> dict[str, Any]:
    """The responseContext entry: one for a function that answered, null or none for others."""
    match info.condition:
        case Condition.RETRY_ATTEMPTS_EXHAUSTED:
            return {
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": executed_version(function_arn),
                    "functionError": info.function_error,
                }
            }
        case Condition.MAXIMUM_PAYLOAD_SIZE_EXCEEDED:
            return {"responseContext": None}
        case Condition.RECORD_AGE_EXCEEDED:
            return {}
