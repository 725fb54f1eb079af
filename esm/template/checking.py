"""Every rule about a template's mappings and functions, all complaints at once.

What `esm.mapping` knows of a property is asked of it, one property at a time so that each complaint
has its own place, then the ones that are sound together. Which properties other sources have is a
table here: https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
No code of the user is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from esm.errors import EsmError, MappingError, NotEmulated, Place, TemplateError
from esm.mapping import PROPERTIES, Group, create, refusals
from esm.mapping.constraints import member_name
from esm.template import complaints
from esm.template.filters import filter_errors
from esm.template.fixes import relocated
from esm.template.handlers import handler_errors
from esm.template.model import MappingResource, SourceKind, Template

_EXAMPLE_ARNS = {
    SourceKind.DYNAMODB: "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/1",
    SourceKind.MSK: "arn:aws:kafka:us-east-1:123456789012:cluster/c/1",
    SourceKind.SELF_MANAGED_KAFKA: "arn:aws:kafka:us-east-1:123456789012:cluster/c/1",
}
_STREAM_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
_NAMES = {row.attribute: row.name for row in PROPERTIES}
_OTHER_SOURCE = {row.attribute for row in PROPERTIES if row.about.group is Group.OTHER_SOURCE}
_NOT_ALONE = _OTHER_SOURCE | {"function_name"}
_POSITION, _TIMESTAMP = "starting_position", "starting_position_timestamp"

_STREAMS = {SourceKind.KINESIS, SourceKind.DYNAMODB}
_KAFKA = {SourceKind.MSK, SourceKind.SELF_MANAGED_KAFKA}
# Properties that not every source has.
_SOURCES = {
    "event_source_arn": _STREAMS | {SourceKind.MSK},
    "parallelization_factor": _STREAMS,
    "tumbling_window_in_seconds": _STREAMS,
    "self_managed_event_source": {SourceKind.SELF_MANAGED_KAFKA},
    "topics": _KAFKA,
    "source_access_configurations": _KAFKA,
    "provisioned_poller_config": _KAFKA,
    "logging_config": _KAFKA,
    "amazon_managed_kafka_event_source_config": {SourceKind.MSK},
    "self_managed_kafka_event_source_config": {SourceKind.SELF_MANAGED_KAFKA},
    "scaling_config": set[SourceKind](),
    "queues": set[SourceKind](),
    "document_db_event_source_config": set[SourceKind](),
}
# Kafka's pollers have these in provisioned mode only.
_PROVISIONED = {
    *("bisect_batch_on_function_error", "function_response_types", "logging_config"),
    *("maximum_record_age_in_seconds", "maximum_retry_attempts"),
}
PROVISIONED_ONLY = refusals.Refusal(
    "E227", refusals.UNSUPPORTED.code, "AWS refuses it: Kafka has it in provisioned mode only"
)
_REQUIRED = {
    SourceKind.MSK: {_POSITION: "LATEST", "topics": "[orders]"},
    SourceKind.SELF_MANAGED_KAFKA: {
        "self_managed_event_source": '["broker:9092"]',
        "topics": "[orders]",
        "source_access_configurations": '[{Type: BASIC_AUTH, URI: "…"}]',
    },
}
# What AWS asks for first, with something that it takes.
_NEEDED = {
    refusals.CONSTRAINTS["missing"].esm_code: ("FunctionName", "f"),
    refusals.NO_SOURCE.esm_code: ("EventSourceArn", _STREAM_ARN),
    refusals.NO_STARTING_POSITION.esm_code: ("StartingPosition", "TRIM_HORIZON"),
}
# Rules about several properties: where their complaint belongs.
_HOMES = {
    refusals.NO_SOURCE.esm_code: "event_source_arn",
    refusals.POSITION_OF_SOURCE.esm_code: _POSITION,
    refusals.NO_TIMESTAMP.esm_code: _POSITION,
    refusals.STRAY_TIMESTAMP.esm_code: _TIMESTAMP,
    refusals.FUTURE_TIMESTAMP.esm_code: _TIMESTAMP,
    refusals.LANES_AND_WINDOW.esm_code: "parallelization_factor",
}


def check(template: Template, *, now_ms: int) -> list[EsmError]:
    """Everything that is wrong with a template, in the order of its lines."""
    problems = list(template.problems)
    for function in template.functions.values():
        problems += [*function.problems, *handler_errors(function)]
    for mapping in template.mappings.values():
        problems += [*mapping.problems, *_mapping_errors(mapping, template, now_ms)]
    # What is used twice is looked at twice.
    different = {(e.place, e.esm_code, e.message): e for e in problems}
    return sorted(different.values(), key=_order)


def _order(error: EsmError) -> tuple[str, int, int, str]:
    place = error.place or Place("")
    return place.file, place.line or 0, place.column or 0, error.esm_code


def _mapping_errors(
    mapping: MappingResource, template: Template, now_ms: int
) -> Iterator[EsmError]:
    unsound: set[str] = set()
    missing = list(_missing(mapping))
    yield from missing
    is_sound_so_far = not mapping.problems and not missing
    for attribute in mapping.properties:
        for error in _property_errors(mapping, attribute, now_ms):
            is_sound_so_far = False
            if not isinstance(error, NotEmulated):
                unsound.add(attribute)
            yield relocated(error, mapping, attribute, template)
    sound = {a: v for a, v in mapping.properties.items() if a not in unsound}
    for error in _errors_together(_request(mapping, sound), now_ms):
        if isinstance(error, NotEmulated):
            if is_sound_so_far:
                yield relocated(error, mapping, "event_source_arn", template)
            continue
        is_sound_so_far = False
        home = _HOMES.get(error.esm_code)
        if home is None or home not in unsound:
            yield relocated(error, mapping, home, template)


def _missing(mapping: MappingResource) -> Iterator[TemplateError]:
    """What other sources need; `esm.mapping` knows what Kinesis needs."""
    for attribute, example in _REQUIRED.get(mapping.kind, {}).items():
        if attribute not in mapping.spots:
            is_sam_name = mapping.is_sam_event and attribute == "self_managed_event_source"
            name = "KafkaBootstrapServers" if is_sam_name else _NAMES[attribute]
            message = f"{mapping.name} needs {name}"
            yield complaints.MISSING.at(mapping.place, message, fix=f"{name}: {example}")


def _errors_together(request: dict[str, object], now_ms: int) -> Iterator[MappingError]:
    """What is wrong with properties that are sound by themselves, and which are missing."""
    for _ in range(len(_NEEDED) + 1):
        try:
            create(request, now_ms=now_ms)
            return
        except MappingError as error:
            yield error
            name, value = _NEEDED.get(error.esm_code, ("", None))
            if not name or name in request:
                return
            request = {**request, name: value}


def _request(mapping: MappingResource, sound: Mapping[str, object]) -> dict[str, object]:
    """The sound properties, with something AWS takes where a complaint was made already."""
    needed = {
        "event_source_arn": _example_arn(mapping.kind),
        "function_name": "f",
        _POSITION: "TRIM_HORIZON",
    }
    spare = {a: v for a, v in needed.items() if a in mapping.spots}
    if _POSITION in mapping.spots and _POSITION not in sound:
        sound = {a: v for a, v in sound.items() if a != _TIMESTAMP}
    is_timestamp_refused = _TIMESTAMP in mapping.spots and _TIMESTAMP not in sound
    if is_timestamp_refused and mapping.kind is not SourceKind.DYNAMODB:
        sound = {a: v for a, v in sound.items() if a != _POSITION or v != "AT_TIMESTAMP"}
    request = {**spare, **sound}
    if mapping.kind in _KAFKA:
        request |= {"event_source_arn": _example_arn(mapping.kind)}
        request = {a: v for a, v in request.items() if a != "self_managed_event_source"}
        request.setdefault(_POSITION, "TRIM_HORIZON")
    return _named(request)


def _property_errors(
    mapping: MappingResource, attribute: str, now_ms: int
) -> Iterator[MappingError]:
    kind = mapping.kind
    if kind is not SourceKind.UNKNOWN and kind not in _SOURCES.get(attribute, {kind}):
        yield _unsupported(_NAMES[attribute])
        return
    if kind is SourceKind.DYNAMODB:
        yield from _dynamodb_errors(mapping, attribute)
    is_provisioned = "provisioned_poller_config" in mapping.properties
    if kind in _KAFKA and attribute in _PROVISIONED and not is_provisioned:
        yield _provisioned_only(_NAMES[attribute])
    if attribute == "filter_criteria":
        faults = list(filter_errors(mapping))
        yield from faults
        if faults:
            return
    if attribute in _NOT_ALONE:
        return
    try:
        create(_alone(mapping, attribute), now_ms=now_ms)
    except NotEmulated as error:
        if kind is SourceKind.KINESIS:
            yield error
    except MappingError as error:
        yield error


def _dynamodb_errors(mapping: MappingResource, attribute: str) -> Iterator[MappingError]:
    if attribute == "event_source_arn":
        yield from _table_as_source(str(mapping.properties[attribute]))
    # AWS refuses AT_TIMESTAMP before it looks at its timestamp.
    if attribute == _TIMESTAMP and mapping.properties.get(_POSITION) != "AT_TIMESTAMP":
        yield _unsupported(_NAMES[attribute])


def _alone(mapping: MappingResource, attribute: str) -> dict[str, object]:
    """A property within a request that has nothing else to complain about."""
    request: dict[str, object] = {
        "event_source_arn": _example_arn(mapping.kind),
        "function_name": "f",
        _POSITION: "TRIM_HORIZON",
    }
    value = mapping.properties[attribute]
    if attribute == _TIMESTAMP and mapping.kind is not SourceKind.DYNAMODB:
        request[_POSITION] = "AT_TIMESTAMP"
    if attribute == _POSITION and value == "AT_TIMESTAMP":
        return _named(request)  # what belongs to it is looked at together
    if attribute == _TIMESTAMP and mapping.kind is SourceKind.DYNAMODB:
        return _named(request)
    return _named({**request, attribute: value})


def _example_arn(kind: SourceKind) -> str:
    return _EXAMPLE_ARNS.get(kind, _STREAM_ARN)


def _named(request: Mapping[str, object]) -> dict[str, object]:
    """AWS's names, so that fixes have them too."""
    return {_NAMES[attribute]: value for attribute, value in request.items()}


def _unsupported(name: str) -> MappingError:
    # Recorded.
    return refusals.UNSUPPORTED.error(
        f"Unsupported '{member_name(name)}' parameter for given event source mapping type.",
        fix=f"remove {name}",
    )


def _table_as_source(arn: str) -> Iterator[MappingError]:
    """The ARN of a table is not that of its stream."""
    if arn.startswith("arn:") and "/stream/" not in arn:
        fix = f'EventSourceArn: "{_EXAMPLE_ARNS[SourceKind.DYNAMODB]}"'
        # Recorded.
        yield refusals.NO_SOURCE.error("Unrecognized event source.", fix=fix)


def _provisioned_only(name: str) -> MappingError:
    # Documented; the text is ours.
    return PROVISIONED_ONLY.error(
        f"{name} without ProvisionedPollerConfig",
        fix="ProvisionedPollerConfig: {MinimumPollers: 1}",
    )
