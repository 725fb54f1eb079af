"""What comes in, and whom it goes to.

The deviation is the one that `truck_detection` puts on the stream, in a copy: the two functions are
deployed apart, and this one has to go on reading what lies in the stream when that one changes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import AwareDatetime, BaseModel, ConfigDict, Json, StringConstraints

# The truck stands in the subject of a message, which has to be ASCII.
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
TruckId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,32}$")]
AnomalyId = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Model(BaseModel):
    """A model that does not change, and has no positions in the text of its errors."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Kind(StrEnum):
    """What a sensor of a truck measures."""

    ENGINE = "engine"
    CONTAINER = "container"
    SPEED = "speed"


class Position(Model):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


class Deviation(Model):
    """The beginning of an anomaly; `anomaly_id` is sensor and window, the same in every copy."""

    anomaly_id: AnomalyId
    sensor: str
    truck: TruckId
    kind: Kind
    window_start: AwareDatetime
    window_end: AwareDatetime
    readings: int
    measured: float
    usual: float
    spreads: float
    position: Position


class DeviationPayload(KinesisDataStreamRecordPayload):
    """The `kinesis` part of a record, its data parsed."""

    data: Json[Deviation]


class DeviationRecord(KinesisDataStreamRecord):
    """A Kinesis record whose data is a deviation."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kinesis: DeviationPayload


class Audience(StrEnum):
    """Who is told."""

    DRIVER = "driver"
    FLEET = "fleet"


class Notice(Model):
    """One message about one anomaly to one audience."""

    anomaly_id: AnomalyId
    audience: Audience
    truck: TruckId
    kind: Kind
    subject: str
    text: str
