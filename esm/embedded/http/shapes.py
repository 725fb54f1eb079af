"""Parameters as the JSON protocols carry them, by the models that botocore has of the services.

Blobs are base64, instants are epoch seconds. What a model does not know is passed on: whoever does
the operation says that it is not known.
https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from esm.embedded.api import ApiError
from esm.embedded.service_models import service_model


def json_of(body: bytes) -> Any:
    """What a body says; raises ApiError for what is no JSON. Nothing stands for no parameters."""
    try:
        return msgspec.json.decode(body) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(f"the body is no JSON: {error}") from error


def parameters(service: str, operation: str, body: bytes) -> dict[str, Any]:
    """The parameters of a call as botocore's clients take them; raises ApiError."""
    model = service_model(service)
    if operation not in model.operation_names:
        raise ApiError("UnknownOperationException", f"{service} has no operation {operation!r}")
    given = json_of(body)
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return {}
    read: dict[str, Any] = _read(shape, given, "")
    return read


def _read(shape: Any, value: Any, where: str) -> Any:
    match shape.type_name:
        case "structure":
            return _structure(shape, _of_type(dict, value, where), where)
        case "list":
            member, prefix = shape.member, f"{where}." if where else ""
            items = enumerate(_of_type(list, value, where), start=1)
            return [_read(member, each, f"{prefix}{n}.member") for n, each in items]
        case "map":
            entries = _of_type(dict, value, where).items()
            return {k: _read(shape.value, v, f"{where}.{k}") for k, v in entries}
        case "blob":
            return _bytes(value, where)
        case "timestamp":
            return _instant(value, where)
        case "boolean":
            return _of_type(bool, value, where)
        case "integer" | "long":
            return _whole(value, where)
        case "float" | "double":
            return float(_number(value, where))
    return _of_type(str, value, where)


def _structure(shape: Any, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    prefix = f"{where}." if where else ""
    members: Mapping[str, Any] = shape.members
    read: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        member = members.get(name)
        known = member is not None
        read[name] = _read(member, value, f"{prefix}{_shown(name)}") if known else value
    return read


def _of_type(kind: type, value: Any, where: str) -> Any:
    if isinstance(value, kind):
        return value
    wanted = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}[kind]
    raise _unreadable(f"{where or 'the body'} must be {wanted}")


def _bytes(value: Any, where: str) -> bytes:
    try:
        return binascii.a2b_base64(_of_type(str, value, where), strict_mode=True)
    except ValueError as error:
        raise _unreadable(f"{where} must be base64: {error}") from error


def _instant(value: Any, where: str) -> datetime:
    try:
        return datetime.fromtimestamp(_number(value, where), UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise _unreadable(f"{where} must be an instant in epoch seconds") from error


def _number(value: Any, where: str) -> int | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise _unreadable(f"{where} must be a number")
    number: int | float = value
    return number


def _whole(value: Any, where: str) -> int:
    number = _number(value, where)
    if number != int(number):
        raise _unreadable(f"{where} must be a whole number")
    return int(number)


def _unreadable(what: str) -> ApiError:
    return ApiError("SerializationException", what)


def _shown(name: str) -> str:
    """A member as AWS's messages write it."""
    return name if name.isupper() else name[0].lower() + name[1:]
