"""What a stream's API keeps and tells, and what changes nothing for those who read the stream."""

from __future__ import annotations

from dataclasses import dataclass, field

PROVISIONED, ON_DEMAND = "PROVISIONED", "ON_DEMAND"


@dataclass(slots=True)
class StreamProperties:
    """`mode`: how capacity is paid for; `key_id`: the KMS key, None where nothing is encrypted."""

    mode: str = PROVISIONED
    key_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
