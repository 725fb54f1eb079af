"""The intrinsic functions that need nothing but the values of their arguments.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Protocol

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.nodes import Entries, Items, Node, Scalar, function_of
from esm.template.rendering import rendered
from esm.template.sections import kind_of

_MAXIMUM_CHARACTERS = 1_000_000
_MAXIMUM_DIGITS = 9
_CIDR = '!Cidr ["10.0.0.0/16", 4, 8]'
_CIDR_COUNTS = range(1, 257)
_VARIABLE = re.compile(r"\$\{(!?)([^{}$]*)\}")


class Values(Protocol):
    """What gives values to the arguments."""

    def value(self, node: Node) -> object:
        """As JSON."""

    def text(self, node: Node) -> str:
        """As text."""

    def chosen(self, node: Node) -> Node:
        """Where a chain of `Fn::If` leads to."""

    def named(self, name: str, place: Place, form: str = "!Ref {}") -> object:
        """What `Ref` gives."""

    def attribute(self, name: str, attribute: str, place: Place) -> str:
        """What `Fn::GetAtt` gives."""

    def require_extensions(self, function: str, place: Place) -> None:
        """Raise TemplateError where the template does not ask for AWS::LanguageExtensions."""


def _sub(values: Values, argument: Node) -> str:
    match argument:
        case Scalar(value=str()):
            template, local = argument, Entries({}, {}, argument.place)
        case Items(items=(Scalar(value=str()) as template, Entries() as local)):
            pass
        case _:
            raise malformed("Fn::Sub", argument, '!Sub "${AWS::StackName}-orders"')
    return _limited(_substituted(values, template, local.entries), argument)


def _substituted(values: Values, template: Scalar, local: Mapping[str, Node]) -> list[str]:
    parts: list[str] = []
    known: dict[str, str] = {}
    for literal, name in _pieces(template.raw):
        parts.append(literal)
        if name is not None:
            known[name] = known[name] if name in known else _part(values, name, template, local)
            parts.append(known[name])
    return parts


def _part(values: Values, name: str, template: Scalar, local: Mapping[str, Node]) -> str:
    if name in local:
        return values.text(local[name])
    logical_id, dot, attribute = name.partition(".")
    if dot:
        return values.attribute(logical_id, attribute, template.place)
    value = values.named(name, template.place, "${{{}}}")
    if not isinstance(value, str):
        fix = f'!Join [",", !Ref {name}]'
        raise complaints.BAD_FUNCTION.at(template.place, f"${{{name}}} is not text", fix=fix)
    return value


def _join(values: Values, argument: Node) -> str:
    match argument:
        case Items(items=(delimiter, pieces)):
            texts = _texts(values, pieces)
            glue = values.text(delimiter)
        case _:
            raise malformed("Fn::Join", argument, '!Join ["-", [orders, dlq]]')
    joints = [glue] * max(0, 2 * len(texts) - 1)
    joints[::2] = texts
    return _limited(joints, argument)


def _select(values: Values, argument: Node) -> object:
    match argument:
        case Items(items=(position, items)):
            index = values.text(position)
            texts = _texts(values, items)
        case _:
            raise malformed("Fn::Select", argument, "!Select [0, [a, b]]")
    if not (index.isascii() and index.isdigit() and len(index) <= _MAXIMUM_DIGITS):
        raise malformed("Fn::Select", argument, "!Select [0, [a, b]]")
    if int(index) >= len(texts):
        message = f"there is no number {index}: the list has {len(texts)}, from 0"
        fix = f"!Select [{max(0, len(texts) - 1)}, {rendered(items)}]"
        raise complaints.BAD_FUNCTION.at(argument.place, message, fix=fix)
    return texts[int(index)]


def _split(values: Values, argument: Node) -> list[str]:
    match argument:
        case Items(items=(Scalar(value=str()) as delimiter, source)) if delimiter.raw:
            return values.text(source).split(delimiter.raw)
        case _:
            raise malformed("Fn::Split", argument, '!Split [",", "a,b"]')


def _cidr(values: Values, argument: Node) -> list[str]:
    match argument:
        case Items(items=(block, count, bits)):
            given = [values.text(block), values.text(count), values.text(bits)]
        case Items(items=(block, count)):
            given = [values.text(block), values.text(count), ""]
        case _:
            raise malformed("Fn::Cidr", argument, _CIDR)
    try:
        return _subnets(given[0], int(given[1]), given[2])
    except ValueError as error:
        raise complaints.BAD_FUNCTION.at(argument.place, str(error), fix=_CIDR) from error


def _subnets(block: str, count: int, bits: str) -> list[str]:
    """So many blocks of an address range; `bits` are those of the addresses within one of them."""
    network = ipaddress.ip_network(block)
    default = 64 if network.version == 6 else 8  # the least blocks that AWS makes: /64, and /24
    length = network.max_prefixlen - (int(bits) if bits else default)
    if count not in _CIDR_COUNTS or count > 2 ** max(0, length - network.prefixlen):
        raise ValueError(f"{block} cannot be split into {count} blocks of this size")
    return [str(block) for block in islice(network.subnets(new_prefix=length), count)]


def _length(values: Values, argument: Node) -> int:
    values.require_extensions("Fn::Length", argument.place)
    value = values.value(argument)
    if not isinstance(value, list):
        message = f"Fn::Length needs a list, not {kind_of(argument)}"
        raise complaints.BAD_FUNCTION.at(argument.place, message, fix="!Length [a, b]")
    return len(value)


def _to_json_string(values: Values, argument: Node) -> str:
    values.require_extensions("Fn::ToJsonString", argument.place)
    value = values.value(argument)
    if not isinstance(value, list | dict):
        raise malformed("Fn::ToJsonString", argument, "!ToJsonString {a: 1}")
    return _limited([json.dumps(value, ensure_ascii=False, separators=(",", ":"))], argument)


def _base64(values: Values, argument: Node) -> str:
    return base64.b64encode(values.text(argument).encode("utf-8", "surrogatepass")).decode()


def _texts(values: Values, node: Node) -> list[str]:
    if isinstance(node, Items):
        return [values.text(item) for item in node.items if not _is_no_value(values, item)]
    value = values.value(node)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        message = f"a list is needed, not {kind_of(node)}"
        fix = f'!Split [",", {rendered(node)}]'
        raise complaints.BAD_FUNCTION.at(node.place, message, fix=fix)
    return value


def _is_no_value(values: Values, node: Node) -> bool:
    function = function_of(values.chosen(node))
    return function is not None and function[0] == "Ref" and _is_no_value_name(function[1])


def _is_no_value_name(node: Node) -> bool:
    return isinstance(node, Scalar) and node.raw == "AWS::NoValue"


def _pieces(text: str) -> Iterator[tuple[str, str | None]]:
    """Each literal piece, with the name that follows it; None after the last and for `${!…}`."""
    at = 0
    for match in _VARIABLE.finditer(text):
        is_literal, name = match.groups()
        before = text[at : match.start()]
        yield (f"{before}${{{name}}}", None) if is_literal else (before, name.strip())
        at = match.end()
    yield text[at:], None


def malformed(function: str, node: Node, example: str) -> TemplateError:
    """An intrinsic function whose argument has not the form that it needs."""
    message = f"{function} does not have the form that it needs"
    return complaints.BAD_FUNCTION.at(node.place, message, fix=example)


def _limited(parts: list[str], node: Node) -> str:
    if sum(map(len, parts)) > _MAXIMUM_CHARACTERS:
        raise complaints.TOO_COMPLEX.at(node.place, "a text of more than a million characters")
    return "".join(parts)


TEXT_FUNCTIONS: Mapping[str, Callable[[Values, Node], object]] = {
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json_string,
}
"""By their long names."""
