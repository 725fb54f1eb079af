"""What AWS refuses in a whole request, in AWS's order; then what it accepts and we do not have.

Texts marked "recorded" are AWS's own, unchanged. Where only the rule is documented, the text is
ours and says so. https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
What only Kafka's mappings can do wrong is in `esm.mapping.kafka_rules`.
"""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Callable, Iterator, Sequence

from esm.mapping import refusals
from esm.mapping.constraints import (
    Misfit,
    Path,
    Violation,
    detected,
    member_name,
    shown_path,
)
from esm.mapping.faults import Fault, Request
from esm.mapping.filters import FilterFault, judge
from esm.mapping.kafka import EXAMPLES
from esm.mapping.kafka_rules import kafka_faults
from esm.mapping.members import Metric, StartingPosition
from esm.mapping.properties import PROPERTIES, EventSourceMapping
from esm.mapping.sources import (
    EXAMPLE_ARNS,
    KAFKA,
    OTHER_SERVICES,
    STREAMS,
    Source,
    form_fault,
    service_of,
)

_DESTINATION_SERVICES = {"sqs", "sns", "s3"}
_TOPIC = "kafka://"
_FORBIDDEN_RECORD_AGES = range(60)
_EXAMPLES = {row.name: row.about.example for row in PROPERTIES}
_POSITION, _TIMESTAMP = "StartingPosition", "StartingPositionTimestamp"
_AT_FAILURES = ("DestinationConfig", "OnFailure", "Destination")


def type_faults(request: Request, misfits: Sequence[Misfit]) -> Iterator[Fault]:
    """A value of the wrong type never gets as far as AWS's rules."""
    for misfit in misfits:
        name, path = misfit.property_name, shown_path(misfit.path)
        if misfit.expected is None:
            message, fix = f"{path}: no such member", _member_meant(request, misfit.path)
            yield Fault(refusals.UNKNOWN_MEMBER.error(message, fix=fix), misfit.path)
            continue
        message = f"{path} must be {misfit.expected}, not {reprlib.repr(misfit.value)}"
        meant = request.paste(name, _meant(misfit.value, _EXAMPLES[name]))
        fix = request.paste_part(misfit.path) if len(misfit.path) > 1 else meant
        yield Fault(refusals.WRONG_TYPE.error(message, fix=fix), misfit.path)


def _member_meant(request: Request, path: Path) -> str:
    """The nearest member of Kafka's values, or else the whole property as it may be."""
    near = difflib.get_close_matches(str(path[-1]), EXAMPLES, n=1)
    if near:
        return request.paste_part((path[0], near[0]))
    is_deep = len(path) > 2 or str(path[0]).endswith("KafkaEventSourceConfig")
    return f"remove {path[-1]}" if is_deep else request.paste(str(path[0]))


def member_faults(request: Request, violations: Sequence[Violation]) -> Iterator[Fault]:
    """What the framework refuses, in one sentence."""
    if violations:
        first = violations[0]
        error = refusals.CONSTRAINTS[first.kind].error(
            detected(violations), fix=request.paste_part(first.path)
        )
        yield Fault(error, first.path)


def source_faults(request: Request) -> Iterator[Fault]:
    """A source of a kind that Lambda polls, by an ARN of that kind."""
    arn = str(request.given.get("EventSourceArn", ""))
    match request.source:
        case None:
            if service_of(arn) not in OTHER_SERVICES:
                yield _unrecognized(request)
        case Source.SELF_MANAGED_KAFKA:
            if "SelfManagedEventSource" not in request.given:
                yield _unrecognized(request)
        case source:
            detail = form_fault(arn, source) if arn else None
            if detail is not None or not arn:
                yield _unrecognized(request, detail)


def _unrecognized(request: Request, detail: str | None = None) -> Fault:
    if request.source is Source.SELF_MANAGED_KAFKA:
        path: Path = ("SelfManagedEventSource", "Endpoints", "KAFKA_BOOTSTRAP_SERVERS")
        fix = request.paste_part(path)
    else:
        path = ("EventSourceArn",)
        fix = request.paste("EventSourceArn", EXAMPLE_ARNS[request.source])
    # Recorded.
    return Fault(
        refusals.NO_SOURCE.error("Unrecognized event source.", detail=detail, fix=fix), path
    )


def position_faults(request: Request) -> Iterator[Fault]:
    """All but self-managed Kafka must say where to start."""
    arn = str(request.given.get("EventSourceArn", ""))
    may_omit = request.source is Source.SELF_MANAGED_KAFKA or service_of(arn) in OTHER_SERVICES
    if _POSITION not in request.given and not may_omit:
        # Recorded, with the full stop that other violations lack.
        error = refusals.NO_STARTING_POSITION.error(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null.",
            fix=request.paste(_POSITION),
        )
        yield Fault(error, (_POSITION,))


def faults_together(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """The rules that look at several properties, or at a property and its source."""
    for rule in _RULES:
        yield from rule(request, mapping)


def _meant(value: object, example: object) -> object:
    """5 for "5" where a number belongs, else the example."""
    try:
        meant: object = json.loads(value.lower()) if isinstance(value, str) else None
    except ValueError:
        meant = None
    return meant if type(meant) is type(example) else example


def _position_of_source(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    at_timestamp = mapping.starting_position is StartingPosition.AT_TIMESTAMP
    if request.source is Source.DYNAMODB and at_timestamp:
        # Recorded.
        error = refusals.POSITION_OF_SOURCE.error(
            f"Unsupported starting position for arn type: {mapping.event_source_arn}",
            fix=request.paste(_POSITION),
        )
        yield Fault(error, (_POSITION,))


def _timestamp(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the texts are ours."""
    if request.source is Source.DYNAMODB:
        return
    at_timestamp = mapping.starting_position is StartingPosition.AT_TIMESTAMP
    seconds = mapping.starting_position_timestamp
    now = request.paste(_TIMESTAMP, request.now_ms // 1000)
    if at_timestamp and seconds is None:
        error = refusals.NO_TIMESTAMP.error(
            "StartingPosition AT_TIMESTAMP without StartingPositionTimestamp", fix=now
        )
        yield Fault(error, (_POSITION,), (_TIMESTAMP,))
    elif seconds is not None and not at_timestamp:
        error = refusals.STRAY_TIMESTAMP.error(
            f"StartingPositionTimestamp with StartingPosition {mapping.starting_position}",
            fix=request.paste(_POSITION, str(StartingPosition.AT_TIMESTAMP)),
        )
        yield Fault(error, (_TIMESTAMP,), (_POSITION,))
    elif seconds is not None and seconds * 1000 > request.now_ms:
        error = refusals.FUTURE_TIMESTAMP.error(
            f"StartingPositionTimestamp {seconds:.15g} is in the future", fix=now
        )
        yield Fault(error, (_TIMESTAMP,))


def _other_sources(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Recorded for several members."""
    if request.source is None:
        return
    for row in PROPERTIES:
        if row.name in request.given and request.source not in row.about.sources:
            error = refusals.UNSUPPORTED.error(
                f"Unsupported '{member_name(row.name)}' parameter for given event source "
                "mapping type.",
                fix=request.without(row.name),
            )
            yield Fault(error, (row.name,))
    foreign = [m for m in mapping.metrics_config.metrics if m is not Metric.EVENT_COUNT]
    if foreign and request.source in STREAMS:
        # Documented; the text is ours.
        error = refusals.METRICS_OF_KAFKA.error(
            f"MetricsConfig: {foreign[0]} is not for streams", fix=request.paste("MetricsConfig")
        )
        yield Fault(error, ("MetricsConfig", "Metrics"))


def _on_success(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    if mapping.destination_config.on_success is not None:
        # Recorded.
        error = refusals.ON_SUCCESS.error(
            "Unsupported DestinationConfig parameter for given event source mapping type.",
            fix=request.paste("DestinationConfig"),
        )
        yield Fault(error, ("DestinationConfig", "OnSuccess"))


def _record_age(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    if mapping.maximum_record_age_in_seconds in _FORBIDDEN_RECORD_AGES:
        # Recorded.
        error = refusals.RECORD_AGE.error(
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 "
            "(inclusive)",
            fix=request.paste("MaximumRecordAgeInSeconds", 60),
        )
        yield Fault(error, ("MaximumRecordAgeInSeconds",))


def _filters(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    filters, terms = mapping.filter_criteria.filters, request.filters
    for index, entry in enumerate(filters):
        judged = judge(entry.pattern, request.source, reject_plain_data=terms.reject_plain_data)
        if isinstance(judged, FilterFault):
            fix = request.paste("FilterCriteria", {"Filters": [{"Pattern": judged.meant}]})
            error = judged.error(index + 1, fix)
            yield Fault(error, ("FilterCriteria", "Filters", index, "Pattern"))
    if len(filters) > terms.maximum:
        # Documented; the text is ours.
        kept = [{"Pattern": entry.pattern} for entry in filters[: terms.maximum]]
        error = refusals.FILTER_COUNT.error(
            f"FilterCriteria has {len(filters)} filters",
            fix=request.paste("FilterCriteria", {"Filters": kept}),
        )
        yield Fault(error, ("FilterCriteria", "Filters"))


def _one_lane_per_window(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Reported by users of AWS; the text is ours."""
    if mapping.tumbling_window_in_seconds > 0 and mapping.parallelization_factor > 1:
        error = refusals.LANES_AND_WINDOW.error(
            f"ParallelizationFactor {mapping.parallelization_factor} with "
            f"TumblingWindowInSeconds {mapping.tumbling_window_in_seconds}",
            fix=request.paste("ParallelizationFactor", 1),
        )
        yield Fault(error, ("ParallelizationFactor",), ("TumblingWindowInSeconds",))


def _destination(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the texts are ours."""
    arn = mapping.on_failure
    if arn is None or (arn.startswith(_TOPIC) and request.source in KAFKA):
        return
    fix = request.paste("DestinationConfig")
    if service_of(arn) not in _DESTINATION_SERVICES:
        error = refusals.OTHER_DESTINATION.error(f"on-failure destination {arn}", fix=fix)
        yield Fault(error, _AT_FAILURES)
    elif arn.endswith(".fifo"):
        error = refusals.FIFO_DESTINATION.error(f"on-failure destination {arn} is FIFO", fix=fix)
        yield Fault(error, _AT_FAILURES)


def _key(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """Documented; the text is ours."""
    arn = mapping.kms_key_arn
    if arn and service_of(arn) != "kms":
        error = refusals.KEY.error(f"KMSKeyArn {arn}", fix=request.paste("KMSKeyArn"))
        yield Fault(error, ("KMSKeyArn",))


def _not_emulated(request: Request, mapping: EventSourceMapping) -> Iterator[Fault]:
    """What AWS accepts: each line goes when it is emulated."""
    arn = mapping.event_source_arn
    if request.source in KAFKA:
        error = refusals.not_emulated(f"{request.source} as an event source", fix=_LEAVE_OUT)
        yield Fault(error, ("EventSourceArn",))
    elif request.source is None:
        fix = request.paste("EventSourceArn")
        error = refusals.not_emulated(f"{service_of(arn)} as an event source", fix=fix)
        yield Fault(error, ("EventSourceArn",))


_LEAVE_OUT = "leave this mapping out of the run: `esm validate` checks it, and other mappings run"

# In AWS's order; ours comes when AWS has nothing against the request.
_RULES: tuple[Callable[[Request, EventSourceMapping], Iterator[Fault]], ...] = (
    _position_of_source,
    _timestamp,
    _other_sources,
    _on_success,
    _record_age,
    _filters,
    _one_lane_per_window,
    _destination,
    _key,
    kafka_faults,
    _not_emulated,
)
