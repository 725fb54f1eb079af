"""What comes in and what goes out: a sign-up, and the same with bandwidth options.

Every text has a longest length, so no sign-up can grow into a message that Kinesis refuses. Fields
that are not named here are left out of what goes on: producers may add some before we know them.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from aws_lambda_powertools.utilities.parser.models import (
    KinesisDataStreamRecord,
    KinesisDataStreamRecordPayload,
)
from pydantic import AwareDatetime, BaseModel, ConfigDict, Json, StringConstraints

# A partition key has 1 to 256 characters, and the user id becomes one.
# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html
UserId = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
CountryCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
PostalCode = Annotated[str, StringConstraints(min_length=1, max_length=16)]


class Model(BaseModel):
    """A model that does not change and keeps personal data out of the text of its errors."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class User(Model):
    """Who signed up; `phone` in E.164 form, when given."""

    id: UserId
    name: Name
    email: Email
    phone: Phone | None = None


class Location(Model):
    """Where the connection is wanted; `country` as ISO 3166-1 alpha-2."""

    country: CountryCode
    postal_code: PostalCode
    city: Name
    street: Name | None = None


class SignUp(Model):
    """One sign-up, as the application puts it on the first stream."""

    user: User
    location: Location
    signed_up_at: AwareDatetime


class Technology(StrEnum):
    """How the connection reaches the house."""

    FIBRE = "fibre"
    CABLE = "cable"
    DSL = "dsl"
    FIVE_G = "5g"


class BandwidthOption(Model):
    """A connection on offer; `monthly_price` includes taxes, in `currency` (ISO 4217)."""

    id: str
    technology: Technology
    download_mbps: int
    upload_mbps: int
    monthly_price: Decimal
    currency: str


class Coverage(StrEnum):
    """How near the options are: to this postal area, to this country, or there are none."""

    AREA = "area"
    COUNTRY = "country"
    NONE = "none"


class Bandwidth(Model):
    """What can be had at a location, fastest download first."""

    coverage: Coverage
    options: tuple[BandwidthOption, ...] = ()


class EnrichedSignUp(Model):
    """A sign-up with its bandwidth, as it goes on the second stream.

    `event_id` is the eventID of the Kinesis record that brought the sign-up: shard and sequence
    number, the same in every delivery. Nothing in here depends on when it was made.
    """

    event_id: str
    sign_up: SignUp
    bandwidth: Bandwidth


class SignUpPayload(KinesisDataStreamRecordPayload):
    """The `kinesis` part of a record, its data parsed."""

    data: Json[SignUp]


class SignUpRecord(KinesisDataStreamRecord):
    """A Kinesis record whose data is a sign-up."""

    model_config = ConfigDict(hide_input_in_errors=True)

    kinesis: SignUpPayload
