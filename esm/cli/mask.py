"""Hides values that must not be shown: of variables, and of parameters that have NoEcho."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from esm.errors import EsmError

# Values of fewer characters hide nothing, and would be found everywhere.
_SHORTEST_SECRET = 4
# A value of so many is no part of another word by chance.
_LONG_SECRET = 12
_MASK = "****"

Mistake = TypeVar("Mistake", bound=EsmError)


class Mask:
    """Hides values in whatever a run shows: short ones where they stand as whole words."""

    def __init__(self, values: Iterable[str], shown: Iterable[str] = ()) -> None:
        """`shown` are values that stand on the command line anyway."""
        secrets = {v for v in values if len(v) >= _SHORTEST_SECRET} - set(shown)
        forms = {form for value in secrets for form in _forms(value)}
        longest_first = sorted(forms, key=lambda value: (-len(value), value))
        words = "|".join(map(_pattern, longest_first))
        self._words = re.compile(words) if words else None

    def text(self, text: str) -> str:
        """A text without the values."""
        return self._words.sub(_MASK, text) if self._words else text

    def json(self, value: Any) -> Any:
        """A JSON value with the values hidden in all of its texts, names aside."""
        if self._words is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self.json(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(inner) for inner in value]
        return value

    def error(self, error: Mistake) -> Mistake:
        """The same complaint without the values; a quoted line keeps its length for the caret."""
        shown = copy.copy(error)
        shown.message = self.text(error.message)
        shown.detail = None if error.detail is None else self.text(error.detail)
        shown.why = None if error.why is None else self.text(error.why)
        shown.fix = None if error.fix is None else self.text(error.fix)
        if error.place is not None and error.place.text is not None and self._words is not None:
            line = self._words.sub(lambda match: "*" * len(match[0]), error.place.text)
            shown.place = replace(error.place, text=line)
        return shown

    @contextmanager
    def on_errors(self) -> Iterator[None]:
        """Hide the values in whatever mistake is raised inside."""
        try:
            yield
        except EsmError as error:
            raise self.error(error).with_traceback(error.__traceback__) from error.__cause__


def _forms(value: str) -> set[str]:
    """A value as it is, and between quotes: in Python, and in JSON."""
    quoted = (repr(value), json.dumps(value), json.dumps(value, ensure_ascii=False))
    return {value, *(text[1:-1] for text in quoted)}


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= _LONG_SECRET else rf"(?<!\w){escaped}(?!\w)"
