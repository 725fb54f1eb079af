"""Filter patterns before they are compiled: their form, their operators, their keys.

A pattern is a JSON object whose leaves are non-empty lists of values and operators.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from esm.mapping.refusals import FILTER_PATTERN, Refusal
from esm.template.complaints import nearest
from esm.template.model import SourceKind

Path = tuple[str | int, ...]

_INVALID = FILTER_PATTERN.code
LEAF = Refusal("E251", _INVALID, "AWS refuses it: every leaf of a pattern is a list")
OPERATOR = Refusal("E253", _INVALID, "AWS refuses it: Lambda's filters have no such operator")
OTHER_KEY = Refusal("E254", None, "AWS accepts it, and the filter lets no record through")

_OPERATORS = {
    *("anything-but", "equals-ignore-case", "exists", "numeric", "prefix", "suffix"),
}
_COMPARISONS = {"=", "<", "<=", ">", ">="}
_RECORD_KEYS = {
    "awsRegion",
    "eventID",
    "eventName",
    "eventSource",
    "eventSourceARN",
    "eventVersion",
}
_KAFKA_KEYS = {
    *("eventSource", "eventSourceArn", "headers", "key", "offset", "partition", "timestamp"),
    *("timestampType", "topic"),
}
_KINESIS_KEYS = {
    *("approximateArrivalTimestamp", "invokeIdentityArn", "kinesis", "kinesisSchemaVersion"),
    *("partitionKey", "sequenceNumber"),
}
DATA_KEYS: Mapping[SourceKind, str] = {
    SourceKind.KINESIS: "data",
    SourceKind.DYNAMODB: "dynamodb",
    SourceKind.MSK: "value",
    SourceKind.SELF_MANAGED_KAFKA: "value",
}
_OTHER_KEYS = {
    SourceKind.KINESIS: _RECORD_KEYS | _KINESIS_KEYS,
    SourceKind.DYNAMODB: _RECORD_KEYS | {"userIdentity"},
    SourceKind.MSK: _KAFKA_KEYS,
    SourceKind.SELF_MANAGED_KAFKA: _KAFKA_KEYS,
}
_FOREIGN_DATA_KEYS = {"body", "data", "dynamodb", "value"}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a pattern: which rule, where in it, and the whole pattern as meant."""

    refusal: Refusal
    message: str
    path: Path
    meant: str


def fault_of(pattern: str, kind: SourceKind) -> Fault | None:
    """The first thing that is wrong with a pattern for this kind of source."""
    try:
        root = json.loads(pattern)
        if not isinstance(root, dict):
            return Fault(FILTER_PATTERN, "not a JSON object", (), _example(kind))
        if not root:
            return Fault(FILTER_PATTERN, "an object is empty", (), _example(kind))
        return next(_faults(root, root, (), kind), None) or _key_fault(root, kind)
    except (ValueError, RecursionError):
        return Fault(FILTER_PATTERN, "not JSON", (), _example(kind))


def _example(kind: SourceKind) -> str:
    key = DATA_KEYS.get(kind, "data")
    return json.dumps({key: {"id": [1]}})


def _faults(
    root: Mapping[str, object], entries: Mapping[str, object], path: Path, kind: SourceKind
) -> Iterator[Fault]:
    for name, value in entries.items():
        here = (*path, name)
        if name == "$or" and isinstance(value, list):
            yield from _faults_of_or(root, value, here, kind)
        elif isinstance(value, dict) and _is_operator(value):
            message = f'"{name}" must be a list of values'
            yield Fault(LEAF, message, here, _replaced(root, here, [value]))
        elif isinstance(value, dict) and value:
            yield from _faults(root, value, here, kind)
        elif isinstance(value, dict):
            yield Fault(FILTER_PATTERN, f'"{name}" is an empty object', here, _example(kind))
        elif not isinstance(value, list) or not value:
            meant = value if isinstance(value, list) else [value]
            fixed = _replaced(root, here, meant or ["…"])
            yield Fault(LEAF, f'"{name}" must be a list of values', here, fixed)
        else:
            yield from _faults_of_leaf(root, value, here)


def _faults_of_or(
    root: Mapping[str, object], options: list[object], path: Path, kind: SourceKind
) -> Iterator[Fault]:
    if len(options) < 2 or not all(isinstance(option, dict) and option for option in options):
        message = '"$or" must be a list of two objects or more'
        yield Fault(FILTER_PATTERN, message, path, _example(kind))
        return
    for number, option in enumerate(options):
        assert isinstance(option, dict)
        yield from _faults(root, option, (*path, number), kind)


def _faults_of_leaf(
    root: Mapping[str, object], values: list[object], path: Path
) -> Iterator[Fault]:
    for number, value in enumerate(values):
        here = (*path, number)
        if isinstance(value, list):
            fixed = _replaced(root, path, [*values[:number], *value, *values[number + 1 :]])
            yield Fault(LEAF, f'"{path[-1]}" must be a list of values, not of lists', here, fixed)
        elif isinstance(value, dict):
            yield from _faults_of_operator(root, value, here)


def _faults_of_operator(
    root: Mapping[str, object], operator: dict[str, object], path: Path
) -> Iterator[Fault]:
    if len(operator) != 1:
        message = "an operator is an object with one key"
        yield Fault(OPERATOR, message, path, _replaced(root, path, {"exists": True}))
        return
    [(name, argument)] = operator.items()
    if name not in _OPERATORS:
        near = nearest(name, _OPERATORS) or "prefix"
        fixed = _replaced(root, path, {near: argument})
        yield Fault(OPERATOR, f'there is no operator "{name}"', path, fixed)
    elif not _fits(name, argument):
        fixed = _replaced(root, path, {name: _ARGUMENTS[name]})
        yield Fault(OPERATOR, f'"{name}" cannot have this value', path, fixed)


_ARGUMENTS: Mapping[str, object] = {
    "anything-but": ["x"],
    "equals-ignore-case": "x",
    "exists": True,
    "numeric": [">", 0],
    "prefix": "x",
    "suffix": "x",
}


def _is_operator(entries: dict[str, object]) -> bool:
    """Whether an object means an operator, where a list with it belongs."""
    return len(entries) == 1 and all(n in _OPERATORS and _fits(n, v) for n, v in entries.items())


def _fits(name: str, argument: object) -> bool:
    match name:
        case "exists":
            return isinstance(argument, bool)
        case "numeric":
            return _is_range(argument)
        case "anything-but":
            return _is_set(argument)
        case "prefix" | "suffix" if isinstance(argument, dict):
            return argument.keys() == {"equals-ignore-case"}
    return isinstance(argument, str)


def _is_range(argument: object) -> bool:
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        return False
    comparisons, numbers = argument[::2], argument[1::2]
    return all(isinstance(c, str) and c in _COMPARISONS for c in comparisons) and all(
        isinstance(n, int | float) and not isinstance(n, bool) for n in numbers
    )


def _is_set(argument: object) -> bool:
    values = argument if isinstance(argument, list) else [argument]
    is_text = all(isinstance(value, str) for value in values)
    return bool(values) and (is_text or _are_numbers(values))


def _are_numbers(values: list[object]) -> bool:
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _key_fault(root: Mapping[str, object], kind: SourceKind) -> Fault | None:
    """A key that only other sources' records have; keys that nobody has are left to AWS."""
    if kind not in DATA_KEYS:
        return None
    own = DATA_KEYS[kind]
    if kind is SourceKind.KINESIS and _is_plain_text(root.get(own)):
        message = f'"{own}" must be an object: the data of a record is filtered as JSON'
        return Fault(FILTER_PATTERN, message, (own,), _example(kind))
    for key in root:
        if key in _FOREIGN_DATA_KEYS - _OTHER_KEYS[kind] - {own}:
            meant = {own if name == key else name: value for name, value in root.items()}
            message = f'records of {kind} have no "{key}", their data is under "{own}"'
            return Fault(OTHER_KEY, message, (key,), json.dumps(meant, ensure_ascii=False))
    return None


def _is_plain_text(rule: object) -> bool:
    return isinstance(rule, list) and all(isinstance(value, str) for value in rule)


def _replaced(root: Mapping[str, object], path: Path, value: object) -> str:
    """The pattern with another value at a path, as JSON."""
    return json.dumps(_with(root, path, value), ensure_ascii=False)


def _with(node: object, path: Path, value: object) -> object:
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(node, dict):
        return {k: _with(v, rest, value) if k == step else v for k, v in node.items()}
    assert isinstance(node, list)
    return [_with(v, rest, value) if i == step else v for i, v in enumerate(node)]
