"""What the table of properties says of each beside its name, default and limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from esm.mapping.sources import EVERY_SOURCE, KAFKA, Source

API = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"
GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg/"
KINESIS = GUIDE + "services-kinesis-parameters.html"

ACCOUNT = "us-east-1:123456789012"
SECRET = f"arn:aws:secretsmanager:{ACCOUNT}:secret:brokers"


class Group(StrEnum):
    """What becomes of a property here."""

    ENFORCED = "Enforced"
    NO_EFFECT = "No effect on deliveries"
    OTHER_SOURCE = "Of other sources"


class Basis(StrEnum):
    """How we know what AWS does with it."""

    RECORDED = "recordings of AWS"
    DOCUMENTED = "documentation"


@dataclass(frozen=True, slots=True)
class About:
    """What the table says of a property beside its name, default and numeric limits.

    `example` is a value that AWS takes, for error messages to paste; `values` says in words which
    values there are; `updatable`: whether UpdateEventSourceMapping has it; `sources`: which have
    it; `is_provisioned`: Kafka has it in provisioned mode only.
    """

    example: object
    values: str = ""
    basis: Basis = Basis.DOCUMENTED
    group: Group = Group.ENFORCED
    page: str = KINESIS
    updatable: bool = True
    sources: frozenset[Source] = EVERY_SOURCE
    is_required: bool = False
    is_provisioned: bool = False


def kafkas(
    example: object,
    *sources: Source,
    updatable: bool = True,
    is_provisioned: bool = False,
) -> About:
    """A property of Kafka's mappings; AWS refuses it for streams in words that are recorded."""
    return About(
        example,
        basis=Basis.RECORDED,
        group=Group.OTHER_SOURCE,
        page=API,
        updatable=updatable,
        sources=frozenset(sources) or KAFKA,
        is_provisioned=is_provisioned,
    )


def nobodys(*, updatable: bool = True) -> About:
    """A property of queues, brokers and document databases."""
    return replace(kafkas(None, updatable=updatable), sources=frozenset())
