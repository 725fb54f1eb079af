"""A file of options in YAML, by the reader that templates have: limited, and with places."""

from __future__ import annotations

from pathlib import Path

from esm.template.nodes import Entries, Items, Node, Scalar
from esm.template.reading import read_file


def read_yaml(path: Path) -> object:
    """What the file says, as JSON would; raises TemplateError, as for a template."""
    return _plain(read_file(path))


def _plain(node: Node) -> object:
    match node:
        case Scalar():
            return node.value
        case Items():
            return [_plain(item) for item in node.items]
        case Entries():
            return {name: _plain(entry) for name, entry in node.entries.items()}
