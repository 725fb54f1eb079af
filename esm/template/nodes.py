"""A template's text as a tree in which every value knows where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from esm.errors import Place

Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `raw` is its text as written."""

    value: Plain
    raw: str
    place: Place


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Entries:
    """A map; `keys` says where each key stands."""

    entries: Mapping[str, Node]
    keys: Mapping[str, Place]
    place: Place


Node = Scalar | Items | Entries


def function_of(node: Node) -> tuple[str, Node] | None:
    """Name and argument of an intrinsic function, in its long form: `Ref`, `Fn::Sub`, …"""
    if not isinstance(node, Entries) or len(node.entries) != 1:
        return None
    [(name, argument)] = node.entries.items()
    return (name, argument) if name == "Ref" or name.startswith("Fn::") else None


def plain(node: Node) -> object:
    """A node as a template in JSON has it, with its intrinsic functions."""
    match node:
        case Entries(entries={"Fn::GetAtt": Scalar() as name}):
            return {"Fn::GetAtt": name.raw.split(".", 1)}
        case Scalar():
            return node.value
        case Items():
            return [plain(item) for item in node.items]
        case Entries():
            return {name: plain(entry) for name, entry in node.entries.items()}


def is_null(node: Node) -> bool:
    """Whether nothing is written there."""
    return isinstance(node, Scalar) and node.value is None


def descend(node: Node, path: tuple[str | int, ...]) -> Node:
    """The node at a path, or the last one on the way to it."""
    for step in path:
        match node, step:
            case Entries(entries=entries), str() if step in entries:
                node = entries[step]
            case Items(items=items), int() if step < len(items):
                node = items[step]
            case _:
                break
    return node
