"""The layers of a function: folders where the template makes them, else only names.

https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from esm.errors import TemplateError
from esm.template.nodes import Entries, Items, Node, Scalar, function_of
from esm.template.rendering import rendered
from esm.template.resolving import Resolver
from esm.template.sections import Declared

_CONTENTS = {
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Lambda::LayerVersion": "Content",
}
_ASSET = "aws:asset:path"  # what the CDK names beside a layer
_ON_THE_PATH = "python"  # of what a layer holds


@dataclass(frozen=True, slots=True)
class Layers:
    """`folders` in the order in which they are searched; `elsewhere` as the template names them."""

    folders: tuple[Path, ...] = ()
    elsewhere: tuple[str, ...] = ()


def layers_of(
    node: Node | None, resources: Mapping[str, Declared], resolver: Resolver, folder: Path
) -> Layers:
    """What `Layers` lists; paths are from the template's folder."""
    folders: list[Path] = []
    elsewhere: list[str] = []
    for item in _items(node, resolver):
        found = _folder(item, resources, resolver, folder)
        if found is None:
            elsewhere.append(rendered(item))
        else:
            folders.append(found)
    # All are unpacked into one folder, where a later one replaces files of those before.
    return Layers(tuple(reversed(folders)), tuple(elsewhere))


def _items(node: Node | None, resolver: Resolver) -> list[Node]:
    """The layers that conditions leave; what is wrong with the list keeps no function back."""
    try:
        chosen = None if node is None else resolver.chosen(node)
        items = chosen.items if isinstance(chosen, Items) else ()
        return [each for each in map(resolver.chosen, items) if _is_there(each)]
    except TemplateError:
        return []


def _is_there(node: Node) -> bool:
    match function_of(node):
        case ("Ref", Scalar(raw="AWS::NoValue")):
            return False
        case None:
            return isinstance(node, Scalar) and node.value is not None
    return True


def _folder(
    item: Node, resources: Mapping[str, Declared], resolver: Resolver, folder: Path
) -> Path | None:
    """Where the modules of a layer are that the template makes from a folder."""
    match item:
        case Entries(entries={"Ref": Scalar(raw=name)}) if name in resources:
            layer = resources[name]
        case _:
            return None
    content = layer.metadata.get(_ASSET) or layer.properties.get(_CONTENTS.get(layer.type, ""))
    if not isinstance(content, Scalar) or "\0" in content.raw:
        return None
    root = folder / resolver.text(content)
    modules = root / _ON_THE_PATH
    return next((path for path in (modules, root) if path.is_dir()), None)
