"""A badge scan, as a reader puts it on the stream, and the Kinesis record around it.

`badge_load` and `badge_windows` read the same stream and have the same models, each in its own
folder, as Lambda packs them. Fields that are not named here are left out of what goes on.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Json, StringConstraints

# Lower case, digits and hyphens, so that a zone can stand in keys, and in mails, as it is.
ZoneName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
# ASCII: the warehouse's VARCHAR(64) holds 64 bytes, and a COPY fails as a whole.
Id = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,64}$")]


def _in_utc(instant: datetime) -> datetime:
    """An instant in UTC; pydantic, and so the batch, lives with a ValueError only."""
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no date in UTC") from error


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Model(BaseModel):
    """A model that does not change and keeps whose badge it was out of the text of its errors."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Scan(Model):
    """A badge at a reader, by the reader's clock.

    `scan_id` is the reader's own: it sends a scan again, with the same id, until it gets an answer.
    """

    scan_id: Id
    badge_id: Id
    zone: ZoneName
    reader_id: Id
    scanned_at: Instant


class ScanPayload(KinesisDataStreamRecordPayload):
    """The `kinesis` part of a record, its data parsed."""

    data: Json[Scan]


class ScanRecord(KinesisDataStreamRecord):
    """A Kinesis record whose data is a scan."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kinesis: ScanPayload

    @property
    def scan(self) -> Scan:
        """What the reader said."""
        return self.kinesis.data

    @property
    def shard_id(self) -> str:
        """Where the record stands; an eventID is the shard's id and the sequence number."""
        return self.eventID.partition(":")[0]

    @property
    def arrived_at(self) -> datetime:
        """When the stream took it."""
        return datetime.fromtimestamp(self.kinesis.approximateArrivalTimestamp, UTC)
