"""DynamoDB's values: from Python and back, checked, and compared.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
In JSON a value is one type letter and what it holds: {"S": "text"}, {"N": "1.5"}, {"L": [...]}.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Context, Decimal
from reprlib import repr as shown
from typing import Any

from esm.errors import InvalidValue

AttributeValue = dict[str, Any]
"""One type letter with what it holds."""
AttributeMap = dict[str, AttributeValue]
"""Attributes by name: an item, or its keys."""

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
NUMBER_DIGITS = 38
NUMBER_MAGNITUDES = range(-130, 126)
DEPTH_MAX = 32

_EXACT = Context(prec=1_000)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


# --- from Python and back ------------------------------------------------------------------------


def from_python(attributes: Mapping[str, object]) -> AttributeMap:
    """An item of Python values in DynamoDB's JSON; E460 for what DynamoDB has no type for."""
    if not isinstance(attributes, Mapping):
        raise _no_value("an item", attributes, 'a dict such as {"pk": "a", "count": 1}')
    return {_name(name): _from(value, name, 0) for name, value in attributes.items()}


def to_python(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The Python values of checked attributes: numbers are Decimal, as boto3 gives them."""
    return {name: _to(value) for name, value in attributes.items()}


def with_bytes(attributes: AttributeMap) -> AttributeMap:
    """Checked attributes with bytes in place of base64, as clients of AWS have them."""
    return {name: _with_bytes(value) for name, value in attributes.items()}


def _with_bytes(value: AttributeValue) -> AttributeValue:
    ((kind, content),) = value.items()
    match kind:
        case "B":
            return {"B": binascii.a2b_base64(content)}
        case "BS":
            return {"BS": [binascii.a2b_base64(each) for each in content]}
        case "L":
            return {"L": [_with_bytes(each) for each in content]}
        case "M":
            return {"M": with_bytes(content)}
    return value


def _from(value: object, where: str, depth: int) -> AttributeValue:
    if depth == DEPTH_MAX:
        raise _too_deep(where)
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str() | bytes() | bytearray() | int() | Decimal():
            kind, content = _scalar(value, where)
            return {kind: content}
        case list() | tuple():
            return {"L": [_from(v, f"{where}[{n}]", depth + 1) for n, v in enumerate(value)]}
        case Mapping():
            return {"M": {_name(n): _from(v, f"{where}.{n}", depth + 1) for n, v in value.items()}}
        case set() | frozenset():
            return _set(value, where)
        case float():
            raise _no_value(where, value, f'Decimal("{value}")')
    raise _no_value(where, value, "str, int, Decimal, bytes, bool, None, list, dict or set")


def _scalar(value: object, where: str) -> tuple[str, str]:
    match value:
        case str():
            return "S", _text(value, where)
        case bytes() | bytearray():
            return "B", _base64(value)
        case int() | Decimal() if not isinstance(value, bool):
            return "N", number_text(Decimal(value), where)
    raise _no_value(where, value, "a set of texts, of numbers, or of bytes")


def _set(value: set[object] | frozenset[object], where: str) -> AttributeValue:
    scalars = [_scalar(each, where) for each in value]
    kinds = {kind for kind, _ in scalars}
    if len(kinds) != 1:
        raise _no_value(where, value, "a set that is not empty, of texts, of numbers, or of bytes")
    return {kinds.pop() + "S": _in_order(content for _, content in scalars)}


def _to(value: AttributeValue) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return Decimal(content)
        case "B":
            return binascii.a2b_base64(content)
        case "SS":
            return set(content)
        case "NS" | "BS":
            return {_to({kind[0]: each}) for each in content}
        case "L":
            return [_to(each) for each in content]
        case "M":
            return to_python(content)
    return content


# --- checked -------------------------------------------------------------------------------------


def checked(attributes: object, where: str) -> AttributeMap:
    """A copy of attributes in DynamoDB's JSON; E461 for anything else. Bytes become base64."""
    if not isinstance(attributes, Mapping):
        raise _no_attribute(where, f"{shown(attributes)} are no attributes by name")
    return {
        _name(name): _checked(value, f"{where}.{name}", 0) for name, value in attributes.items()
    }


def _checked(value: object, where: str, depth: int) -> AttributeValue:
    if not isinstance(value, Mapping) or len(value) != 1:
        raise _no_attribute(where, f"{shown(value)} is not one type with its value")
    if depth == DEPTH_MAX:
        raise _too_deep(where)
    ((kind, content),) = value.items()
    if kind == "L" and isinstance(content, list):
        return {"L": [_checked(v, f"{where}[{n}]", depth + 1) for n, v in enumerate(content)]}
    if kind == "M" and isinstance(content, Mapping):
        members = content.items()
        return {"M": {_name(n): _checked(v, f"{where}.{n}", depth + 1) for n, v in members}}
    if kind in SETS and isinstance(content, list) and content:
        return {kind: [_SCALARS[kind[0]](each, where) for each in content]}
    if kind in _SCALARS:
        return {kind: _SCALARS[kind](content, where)}
    raise _no_attribute(where, f"there is no {shown(value)}")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _no_attribute(where, f"{shown(value)} is not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _no_value(where, value, "text without half characters, or bytes") from None
    return value


def _number(value: object, where: str) -> str:
    text = _text(value, where)
    if not _NUMBER.fullmatch(text):
        raise _no_attribute(where, f"{shown(value)} is not a number")
    number_text(Decimal(text), where)
    return text


def _binary(value: object, where: str) -> str:
    if isinstance(value, bytes | bytearray):
        return _base64(value)
    text = _text(value, where)
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise _no_attribute(where, f"{shown(value)} is not base64") from None
    return text


def _boolean(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise _no_attribute(where, f"{shown(value)} is neither true nor false")
    return value


def _null(value: object, where: str) -> bool:
    if value is not True:
        raise _no_attribute(where, "NULL is always true")
    return True


_SCALARS: dict[str, Callable[[object, str], str | bool]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
}
SETS = ("SS", "NS", "BS")


def _name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise _no_value("an attribute's name", name, "text that is not empty")
    return _text(name, "an attribute's name")


# --- one form for equal values -------------------------------------------------------------------


def canonical(attributes: AttributeMap) -> AttributeMap:
    """Checked attributes as a table keeps them: equal ones are written alike.

    DynamoDB trims zeros of numbers, and knows no order of a set; ours is that of the texts.
    """
    return {name: _canonical(value) for name, value in attributes.items()}


def _canonical(value: AttributeValue) -> AttributeValue:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return {"N": number_text(Decimal(content), kind)}
        case "NS":
            return {"NS": _in_order(number_text(Decimal(each), kind) for each in content)}
        case "SS" | "BS":
            return {kind: _in_order(content)}
        case "L":
            return {"L": [_canonical(each) for each in content]}
        case "M":
            return {"M": canonical(content)}
    return value


def number_text(number: Decimal, where: str) -> str:
    """A number as DynamoDB writes it: no exponent, no zeros that say nothing."""
    if not number.is_finite():
        raise _no_value(where, number, "a finite number")
    if not number:
        return "0"
    if number.adjusted() not in NUMBER_MAGNITUDES:
        raise _no_value(where, number, "a number between 1E-130 and 1E+126")
    shortest = number.normalize(_EXACT)
    if len(shortest.as_tuple().digits) > NUMBER_DIGITS:
        raise _no_value(where, number, f"a number of at most {NUMBER_DIGITS} digits")
    return format(shortest, "f")


def _in_order(texts: Iterable[str]) -> list[str]:
    return sorted(set(texts))


def _base64(value: bytes | bytearray) -> str:
    return binascii.b2a_base64(value, newline=False).decode("ascii")


# --- what goes wrong -----------------------------------------------------------------------------


def _no_value(where: str, value: object, fix: str) -> InvalidValue:
    return InvalidValue(
        "E460",
        f"{where}: DynamoDB has no type for {shown(value)} ({type(value).__name__})",
        why="AWS refuses it, as boto3 does",
        fix=fix,
    )


def _too_deep(where: str) -> InvalidValue:
    return InvalidValue(
        "E466",
        f"{where[:60]}…: nested deeper than {DEPTH_MAX} levels",
        why="AWS refuses it",
        fix="a flatter item, or the inner part as JSON text",
    )


def _no_attribute(where: str, what: str) -> InvalidValue:
    return InvalidValue(
        "E461",
        f"{where}: {what}",
        why="AWS refuses it: a value is one type letter and what it holds",
        fix='{"S": "text"}, {"N": "1"}, {"BOOL": true}, …',
    )
