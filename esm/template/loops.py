"""`Fn::ForEach`: a loop is written out before anything else is read.

In the body, `${Name}` stands for the value, `&{Name}` for its letters and digits alone, and a `Ref`
of the name is the value. Loops stand in Resources, in what is inside them, and in Conditions.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.intrinsics import malformed
from esm.template.nodes import Entries, Items, Node, Scalar

LOOP = "Fn::ForEach::"
_SECTIONS = ("Conditions", "Resources")
_MAXIMUM_NODES = 200_000
_NAME = re.compile(r"([$&])\{(\w+)\}")
_EXAMPLE = 'Fn::ForEach::Streams: [Name, [Orders, Clicks], {"${Name}": {…}}]'


def without_loops(
    root: Node, values_of: Callable[[Node], list[str]]
) -> tuple[Node, list[TemplateError]]:
    """The template with its loops written out, and what is wrong with them.

    `values_of` gives what a loop goes through, or raises TemplateError. A template without loops
    stays the node that it is.
    """
    if not isinstance(root, Entries):
        return root, []
    loops = _Loops(values_of, root.place)
    sections = {
        name: loops.section(node) if name in _SECTIONS else node
        for name, node in root.entries.items()
    }
    is_changed = any(sections[name] is not node for name, node in root.entries.items())
    return (replace(root, entries=sections) if is_changed else root), loops.problems


_Pair = tuple[str, Node, Place]
_Made = TypeVar("_Made")
_Names = Mapping[str, str]
_NO_NAMES: _Names = {}


@dataclass(slots=True)
class _Loops:
    """Copies what has to change; `made` counts it, for loops in loops grow without end."""

    values_of: Callable[[Node], list[str]]
    place: Place
    problems: list[TemplateError] = field(default_factory=list)
    made: int = 0
    depth: int = 0

    def section(self, node: Node) -> Node:
        """A section, of which a loop that is wrong is left out."""
        if not isinstance(node, Entries) or not _has_loops(node):
            return node
        whole = self._entries(node, _NO_NAMES)
        left = [name for name in whole.entries if name.startswith(LOOP)]
        if not left:
            return whole
        return replace(whole, entries={n: e for n, e in whole.entries.items() if n not in left})

    def _node(self, node: Node, names: _Names) -> Node:
        match node:
            case Scalar():
                return _substituted(node, names)
            case Items():
                items = tuple(self._node(item, names) for item in node.items)
                is_same = all(new is old for new, old in zip(items, node.items, strict=True))
                return node if is_same else Items(self._counted(items), node.place)
            case Entries(entries={"Ref": Scalar() as name}) if name.raw in names:
                return Scalar(names[name.raw], names[name.raw], name.place)
            case Entries():
                self.depth += 1
                try:
                    return self._entries(node, names)
                finally:
                    self.depth -= 1

    def _entries(self, node: Entries, names: _Names) -> Entries:
        pairs = tuple(p for name in node.entries for p in self._pairs(name, node, names))
        if len(pairs) == len(node.entries) and all(
            new_name == name and new is old
            for (new_name, new, _), (name, old) in zip(pairs, node.entries.items(), strict=True)
        ):
            return node
        entries: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for name, new, place in self._counted(pairs):
            if name in entries:
                self.problems.append(complaints.twice(name, keys[name], place))
            else:
                entries[name], keys[name] = new, place
        return Entries(entries, keys, node.place)

    def _pairs(self, name: str, node: Entries, names: _Names) -> Iterator[_Pair]:
        """An entry, or those that a loop makes; a loop that is wrong stays as it is."""
        entry, place = node.entries[name], node.keys[name]
        if not name.startswith(LOOP):
            yield _text(name, names), self._node(entry, names), place
            return
        try:
            yield from list(self._rounds(name, entry, place, names))
        except TemplateError as error:
            if error.esm_code == complaints.TOO_COMPLEX.esm_code:
                raise
            # Within a resource, what only a deployment knows harms nobody but who reads it.
            if self.depth == 0 or complaints.is_certain(error):
                self.problems.append(error)
            yield name, entry, place

    def _rounds(self, name: str, loop: Node, place: Place, names: _Names) -> Iterator[_Pair]:
        match loop:
            case Items(items=(Scalar(value=str()) as variable, collection, Entries() as body)):
                values = self.values_of(self._node(collection, names))
            case _:
                raise malformed(name, loop, _EXAMPLE)
        for value in values:
            inner = {**names, variable.raw: value}
            for written in self._counted(tuple(body.entries)):
                yield from self._pairs(written, body, inner)

    def _counted(self, made: tuple[_Made, ...]) -> tuple[_Made, ...]:
        self.made += len(made) + 1
        if self.made > _MAXIMUM_NODES:
            raise complaints.TOO_COMPLEX.at(
                self.place, f"the loops make more than {_MAXIMUM_NODES} values"
            )
        return made


def _has_loops(root: Node) -> bool:
    nodes = [root]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Entries):
            if any(name.startswith(LOOP) for name in node.entries):
                return True
            nodes += node.entries.values()
        elif isinstance(node, Items):
            nodes += node.items
    return False


def _substituted(node: Scalar, names: _Names) -> Scalar:
    if not names or not isinstance(node.value, str):
        return node
    text = _text(node.raw, names)
    return node if text == node.raw else Scalar(text, text, node.place)


def _text(text: str, names: _Names) -> str:
    def value(match: re.Match[str]) -> str:
        sign, name = match.groups()
        if name not in names:
            return match[0]
        return names[name] if sign == "$" else "".join(filter(str.isalnum, names[name]))

    return _NAME.sub(value, text) if names else text
