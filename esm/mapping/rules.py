"""What AWS refuses in a whole request, in AWS's order; then what it accepts and we do not have.

Texts marked "recorded" are AWS's own, unchanged. Where only the rule is documented, the text is
ours and says so. https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
"""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from esm.mapping import refusals
from esm.mapping.constraints import Misfit, Violation, detected, member_name
from esm.mapping.members import Metric, StartingPosition
from esm.mapping.properties import PROPERTIES, EventSourceMapping, Group

_STREAM = re.compile(r"arn:[^:]+:kinesis:[^:]+:\d{12}:stream/[a-zA-Z0-9_.-]{1,128}(/consumer/.+)?")
# What Lambda polls beside Kinesis; any other service is "unrecognized".
_OTHER_SERVICES = {"dynamodb", "kafka", "sqs", "mq", "rds"}
_SERVICES_WITH_POSITION = {"kinesis", "dynamodb", "kafka"}
_DESTINATION_SERVICES = {"sqs", "sns", "s3"}
_FORBIDDEN_RECORD_AGES = range(60)
_MAXIMUM_FILTERS = 5
_BY_NAME = {row.name: row for row in PROPERTIES}


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, by AWS's names, and how they spell names."""

    given: Mapping[str, object]
    snake_case: bool
    now_ms: int

    def paste(self, name: str, value: object = None) -> str:
        """A property in the user's own spelling, by default with a value that AWS takes."""
        row = _BY_NAME[name]
        value = row.about.example if value is None else value
        if self.snake_case:
            return f"{row.attribute}={value!r}"
        return f"{name}: {json.dumps(value, ensure_ascii=False)}"

    def without(self, name: str) -> str:
        """How to take a property out again."""
        return f"remove {_BY_NAME[name].attribute if self.snake_case else name}"


def check_types(request: Request, misfits: list[Misfit]) -> None:
    """A value of the wrong type never gets as far as AWS's rules."""
    for misfit in misfits:
        if misfit.expected is None:
            message = f"{misfit.path}: no such member"
            raise refusals.UNKNOWN_MEMBER.error(message, fix=request.paste(misfit.property_name))
        message = f"{misfit.path} must be {misfit.expected}, not {reprlib.repr(misfit.value)}"
        example = _BY_NAME[misfit.property_name].about.example
        fix = request.paste(misfit.property_name, _meant(misfit.value, example))
        raise refusals.WRONG_TYPE.error(message, fix=fix)


def check_members(request: Request, violations: list[Violation]) -> None:
    """Function and source first, then the starting position, then every other member."""
    present = [v for v in violations if v.kind != "missing" or v.property_name == "FunctionName"]
    if any(v.property_name in ("FunctionName", "EventSourceArn") for v in present):
        _refuse_members(request, present)
    _check_source(request)
    if any(v.property_name == "StartingPosition" and v.kind == "missing" for v in violations):
        _refuse_no_position(request)
    if present:
        _refuse_members(request, present)


def check_together(request: Request, mapping: EventSourceMapping) -> None:
    """The rules that look at several properties, or at a property and its source."""
    for rule in _RULES:
        rule(request, mapping)


def _meant(value: object, example: object) -> object:
    """5 for "5" where a number belongs, else the example."""
    try:
        meant: object = json.loads(value.lower()) if isinstance(value, str) else None
    except ValueError:
        meant = None
    return meant if type(meant) is type(example) else example


def _refuse_members(request: Request, violations: list[Violation]) -> NoReturn:
    first = violations[0]
    raise refusals.CONSTRAINTS[first.kind].error(
        detected(violations), fix=request.paste(first.property_name)
    )


def _service(arn: str) -> str:
    return (arn.split(":") + [""] * 3)[2]


def _check_source(request: Request) -> None:
    arn = str(request.given.get("EventSourceArn", ""))
    fix = request.paste("EventSourceArn")
    if not arn and "SelfManagedEventSource" in request.given:
        raise refusals.not_emulated("self-managed Kafka is", fix=fix)
    if _service(arn) not in _OTHER_SERVICES and not _STREAM.fullmatch(arn):
        # Recorded.
        raise refusals.NO_SOURCE.error("Unrecognized event source.", fix=fix)


def _refuse_no_position(request: Request) -> NoReturn:
    if _service(str(request.given["EventSourceArn"])) not in _SERVICES_WITH_POSITION:
        _refuse_service(request)
    # Recorded, with the full stop that other violations lack.
    raise refusals.NO_STARTING_POSITION.error(
        "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
        "constraint: Member must not be null.",
        fix=request.paste("StartingPosition"),
    )


def _refuse_service(request: Request) -> NoReturn:
    service = _service(str(request.given["EventSourceArn"]))
    raise refusals.not_emulated(
        f"{service} as an event source is", fix=request.paste("EventSourceArn")
    )


def _position_of_source(request: Request, mapping: EventSourceMapping) -> None:
    arn = mapping.event_source_arn
    if _service(arn) == "dynamodb" and mapping.starting_position is StartingPosition.AT_TIMESTAMP:
        # Recorded.
        raise refusals.POSITION_OF_SOURCE.error(
            f"Unsupported starting position for arn type: {arn}",
            fix=request.paste("StartingPosition"),
        )


def _timestamp(request: Request, mapping: EventSourceMapping) -> None:
    """Documented; the texts are ours."""
    at_timestamp = mapping.starting_position is StartingPosition.AT_TIMESTAMP
    seconds = mapping.starting_position_timestamp
    now = request.paste("StartingPositionTimestamp", request.now_ms // 1000)
    if at_timestamp and seconds is None:
        raise refusals.NO_TIMESTAMP.error(
            "StartingPosition AT_TIMESTAMP without StartingPositionTimestamp", fix=now
        )
    if seconds is None:
        return
    if not at_timestamp:
        raise refusals.STRAY_TIMESTAMP.error(
            f"StartingPositionTimestamp with StartingPosition {mapping.starting_position}",
            fix=request.paste("StartingPosition", str(StartingPosition.AT_TIMESTAMP)),
        )
    if seconds * 1000 > request.now_ms:
        raise refusals.FUTURE_TIMESTAMP.error(
            f"StartingPositionTimestamp {seconds:.15g} is in the future", fix=now
        )


def _other_sources(request: Request, mapping: EventSourceMapping) -> None:
    """Recorded for several members."""
    if _service(mapping.event_source_arn) != "kinesis":
        return
    for row in PROPERTIES:
        if row.about.group is Group.OTHER_SOURCE and row.name in request.given:
            raise refusals.UNSUPPORTED.error(
                f"Unsupported '{member_name(row.name)}' parameter for given event source "
                "mapping type.",
                fix=request.without(row.name),
            )
    foreign = [m for m in mapping.metrics_config.metrics if m is not Metric.EVENT_COUNT]
    if foreign:
        # Documented; the text is ours.
        raise refusals.METRICS_OF_KAFKA.error(
            f"MetricsConfig: {foreign[0]} is not for streams", fix=request.paste("MetricsConfig")
        )


def _on_success(request: Request, mapping: EventSourceMapping) -> None:
    if mapping.destination_config.on_success is not None:
        # Recorded.
        raise refusals.ON_SUCCESS.error(
            "Unsupported DestinationConfig parameter for given event source mapping type.",
            fix=request.paste("DestinationConfig"),
        )


def _record_age(request: Request, mapping: EventSourceMapping) -> None:
    if mapping.maximum_record_age_in_seconds in _FORBIDDEN_RECORD_AGES:
        # Recorded.
        raise refusals.RECORD_AGE.error(
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 "
            "(inclusive)",
            fix=request.paste("MaximumRecordAgeInSeconds", 60),
        )


def _filters(request: Request, mapping: EventSourceMapping) -> None:
    filters = mapping.filter_criteria.filters
    fix = request.paste("FilterCriteria", {"Filters": [{"Pattern": '{"data": {"id": [1]}}'}]})
    for number, entry in enumerate(filters, 1):
        fault = _pattern_fault(entry.pattern)
        if fault:
            # Recorded.
            raise refusals.FILTER_PATTERN.error(
                "Invalid filter pattern definition.", detail=f"filter {number}: {fault}", fix=fix
            )
    if len(filters) > _MAXIMUM_FILTERS:
        # Documented; the text is ours.
        raise refusals.FILTER_COUNT.error(f"FilterCriteria has {len(filters)} filters", fix=fix)


def _pattern_fault(pattern: str) -> str | None:
    """What is wrong with the outline of a pattern; operators are not looked at."""
    try:
        root = json.loads(pattern)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(root, dict):
        return "not a JSON object"
    objects = [root]
    for entries in objects:
        if not entries:
            return "an object is empty"
        for name, value in entries.items():
            if isinstance(value, dict):
                objects.append(value)
            elif not isinstance(value, list) or not value:
                return f'"{name}" must be a list of values'
    return None


def _one_lane_per_window(request: Request, mapping: EventSourceMapping) -> None:
    """Reported by users of AWS; the text is ours."""
    if mapping.tumbling_window_in_seconds > 0 and mapping.parallelization_factor > 1:
        raise refusals.LANES_AND_WINDOW.error(
            f"ParallelizationFactor {mapping.parallelization_factor} with "
            f"TumblingWindowInSeconds {mapping.tumbling_window_in_seconds}",
            fix=request.paste("ParallelizationFactor", 1),
        )


def _destination(request: Request, mapping: EventSourceMapping) -> None:
    """Documented; the texts are ours."""
    arn = mapping.on_failure
    if arn is None or _service(mapping.event_source_arn) == "kafka":
        return
    fix = request.paste("DestinationConfig")
    if _service(arn) not in _DESTINATION_SERVICES:
        raise refusals.OTHER_DESTINATION.error(f"on-failure destination {arn}", fix=fix)
    if arn.endswith(".fifo"):
        raise refusals.FIFO_DESTINATION.error(f"on-failure destination {arn} is FIFO", fix=fix)


def _not_emulated(request: Request, mapping: EventSourceMapping) -> None:
    if _service(mapping.event_source_arn) != "kinesis":
        _refuse_service(request)
    if "/consumer/" in mapping.event_source_arn:
        raise refusals.not_emulated(
            "an enhanced fan-out consumer is", fix=request.paste("EventSourceArn")
        )
    if mapping.filter_criteria.filters:
        raise refusals.not_emulated("filters are", fix=request.paste("FilterCriteria"))
    if mapping.tumbling_window_in_seconds:
        raise refusals.not_emulated(
            "tumbling windows are", fix=request.paste("TumblingWindowInSeconds")
        )


# In AWS's order; ours comes when AWS has nothing against the request.
_RULES: tuple[Callable[[Request, EventSourceMapping], None], ...] = (
    _position_of_source,
    _timestamp,
    _other_sources,
    _on_success,
    _record_age,
    _filters,
    _one_lane_per_window,
    _destination,
    _not_emulated,
)
