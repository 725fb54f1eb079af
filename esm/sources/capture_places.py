"""Where in a JSON text the value at a path lies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder(parse_int=str)  # int() has a limit on digits, JSON has none

JsonPath = tuple[str | int, ...]
"""Steps from the top of a document: keys of objects, indices of lists."""


def locate(text: str, path: JsonPath) -> int:
    """The offset of the value at a path of valid JSON, or of the last one on the way to it."""
    at = _after_space(text, 0)
    for step in path:
        found = _find_key(text, at, step) if isinstance(step, str) else _find_item(text, at, step)
        if found is None:
            break
        at = found
    return at


def _find_key(text: str, at: int, key: str) -> int | None:
    for name_at in _elements(text, at):
        name, end = _DECODER.raw_decode(text, name_at)
        value_at = _after_space(text, _after_space(text, end) + len(":"))
        if name == key:
            return value_at
    return None


def _find_item(text: str, at: int, index: int) -> int | None:
    return next(islice(_elements(text, at), index, None), None)


def _elements(text: str, at: int) -> Iterator[int]:
    """Where the items of a list or the names of an object start; `at` is its bracket."""
    is_object = text[at] == "{"
    at = _after_space(text, at + 1)
    while text[at] not in "]}":
        yield at
        _, at = _DECODER.raw_decode(text, at)
        if is_object:
            at = _after_space(text, _after_space(text, at) + len(":"))
            _, at = _DECODER.raw_decode(text, at)
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
