"""What Lambda says of a tumbling window, and what is counted in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from pydantic import AwareDatetime, Field

from models import Model, ScanRecord

# What a reader kept to itself for longer says nothing of where people are now.
LATE = timedelta(minutes=15)


class Tally(Model):
    """The state of a window: scans by zone, and the sequence number of the first record in it.

    Below 100 bytes for each zone, so that thousands of zones fit into Lambda's 1 MB.
    """

    first: str | None = None
    scans: dict[str, int] = Field(default_factory=dict)

    def with_scans(self, records: Sequence[ScanRecord]) -> Tally:
        """The tally with the scans of more records, late ones left out."""
        fresh = [r for r in records if r.arrived_at - r.scan.scanned_at <= LATE]
        if not fresh:
            return self
        scans = Counter(self.scans)
        scans.update(record.scan.zone for record in fresh)
        return Tally(first=self.first or fresh[0].kinesis.sequenceNumber, scans=dict(scans))


class Window(Model):
    """From `start` to `end`, by the time of arrival."""

    start: AwareDatetime
    end: AwareDatetime


class WindowEvent(Model):
    """The part of an event that is not records.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
    """

    window: Window
    state: Tally
    shard_id: str = Field(alias="shardId")
    is_final: bool = Field(alias="isFinalInvokeForWindow")
    is_terminated_early: bool = Field(alias="isWindowTerminatedEarly")

    @property
    def is_last_of_state(self) -> bool:
        """Whether the state is not passed on: what is in it has to be kept now."""
        return self.is_final or self.is_terminated_early
