"""When a stream forgets: the one rule that sources and the shard machine share.

A record stays for the whole retention period and is gone after it.
https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
"""

from __future__ import annotations


def is_trimmed(arrived_ms: int, retention_ms: int | None, now_ms: int) -> bool:
    """Whether a record that arrived then is gone now; `retention_ms` None keeps it for ever."""
    return retention_ms is not None and now_ms - arrived_ms > retention_ms
