"""Retention, capacity mode, record size and encryption of a stream: changes take effect at once.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_IncreaseStreamRetentionPeriod.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esm.embedded.kinesis_errors import INVALID_ARGUMENT, KinesisApiError
from esm.sources.memory import KinesisStream

RETENTION_HOURS_MIN = 24
RETENTION_HOURS_MAX = 8760
HOUR_MS = 3_600_000


def increase_retention(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """Keep records longer from now on."""
    hours = _hours(params)
    if hours < retention_hours(stream):
        raise _wrong_way(stream, hours, "shorter", "Decrease")
    stream.retain(hours * HOUR_MS)
    return {}


def decrease_retention(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """Keep records no longer than that; older ones are gone at once."""
    hours = _hours(params)
    if hours > retention_hours(stream):
        raise _wrong_way(stream, hours, "longer", "Increase")
    stream.retain(hours * HOUR_MS)
    return {}


def update_stream_mode(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """Provisioned or on demand; the shards stay as they are."""
    stream.properties.mode = params["StreamModeDetails"]["StreamMode"]
    return {}


def update_max_record_size(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """How large the data of a record may be."""
    stream.max_record_bytes = params["MaxRecordSizeInKiB"] * 1024
    return {}


def start_encryption(
    stream: KinesisStream, params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """Show the stream as encrypted: readers cannot tell, on AWS either."""
    if params["EncryptionType"] != "KMS":
        raise KinesisApiError(INVALID_ARGUMENT, "EncryptionType must be KMS.")
    stream.properties.key_id = params["KeyId"]
    return {}


def stop_encryption(
    stream: KinesisStream, _params: Mapping[str, Any], _now_ms: int
) -> dict[str, Any]:
    """Show the stream as not encrypted."""
    stream.properties.key_id = None
    return {}


def retention_hours(stream: KinesisStream) -> int:
    """How long the stream keeps a record, as its API says it."""
    return stream.retention_ms // HOUR_MS


def _hours(params: Mapping[str, Any]) -> int:
    hours: int = params["RetentionPeriodHours"]
    if hours < RETENTION_HOURS_MIN:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            f"Minimum allowed retention period is {RETENTION_HOURS_MIN} hours. "
            f"Requested retention period ({hours} hours) is too short.",
        )
    if hours > RETENTION_HOURS_MAX:
        raise KinesisApiError(
            INVALID_ARGUMENT,
            f"Maximum allowed retention period is {RETENTION_HOURS_MAX} hours. "
            f"Requested retention period ({hours} hours) is too long.",
        )
    return hours


def _wrong_way(stream: KinesisStream, hours: int, than: str, other: str) -> KinesisApiError:
    return KinesisApiError(
        INVALID_ARGUMENT,
        f"Requested retention period ({hours} hours) for stream {stream.name} can not be {than} "
        f"than existing retention period ({retention_hours(stream)} hours). "
        f"Use {other}RetentionPeriod API.",
    )
