"""What comes in, a moment of the schedule, and what goes out, the zones that are full."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Model(BaseModel):
    """A model that does not change."""

    model_config = ConfigDict(frozen=True)


class Scheduled(Model):
    """EventBridge's event of a schedule; `time` is when it was due, also for one that is late."""

    time: AwareDatetime


class Settings(Model):
    """What the environment says."""

    WORKGROUP_NAME: str
    DATABASE_NAME: str
    COUNTS_TABLE_NAME: str
    SECURITY_TOPIC_ARN: str
    CONCENTRATED_FROM: int


class WarehouseTotal(Model):
    """A zone in the warehouse: scans by their own time, and how many badges they are of."""

    zone: str
    scans: int
    badges: int


class CountedPart(Model):
    """An item of the table of counts: scans by their arrival, of one shard and window."""

    zone: str
    scans: int


class Zone(Model):
    """A zone in the report.

    `scans` and `badges` are the warehouse's, complete but for the last minutes; `counted` is the
    sum over windows and shards, complete but for the last minute.
    """

    zone: str
    scans: int = 0
    badges: int = 0
    counted: int = 0

    @property
    def most(self) -> int:
        """The larger of the two numbers: either may lack the newest scans."""
        return max(self.scans, self.counted)


class WarehouseState(StrEnum):
    """Whether the report has the warehouse's numbers, or only those of the windows."""

    ANSWERED = "answered"
    FAILED = "failed"


class Report(Model):
    """The concentrated zones of a quarter of an hour, fullest first."""

    since: AwareDatetime
    until: AwareDatetime
    warehouse: WarehouseState
    zones: tuple[Zone, ...]
