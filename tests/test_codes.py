"""Codes are for life: each means one thing, and stands in docs/errors.md."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = re.compile(r"[EW]\d{3}")
ROW = re.compile(r"^\| ([EW]\d{3}) \| (.+) \| (.+) \|$", re.MULTILINE)

# A code stands in one function, or in one table at the top of a module; these mean one thing in
# several functions.
SEVERAL_PLACES = {
    "E154": "the template has no function of this name: to invoke, to send a mapping's records to",
    "E290": "not emulated: a property of a mapping; a mapping or a capture of another source",
    "E301": "a handler's name that leads nowhere: its form, its module",
    "E414": "a shard must be named: to split, to ask for a checkpoint",
    "E422": "no JSON: in a line, in a whole file, in the payload inside it",
    "E423": "JSON, but no capture",
    "E424": "a capture with a wrong value, by kind of value",
    "E426": "captures of different streams together: of two services, of two ARNs",
    "E430": "this Harness has it already: a place by its name, a template with other parameters",
    "E480": "a wrong command line: what click finds, what a function cannot have",
    "E484": "a file of variables of the wrong form, by depth",
    "E486": "a trace that cannot be written, said before the run or after it",
    "E501": "a way to AWS: a call of boto3, a request of another library",
    "E502": "the embedded service knows the operation, or a parameter, but does not do it",
}


def codes_of(tree: ast.AST, place: str = "") -> Iterator[tuple[str, str]]:
    """Each code that stands in a text of its own, with the function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from codes_of(node, f"{place}.{node.name}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if CODE.fullmatch(node.value):
                yield node.value, place
        elif not isinstance(node, ast.Compare):  # asks for a code, gives it no meaning
            yield from codes_of(node, place)


def places() -> dict[str, set[str]]:
    """Every code of the package, with its places."""
    found = defaultdict(set)
    for module in sorted((ROOT / "esm").rglob("*.py")):
        name = module.relative_to(ROOT / "esm").as_posix()
        for code, place in codes_of(ast.parse(module.read_text(encoding="utf-8")), name):
            found[code].add(place)
    return found


def documented() -> list[str]:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    return [code for code, _, _ in ROW.findall(page)]


def test_a_code_has_one_place():
    several = {code for code, where in places().items() if len(where) > 1}
    assert several == SEVERAL_PLACES.keys()


def test_every_code_is_documented_and_nothing_else_is():
    assert sorted(documented()) == sorted(places())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("raise InputError('E999', 'E998 is no code')", [("E999", "")]),
        ("T = {'a': Refusal('E999', None), 'b': Refusal('E999', None)}", [("E999", "")] * 2),
        ("def f():\n    raise E('W001')", [("W001", ".f")]),
        ("if error.esm_code == 'E998':\n    f('E999')", [("E999", "")]),
        ("class C:\n    def f(self):\n        return {'E999': 1}", [("E999", ".C.f")]),
    ],
)
def test_codes_are_seen_wherever_they_stand(source: str, found: list[tuple[str, str]]):
    assert list(codes_of(ast.parse(source))) == found
