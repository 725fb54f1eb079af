"""YAML and JSON into nodes, from the parser's events: without recursion and within limits.

Scalars mean what they mean to SAM: YAML 1.1, except that dates stay text. An alias is the node
that it names, so sharing costs nothing; the limit counts what a template would be when expanded.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from esm.errors import Place, TemplateError
from esm.template import complaints
from esm.template.nodes import Entries, Items, Node, Plain, Scalar

_MAXIMUM_BYTES = 4 * 1024 * 1024
_MAXIMUM_NODES = 200_000
_MAXIMUM_DEPTH = 60
_MAXIMUM_DIGITS = 300

_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_SCALARS = {"bool", "float", "int", "merge", "null", "str", "timestamp", "value"}
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_FUNCTIONS = (
    *("And", "Base64", "Cidr", "Contains", "Equals", "FindInMap", "GetAZs", "GetAtt", "If"),
    *("GetStackOutput", "ImportValue", "Join", "Length", "Not", "Or", "Select", "Split", "Sub"),
    *("ToJsonString", "Transform"),
)
_SHORT_FORMS = {
    "!Ref": "Ref",
    "!Condition": "Condition",
    **{f"!{name}": f"Fn::{name}" for name in _FUNCTIONS},
}


def read_file(path: Path) -> Node:
    """The template in a file. Raises TemplateError E101 to E106."""
    place = Place(str(path))
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise complaints.UNREADABLE.at(
            place, f"the template cannot be read: {reason}", fix="--template-file template.yaml"
        ) from error
    if len(data) > _MAXIMUM_BYTES:
        raise complaints.TOO_LARGE.at(place, f"the template has more than {_MAXIMUM_BYTES} bytes")
    return read_text(text, str(path))


def read_text(text: str, file: str) -> Node:
    """The template in a text; `file` is what it is called in complaints."""
    if text.lstrip()[:1] == "{" and file.endswith(".json"):
        text = text.replace("\t", " ")  # YAML's flow style forbids what JSON takes between tokens
    composer = _Composer(file, _LINE_END.split(text))
    try:
        node = composer.compose(yaml.parse(text, Loader=_LOADER))
    except yaml.reader.ReaderError as error:
        raise _unreadable_character(error.character, text, file) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise complaints.NO_SYNTAX.at(
            composer.place(mark), str(error.problem or error.context)
        ) from error
    except yaml.YAMLError as error:
        raise complaints.NO_SYNTAX.at(Place(file), str(error)) from error
    except UnicodeError as error:
        raise complaints.UNREADABLE.at(Place(file), "the template is not UTF-8") from error
    if file.endswith(".json"):
        _check_json(text, file)
    return node


def _unreadable_character(character: int, text: str, file: str) -> TemplateError:
    """YAML takes no control characters, JSON neither."""
    place = _place_at(text.index(chr(character)), text, file)
    message = f"the character U+{character:04X} cannot stand in a template"
    return complaints.NO_SYNTAX.at(place, message, fix="remove the character")


def _check_json(text: str, file: str) -> None:
    """What YAML takes, and JSON does not: commas behind the last entry, comments, other quotes."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        before = text[: error.pos + 1].rstrip("]} \t\r\n")
        if before.endswith(","):
            place = _place_at(len(before) - 1, text, file)
            message = "a comma behind the last entry is no JSON"
            raise complaints.NO_JSON.at(place, message, fix="remove the comma") from error
        place = _place_at(error.pos, text, file)
        raise complaints.NO_JSON.at(place, f"this is no JSON: {error.msg}") from error


def _place_at(position: int, text: str, file: str) -> Place:
    """The place of a character."""
    ends = [match.end() for match in _LINE_END.finditer(text) if match.end() <= position]
    line_start = ends[-1] if ends else 0
    line = _LINE_END.split(text[line_start:], maxsplit=1)[0]
    return Place(file, len(ends) + 1, position - line_start + 1, line)


class Mark(Protocol):
    """A position as PyYAML gives it, counted from 0."""

    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def column(self) -> int: ...  # noqa: D102


@dataclass(slots=True)
class _Frame:
    """A list or map that is still being read; `size` counts its nodes, expanded."""

    event: yaml.CollectionStartEvent
    children: list[Node] = field(default_factory=list)
    merges: list[int] = field(default_factory=list)
    size: int = 1


class _Composer:
    def __init__(self, file: str, lines: Sequence[str]) -> None:
        self._file = file
        self._lines = lines
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._root: Node | None = None

    def place(self, mark: Mark | None) -> Place:
        if mark is None:
            return Place(self._file)
        text = self._lines[mark.line] if mark.line < len(self._lines) else None
        return Place(self._file, mark.line + 1, mark.column + 1, text)

    def compose(self, events: Iterable[yaml.Event]) -> Node:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._bad_node(event, "a second document begins here")
            self._take(event)
        if self._root is None:
            return Scalar(None, "", Place(self._file))
        return self._root

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._add(self._scalar(event), 1, event.anchor)
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    raise self._bad_node(event, f"*{event.anchor} is not defined before this")
                self._add(*self._anchors[event.anchor], None)
            case yaml.CollectionStartEvent():
                if len(self._frames) == _MAXIMUM_DEPTH:
                    raise complaints.TOO_LARGE.at(
                        self.place(event.start_mark),
                        f"the template is nested more than {_MAXIMUM_DEPTH} levels deep",
                    )
                self._frames.append(_Frame(event))
            case yaml.CollectionEndEvent():
                frame = self._frames.pop()
                self._add(self._collection(frame), frame.size, frame.event.anchor)

    def _add(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._frames:
            self._root = node
            return
        frame = self._frames[-1]
        frame.children.append(node)
        frame.size += size
        if frame.size > _MAXIMUM_NODES:
            raise complaints.TOO_LARGE.at(
                node.place, f"the template has more than {_MAXIMUM_NODES} values, aliases expanded"
            )

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        place = self.place(event.start_mark)
        tag = event.tag
        if tag is None or tag == "!":
            tag = _implied_tag(event)
        if tag == _MERGE and self._expects_key():
            self._frames[-1].merges.append(len(self._frames[-1].children))
        if tag.removeprefix(_TAG) in _SCALARS:
            return Scalar(_plain(tag, event.value, place), event.value, place)
        return self._tagged(tag, Scalar(event.value, event.value, place))

    def _expects_key(self) -> bool:
        frame = self._frames[-1] if self._frames else None
        return (
            frame is not None
            and isinstance(frame.event, yaml.MappingStartEvent)
            and len(frame.children) % 2 == 0
        )

    def _collection(self, frame: _Frame) -> Node:
        place = self.place(frame.event.start_mark)
        node: Node
        if isinstance(frame.event, yaml.SequenceStartEvent):
            node = Items(tuple(frame.children), place)
        else:
            node = _entries(frame, place)
        tag = frame.event.tag
        is_ordinary = tag is None or tag in ("!", _TAG + "map", _TAG + "seq")
        return node if is_ordinary else self._tagged(str(tag), node)

    def _tagged(self, tag: str, node: Node) -> Node:
        if tag not in _SHORT_FORMS:
            near = complaints.nearest(tag, _SHORT_FORMS)
            raise complaints.UNKNOWN_TAG.at(node.place, f"{tag} is no tag of a template", fix=near)
        name = _SHORT_FORMS[tag]
        return Entries({name: node}, {name: node.place}, node.place)

    def _bad_node(self, event: yaml.Event, message: str) -> TemplateError:
        return complaints.BAD_NODE.at(self.place(event.start_mark), message)


def _implied_tag(event: yaml.ScalarEvent) -> str:
    tag = _RESOLVER.resolve(  # type: ignore[no-untyped-call]
        yaml.ScalarNode, event.value, event.implicit
    )
    return str(tag)


def _plain(tag: str, text: str, place: Place) -> Plain:
    kind = tag.removeprefix(_TAG)
    if kind not in ("int", "float", "bool", "null"):
        return text
    if len(text) > _MAXIMUM_DIGITS:
        raise complaints.TOO_LARGE.at(place, f"a number of {len(text)} digits")
    node = yaml.ScalarNode(tag, text)
    try:
        match kind:
            case "int":
                return int(_CONSTRUCTOR.construct_yaml_int(node))
            case "float":
                return float(_CONSTRUCTOR.construct_yaml_float(node))
            case "bool":
                return bool(_CONSTRUCTOR.construct_yaml_bool(node))
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise complaints.BAD_NODE.at(place, f"{text!r} is not of the type {kind}") from error
    return None


def _entries(frame: _Frame, place: Place) -> Entries:
    entries: dict[str, Node] = {}
    keys: dict[str, Place] = {}
    merged: list[Node] = []
    for at in range(0, len(frame.children), 2):
        key, value = frame.children[at : at + 2]
        if at in frame.merges:
            merged += value.items if isinstance(value, Items) else (value,)
            continue
        if not isinstance(key, Scalar):
            raise complaints.BAD_NODE.at(key.place, "a key must be text")
        if key.raw in entries:
            raise complaints.twice(key.raw, keys[key.raw], key.place)
        entries[key.raw] = value
        keys[key.raw] = key.place
    return _with_merged(Entries(entries, keys, place), merged)


def _with_merged(own: Entries, merged: Sequence[Node]) -> Entries:
    """YAML's `<<`: what is written in the map itself wins, then the first that is merged in."""
    entries: Mapping[str, Node] = own.entries
    keys: Mapping[str, Place] = own.keys
    for other in merged:
        if not isinstance(other, Entries):
            raise complaints.BAD_NODE.at(other.place, "only maps can be merged with <<")
        entries = {**other.entries, **entries}
        keys = {**other.keys, **keys}
    return Entries(entries, keys, own.place)
