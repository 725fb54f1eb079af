"""What a handler finds around it on a command line: no way to AWS, and its own variables.

What it prints goes to stderr, because stdout is the command's answer.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from esm.embedded.surroundings import (
    DUMMY_KEYS,
    NO_FILES,
    NO_METADATA,
    OTHER_CREDENTIALS,
    REGION_NAMES,
)
from esm.errors import InputError, Place

# Values of fewer characters hide nothing, and would be found everywhere.
_SHORTEST_SECRET = 4
_MASK = "****"
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")


@contextmanager
def offline(region: str, variables: Mapping[str, str]) -> Iterator[None]:
    """Dummy credentials, a region, and the function's variables; all undone at the end."""
    before = dict(os.environ)
    for name in OTHER_CREDENTIALS:
        os.environ.pop(name, None)
    os.environ.update(DUMMY_KEYS | NO_FILES | NO_METADATA | dict.fromkeys(REGION_NAMES, region))
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def handlers_print_to_stderr() -> Iterator[None]:
    """Send stdout to stderr, also what child processes of a handler write there."""
    sys.stdout.flush()
    with redirect_stdout(sys.stderr), _stdout_descriptor_is_stderr():
        yield


@contextmanager
def _stdout_descriptor_is_stderr() -> Iterator[None]:
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def read_variables(file: str, function_name: str, fix: str | None = None) -> dict[str, str]:
    """A function's variables from a file as SAM has it: under its name, or under Parameters.

    `fix` is for a file with neither; without it, another name for the function.
    """
    document = _read_object(file)
    for name in (function_name, "Parameters"):
        if name in document:
            return _variables(file, name, document[name])
    known = ", ".join(document) or "none"
    raise InputError(
        "E484",
        f"no variables for {function_name}; functions of this file: {known}",
        place=Place(file),
        fix=fix or f"--function-name {next(iter(document), function_name)}",
    )


def _read_object(file: str) -> dict[str, Any]:
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
        document = json.loads(text)
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1] if text else ""
        raise InputError(
            "E483",
            f"not JSON: {error.msg[0].lower()}{error.msg[1:]}",
            # The line itself is not shown: it may hold a secret.
            place=Place(file, error.lineno, min(error.colno, len(line) + 1)),
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError("E483", f"cannot be read: {reason}", place=Place(file)) from None
    if not isinstance(document, dict):
        raise InputError(
            "E484",
            "variables must be an object",
            place=Place(file),
            fix='{"Parameters": {"NAME": "value"}}',
        )
    return document


def _variables(file: str, name: str, values: object) -> dict[str, str]:
    if not isinstance(values, dict):
        raise InputError(
            "E484",
            f'"{name}" must be an object',
            place=Place(file),
            fix=f'{{"{name}": {{"NAME": "value"}}}}',
        )
    return {variable: _text(file, variable, value) for variable, value in values.items()}


def _text(file: str, variable: str, value: object) -> str:
    """Text as it is; numbers, true and false as SAM writes them."""
    if not _NAME.fullmatch(variable):
        raise InputError(
            "E484",
            f"{variable!r} is no name of a variable",
            place=Place(file),
            why="AWS takes two or more letters, digits and underscores, a letter first",
        )
    if isinstance(value, str) and "\0" not in value:
        return value
    if isinstance(value, int | float):
        return json.dumps(value)
    raise InputError("E484", f"{variable} must be text, a number, true or false", place=Place(file))


class Mask:
    """Hides values, where they stand as whole words, in whatever a run shows."""

    def __init__(self, values: Iterable[str], shown: Iterable[str] = ()) -> None:
        """`shown` are values that stand on the command line anyway."""
        secrets = {v for v in values if len(v) >= _SHORTEST_SECRET} - set(shown)
        longest_first = sorted(secrets, key=lambda value: (-len(value), value))
        words = "|".join(map(re.escape, longest_first))
        self._words = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None

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
