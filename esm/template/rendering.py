"""A value of a template as text again, on one line, to be pasted elsewhere."""

from __future__ import annotations

import json
import re

from esm.template.nodes import Entries, Items, Node, Scalar, function_of

_PLAIN = re.compile(r"[A-Za-z0-9_./-][A-Za-z0-9_./:-]*(?<!:)")


def rendered(node: Node) -> str:
    """`!Ref Size`, `[a, b]`, `{Key: team}`."""
    function = function_of(node)
    if function is not None:
        return _short_form(*function)
    match node:
        case Scalar():
            return _scalar(node)
        case Items():
            return f"[{', '.join(rendered(item) for item in node.items)}]"
        case Entries():
            pairs = (f"{name}: {rendered(value)}" for name, value in node.entries.items())
            return f"{{{', '.join(pairs)}}}"


def _short_form(name: str, argument: Node) -> str:
    short = name.removeprefix("Fn::")
    match argument:
        case Items(items=(Scalar() as first, Scalar() as second)) if short == "GetAtt":
            return f"!GetAtt {first.raw}.{second.raw}"
        case _:
            return f"!{short} {rendered(argument)}"


def _scalar(node: Scalar) -> str:
    is_text = isinstance(node.value, str)
    if is_text and _PLAIN.fullmatch(node.raw) is None:
        return json.dumps(node.raw, ensure_ascii=False)
    return node.raw
