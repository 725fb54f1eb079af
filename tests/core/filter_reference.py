"""The filter language once more, as short and as slow as it can be said.

Every leaf of a document has an address: its keys and indexes. A condition's name is compared with
the keys joined by dots. Two leaves disagree when their addresses part at two elements of one array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Address = tuple[str | int, ...]
Leaf = tuple[Address, Any]


def reference_matches(pattern: dict[str, Any], document: Any) -> bool:
    found = list(leaves(document, ()))
    return any(holds(sorted(option.items()), found, []) for option in options(pattern, "", [{}]))


def options(
    pattern: dict[str, Any], prefix: str, before: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    for key, value in pattern.items():
        if key == "$or":
            before = [made for option in value for made in options(option, prefix, before)]
        elif isinstance(value, dict):
            before = options(value, f"{prefix}{key}.", before)
        else:
            before = [{**option, prefix + key: value} for option in before]
    return before


def leaves(value: Any, address: Address) -> Iterator[Leaf]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*address, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            # An array of plain values is no array of objects: its elements are at one place.
            is_plain = not isinstance(inner, dict | list)
            yield from leaves(inner, address if is_plain else (*address, index))
    else:
        yield address, value


def holds(conditions: Sequence[tuple[str, Any]], found: list[Leaf], chosen: list[Address]) -> bool:
    if not conditions:
        return True
    (name, rules), *others = conditions
    there = [
        leaf
        for leaf in found
        if ".".join(step for step in leaf[0] if isinstance(step, str)) == name
        and all(agree(leaf[0], address) for address in chosen)
    ]
    if not there and {"exists": False} in rules and holds(others, found, chosen):
        return True
    return any(
        holds(others, found, [*chosen, address])
        for address, value in there
        if any(accepts(rule, value) for rule in rules)
    )


def agree(one: Address, other: Address) -> bool:
    for left, right in zip(one, other, strict=False):
        if left != right:
            return isinstance(left, str) or isinstance(right, str)
    return True


def accepts(rule: Any, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match rule:
        case {"exists": present}:
            return bool(present)
        case {"prefix": str(text)}:
            return isinstance(value, str) and value.startswith(text)
        case {"anything-but": list(others)}:
            return not any(accepts(other, value) for other in others)
        case {"numeric": [">", low]}:
            return is_number and value > low
    return type(rule) is type(value) and rule == value
