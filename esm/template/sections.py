"""The sections of a template, and the resources with their logical ids.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from esm.errors import Place
from esm.template import complaints
from esm.template.nodes import Entries, Items, Node, Scalar, function_of, is_null

_NOTHING: Mapping[str, Node] = {}


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource as it is written: `node` has its properties, `place` is that of its logical id."""

    logical_id: str
    type: str
    properties: Mapping[str, Node]
    node: Entries | None
    metadata: Mapping[str, Node]
    condition: Scalar | None
    place: Place
    macro: Scalar | None = None
    """The macro that would add properties in a deployment."""


@dataclass(frozen=True, slots=True)
class Sections:
    """What is read of a template; `macros` are those that only a deployment runs."""

    parameters: Mapping[str, Node]
    conditions: Mapping[str, Node]
    mappings: Mapping[str, Node]
    function_globals: Mapping[str, Node]
    resources: Mapping[str, Declared]
    transforms: tuple[Scalar, ...]
    macros: tuple[Scalar, ...]
    place: Place


def sections_of(root: Node) -> Sections:
    """The sections of a template. Raises TemplateError E107 where its outline is wrong."""
    top = entries_of(root, "a template")
    if "Resources" not in top:
        raise complaints.WRONG_SHAPE.at(
            root.place, "there are no Resources, so this is no template", fix="Resources: {…}"
        )
    section = {name: entries_of(node, name) for name, node in top.items() if name in _READ}
    resources = top["Resources"]
    if is_null(resources):
        raise complaints.WRONG_SHAPE.at(
            resources.place, "there is nothing in Resources", fix="Resources: {…}"
        )
    keys = resources.keys if isinstance(resources, Entries) else {}
    transforms = _macro_names(top["Transform"]) if "Transform" in top else ()
    macros = _macro_names(section["Resources"][_MACRO]) if _MACRO in keys else ()
    return Sections(
        parameters=section.get("Parameters", _NOTHING),
        conditions=section.get("Conditions", _NOTHING),
        mappings=section.get("Mappings", _NOTHING),
        function_globals=_optional(section.get("Globals", _NOTHING), "Function"),
        resources={
            name: _declared(name, node, keys[name])
            for name, node in section["Resources"].items()
            if not name.startswith("Fn::")  # loops that were refused, and macros
        },
        transforms=transforms,
        macros=tuple(name for name in (*transforms, *macros) if name.raw not in _RUN_HERE),
        place=root.place,
    )


_READ = {"Parameters", "Conditions", "Mappings", "Globals", "Resources"}
_MACRO = "Fn::Transform"
EXTENSIONS = "AWS::LanguageExtensions"
_RUN_HERE = {"AWS::Serverless-2016-10-31", EXTENSIONS}


def _macro_names(node: Node) -> tuple[Scalar, ...]:
    """The names in a list of macros, each with parameters or without."""
    match node:
        case Scalar():
            return (node,)
        case Items(items=items):
            return tuple(name for item in items for name in _macro_names(item))
        case Entries(entries={"Name": Scalar() as name}):
            return (name,)
    return ()


def entries_of(node: Node, what: str) -> Mapping[str, Node]:
    """The entries of a map; nothing written there is an empty one."""
    if is_null(node):
        return _NOTHING
    if not isinstance(node, Entries):
        raise complaints.WRONG_SHAPE.at(node.place, f"{what} must be a map, not {kind_of(node)}")
    return node.entries


def kind_of(node: Node) -> str:
    """How a user would call what stands there."""
    match node:
        case Scalar():
            return repr(node.raw[:40])
        case Items():
            return "a list"
        case Entries():
            return "a map"


def merged(base: Mapping[str, Node], own: Mapping[str, Node]) -> dict[str, Node]:
    """SAM's Globals below a resource's own properties: maps are joined, lists appended."""
    both = base.keys() & own.keys()
    return {**base, **own, **{name: _joined(base[name], own[name]) for name in both}}


def _joined(base: Node, own: Node) -> Node:
    match base, own:
        case Entries(), Entries() if not (function_of(base) or function_of(own)):
            keys = {**base.keys, **own.keys}
            return Entries(merged(base.entries, own.entries), keys, own.place)
        case Items(), Items():
            return Items((*base.items, *own.items), own.place)
        case _:
            return own


def _declared(logical_id: str, resource: Node, place: Place) -> Declared:
    entries = entries_of(resource, logical_id)
    kind = entries.get("Type")
    if not isinstance(kind, Scalar) or not isinstance(kind.value, str):
        raise complaints.WRONG_SHAPE.at(
            place, f"{logical_id} needs a Type", fix="Type: AWS::Serverless::Function"
        )
    condition = entries.get("Condition")
    if condition is not None and not isinstance(condition, Scalar):
        raise complaints.WRONG_SHAPE.at(condition.place, "Condition must be a condition's name")
    node = entries.get("Properties")
    properties = _optional(entries, "Properties")
    macros = _macro_names(properties[_MACRO]) if _MACRO in properties else ()
    return Declared(
        logical_id,
        kind.value,
        {name: entry for name, entry in properties.items() if name != _MACRO},
        node if isinstance(node, Entries) else None,
        _metadata(entries),
        condition,
        place,
        next(iter(macros), None),
    )


def _optional(entries: Mapping[str, Node], name: str) -> Mapping[str, Node]:
    return entries_of(entries[name], name) if name in entries else _NOTHING


def _metadata(entries: Mapping[str, Node]) -> Mapping[str, Node]:
    metadata = entries.get("Metadata")
    return metadata.entries if isinstance(metadata, Entries) else _NOTHING
