"""What comes in, what a window keeps, and what goes out.

Fields of a reading that are not named here are left out: telemetry units may send more.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, Json, StringConstraints

# ASCII, as the subject of an SNS message has to be, and without the signs that ids are made with.
TruckId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,32}$")]
# Beyond these it is the sensor that is broken, and a reading of it says nothing.
Celsius = Annotated[float, Field(strict=True, ge=-100, le=500)]
Speed = Annotated[float, Field(strict=True, ge=0, le=300)]
Latitude = Annotated[float, Field(strict=True, ge=-90, le=90)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=180)]

# Windows are cut by arrival. What a truck sends behind a tunnel arrives in a later one, in which it
# would be taken for the truck's state of now; and a clock that is ahead cannot be believed at all.
APART = timedelta(minutes=1)


class Model(BaseModel):
    """A model that does not change, without NaN; positions stay out of the text of its errors."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Kind(StrEnum):
    """What a sensor of a truck measures."""

    ENGINE = "engine"
    CONTAINER = "container"
    SPEED = "speed"


class Position(Model):
    """Degrees, WGS 84."""

    latitude: Latitude
    longitude: Longitude


class Reading(Model):
    """What the sensors of a truck say at one instant, as its telemetry unit sends it."""

    truck: TruckId
    measured_at: AwareDatetime
    engine_celsius: Celsius
    container_celsius: Celsius
    speed_kmh: Speed
    position: Position


class ReadingPayload(KinesisDataStreamRecordPayload):
    """The `kinesis` part of a record, its data parsed."""

    data: Json[Reading]


class ReadingRecord(KinesisDataStreamRecord):
    """A Kinesis record whose data is a reading."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kinesis: ReadingPayload


class Sums(Model):
    """What the readings of one truck add up to in a window."""

    readings: int = 0
    engine_celsius: float = 0.0
    container_celsius: float = 0.0
    speed_kmh: float = 0.0
    latitude: float = 0.0
    longitude: float = 0.0

    def plus(self, reading: Reading) -> Sums:
        """With one more reading."""
        return Sums(
            readings=self.readings + 1,
            engine_celsius=self.engine_celsius + reading.engine_celsius,
            container_celsius=self.container_celsius + reading.container_celsius,
            speed_kmh=self.speed_kmh + reading.speed_kmh,
            latitude=self.latitude + reading.position.latitude,
            longitude=self.longitude + reading.position.longitude,
        )

    @property
    def means(self) -> dict[Kind, float]:
        """What each sensor measured on average."""
        return {
            Kind.ENGINE: self.engine_celsius / self.readings,
            Kind.CONTAINER: self.container_celsius / self.readings,
            Kind.SPEED: self.speed_kmh / self.readings,
        }

    @property
    def position(self) -> Position:
        """The middle of where the truck was."""
        latitude, longitude = self.latitude / self.readings, self.longitude / self.readings
        return Position(latitude=round(latitude, 5), longitude=round(longitude, 5))


class Baseline(Model):
    """What is usual for a sensor: mean and variance of its windows.

    `deviating_since` is the window in which an anomaly began that is not over.
    """

    windows: int = 0
    mean: float = 0.0
    variance: float = 0.0
    deviating_since: AwareDatetime | None = None


class Baselines(Model):
    """Those of a truck's sensors; `window_start` is the newest window that they know of."""

    window_start: AwareDatetime | None = None
    sensors: dict[Kind, Baseline] = {}


class Window(Model):
    """A tumbling window: `end` is the first instant behind it."""

    start: AwareDatetime
    end: AwareDatetime

    def speaks_of(self, reading: Reading, apart: timedelta = APART) -> bool:
        """Whether a reading that arrived in the window says how the truck is now."""
        return self.start - apart <= reading.measured_at <= self.end + apart


class WindowState(Model):
    """What Lambda keeps between the calls of one window, and no longer.

    Both by truck; `baselines` as they were when the truck's first reading came.
    """

    sums: dict[TruckId, Sums] = {}
    baselines: dict[TruckId, Baselines] = {}

    def json_value(self) -> dict[str, Any]:
        """As the answer to Lambda has it."""
        return self.model_dump(mode="json", exclude_none=True)


class WindowCall(Model):
    """What an event says beside its records.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
    """

    window: Window
    state: WindowState
    is_final: bool = Field(alias="isFinalInvokeForWindow")
    is_early: bool = Field(alias="isWindowTerminatedEarly")


class Deviation(Model):
    """The beginning of an anomaly, as it goes on the second stream.

    `measured` is the window's mean, `usual` that of the windows before; `spreads` is how far apart
    they are, in spreads of those windows. Nothing in here depends on when it was made.
    """

    anomaly_id: str
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
