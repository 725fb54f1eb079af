"""The table of counts: what one shard has counted of one zone in one window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from windows import Tally, WindowEvent

# Long enough to look into what a report said yesterday.
KEPT = timedelta(days=2)


def items(event: WindowEvent, tally: Tally) -> Iterator[dict[str, Any]]:
    """The items of a tally, the same whenever the same records are counted.

    A window that Lambda ended early goes on with an empty state: its first record tells its parts
    from each other, which the report adds up like those of other shards.
    """
    start = event.window.start.astimezone(UTC)
    for zone, scans in tally.scans.items():
        yield {
            "day": f"{start:%Y-%m-%d}",
            "part": f"{start:%Y-%m-%dT%H:%M:%SZ}#{zone}#{event.shard_id}#{tally.first}",
            "zone": zone,
            "scans": scans,
            "expires_at": _seconds(start + KEPT),
        }


def _seconds(instant: datetime) -> int:
    """An instant as Time To Live takes it."""
    return int(instant.timestamp())
