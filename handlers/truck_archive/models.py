"""What comes in, and the line of the archive that it becomes."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import AwareDatetime, BaseModel, ConfigDict, Json, StringConstraints

TruckId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,32}$")]


class Reading(BaseModel):
    """A reading as it was sent, with whatever is in it; so much has to be right that a table of
    truck and time can be made of it.
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", allow_inf_nan=False, hide_input_in_errors=True
    )

    truck: TruckId
    measured_at: AwareDatetime


class ReadingPayload(KinesisDataStreamRecordPayload):
    """The `kinesis` part of a record, its data parsed."""

    data: Json[Reading]


class ReadingRecord(KinesisDataStreamRecord):
    """A Kinesis record whose data is a reading."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kinesis: ReadingPayload


class Line(BaseModel):
    """A line of the archive; `event_id` is shard and sequence number, in every delivery."""

    model_config = ConfigDict(frozen=True)

    event_id: str
    arrived_at: AwareDatetime
    reading: Reading
