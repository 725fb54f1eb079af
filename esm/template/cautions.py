"""What AWS accepts in a template, and its user may not have meant: each a warning, no mistake.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from esm.errors import EsmError, MappingError
from esm.mapping import PROPERTIES, Group
from esm.template.model import MappingResource, SourceKind, Template
from esm.template.properties import Reader, as_integer

_STREAMS = {SourceKind.KINESIS, SourceKind.DYNAMODB}
_INFINITE = -1
_RETENTION_HOURS = 24
_LONGEST_AGE = 604_800
_RESERVED = "ReservedConcurrentExecutions"
_RETRIES, _AGE = "maximum_retry_attempts", "maximum_record_age_in_seconds"
_UNUSED = [row.attribute for row in PROPERTIES if row.about.group is Group.NO_EFFECT]


@dataclass(frozen=True, slots=True)
class Caution:
    """One kind of warning."""

    esm_code: str
    why: str

    def at(
        self, mapping: MappingResource, attribute: str, message: str, *, fix: str
    ) -> MappingError:
        """The warning, at a property or else at the mapping."""
        place = mapping.place_of(attribute)
        return MappingError(self.esm_code, message, place=place, why=self.why, fix=fix)


ENDLESS = Caution("W202", "AWS tries again until the record is too old for its source")
LATEST = Caution("W203", "AWS takes its iterators when it begins to poll, which may take minutes")
TOO_OLD = Caution("W204", "AWS gives a record up by its age, however few tries it had")
NO_EFFECT = Caution("W205", "AWS accepts them; no delivery depends on them, here or there")
CONCURRENCY = Caution("W208", "AWS throttles what is more; no limit is applied here")
PREVIEW = Caution("W206", "AWS documents it, and refused it when it was last tried")


def cautions(template: Template) -> list[EsmError]:
    """Every warning, in the order of the mappings; what has no effect is named once."""
    found: list[EsmError] = []
    for mapping in template.mappings.values():
        found += [
            *_endless(mapping, template),
            *_latest(mapping),
            *_too_old(mapping, template),
            *_preview(mapping),
            *_concurrency(mapping, template),
        ]
    return [*found, *_no_effect(template)]


def _endless(mapping: MappingResource, template: Template) -> Iterator[MappingError]:
    is_endless = _number(mapping, _RETRIES) == _number(mapping, _AGE) == _INFINITE
    if mapping.kind not in _STREAMS or not is_endless:
        return
    arn = mapping.properties.get("event_source_arn")
    streams = (s.retention_hours for s in template.streams.values() if s.arn == arn)
    hours = next(streams, _RETENTION_HOURS)
    end = "its destination gets nothing" if _has_destination(mapping) else "then it is lost"
    yield ENDLESS.at(
        mapping,
        _RETRIES,
        f"{mapping.name}: a record that always fails blocks its shard for {hours} hours, and {end}",
        fix="MaximumRetryAttempts: 5",
    )


def _has_destination(mapping: MappingResource) -> bool:
    config = mapping.properties.get("destination_config")
    target = config.get("OnFailure") if isinstance(config, dict) else None
    return isinstance(target, dict) and bool(target.get("Destination"))


def _latest(mapping: MappingResource) -> Iterator[MappingError]:
    if mapping.properties.get("starting_position") == "LATEST":
        yield LATEST.at(
            mapping,
            "starting_position",
            f"{mapping.name}: what is written while the mapping starts is lost with LATEST",
            fix="StartingPosition: TRIM_HORIZON",
        )


def _too_old(mapping: MappingResource, template: Template) -> Iterator[MappingError]:
    function = template.functions.get(mapping.function_logical_id or "")
    retries, age = _number(mapping, _RETRIES), _number(mapping, _AGE)
    if function is None or retries is None or age is None or _INFINITE in (retries, age):
        return
    longest = (retries + 1) * function.timeout_seconds
    if longest > age:
        yield TOO_OLD.at(
            mapping,
            _AGE,
            f"{mapping.name}: {retries + 1} tries of up to {function.timeout_seconds} s can take "
            f"{longest} s, and records are given up after {age} s",
            fix=f"MaximumRecordAgeInSeconds: {min(longest, _LONGEST_AGE)}",
        )


def _preview(mapping: MappingResource) -> Iterator[MappingError]:
    attribute = "self_managed_kafka_event_source_config"
    config = mapping.properties.get(attribute)
    if isinstance(config, dict) and config.get("ConsumptionMode") == "Queue":
        yield PREVIEW.at(
            mapping,
            attribute,
            f"{mapping.name}: ConsumptionMode Queue is not there for every account",
            fix="ConsumptionMode: Stream",
        )


def _concurrency(mapping: MappingResource, template: Template) -> Iterator[MappingError]:
    """Fewer invocations at a time than the mapping asks for."""
    function = template.functions.get(mapping.function_logical_id or "")
    if function is None or mapping.kind not in _STREAMS:
        return
    reserved = as_integer(Reader(template.resolver, function.nodes).value(_RESERVED))
    arn, lanes = mapping.properties.get("event_source_arn"), _lanes(mapping)
    wanted = next((s.shards for s in template.streams.values() if s.arn == arn), 1) * lanes
    if isinstance(reserved, int) and not isinstance(reserved, bool) and reserved < wanted:
        yield MappingError(
            CONCURRENCY.esm_code,
            f"{mapping.name}: {wanted} batches at a time, and {_RESERVED} allows {reserved}",
            place=function.place_of(_RESERVED),
            why=CONCURRENCY.why,
            fix=f"{_RESERVED}: {wanted}",
        )


def _lanes(mapping: MappingResource) -> int:
    factor = mapping.properties.get("parallelization_factor", 1)
    return factor if isinstance(factor, int) else 1


def _no_effect(template: Template) -> Iterator[MappingError]:
    used = [
        (mapping, attribute)
        for mapping in template.mappings.values()
        for attribute in mapping.spots
        if attribute in _UNUSED
    ]
    if used:
        first, attribute = used[0]
        names = dict.fromkeys(mapping.spots[a].written for mapping, a in used)
        yield NO_EFFECT.at(
            first,
            attribute,
            f"without effect on deliveries: {', '.join(names)}",
            fix="keep them for AWS, nothing is wrong with them",
        )


def _number(mapping: MappingResource, attribute: str) -> int | None:
    """An optional limit, infinite where it is not set; None for what is no number."""
    value = mapping.properties.get(attribute, None if attribute in mapping.spots else _INFINITE)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
