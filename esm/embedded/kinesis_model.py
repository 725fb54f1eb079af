"""What AWS's own models demand of parameters, in AWS's words: those of Kinesis and its like.

botocore brings the model along; its client leaves these constraints to the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from esm.embedded.kinesis_errors import VALIDATION, KinesisApiError, violation
from esm.embedded.service_models import service_model


def check(operation: str, params: Mapping[str, Any]) -> None:
    """Refuse parameters that break a constraint; all of them are named in one answer."""
    found = violations("kinesis", operation, params)
    if found is not None:
        raise KinesisApiError(VALIDATION, found)


def violations(service: str, operation: str, params: Mapping[str, Any]) -> str | None:
    """What is wrong with parameters by a service's model, by boto3's name; None when nothing is."""
    shape = service_model(service).operation_model(operation).input_shape
    found = [] if shape is None else list(_structure(shape, params, ""))
    noun = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {noun} detected: {'; '.join(found)}" if found else None


def _structure(shape: Any, value: Mapping[str, Any], at: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inner = at + name[0].lower() + name[1:]
        if value.get(name) is not None:
            yield from _value(member, value[name], inner)
        elif name in shape.required_members:
            yield violation(inner, "null", "not be null")


def _value(shape: Any, value: Any, at: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            yield from _structure(shape, value, at + ".")
        case "list":
            yield from _length(shape, value, at, None)
            for number, item in enumerate(value, start=1):
                yield from _value(shape.member, item, f"{at}.{number}.member")
        case "map":
            yield from _length(shape, value, at, None)
            for key, item in value.items():
                yield from _value(shape.key, key, f"{at}.key")
                yield from _value(shape.value, item, f"{at}.{key}.member")
        case "string":
            yield from _text(shape, value, at)
        case "integer":
            yield from _bounds(shape, value, at, f"'{value}'", "value")


def _text(shape: Any, value: str, at: str) -> Iterator[str]:
    pattern = shape.metadata.get("pattern")
    if pattern is not None and not re.fullmatch(pattern, value, re.ASCII):
        yield violation(at, f"'{value}'", f"satisfy regular expression pattern: {pattern}")
    if shape.enum and value not in shape.enum:
        yield violation(at, f"'{value}'", f"satisfy enum value set: [{', '.join(shape.enum)}]")
    yield from _length(shape, value, at, f"'{value}'")


def _length(shape: Any, value: Any, at: str, shown: str | None) -> Iterator[str]:
    yield from _bounds(shape, len(value), at, shown, "length")


def _bounds(shape: Any, number: int, at: str, shown: str | None, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and number < least:
        yield violation(at, shown, f"have {what} greater than or equal to {least}")
    if most is not None and number > most:
        yield violation(at, shown, f"have {what} less than or equal to {most}")
