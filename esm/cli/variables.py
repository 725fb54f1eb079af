"""`--env-vars`: a function's variables from a file as SAM has it.

`Parameters` are for all functions; what stands under a function's name, by its logical id or by
its FunctionName, is stronger. SAM sets only those that the template has, we set all.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-using-invoke.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from esm.errors import InputError, Place

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_FOR_ALL = "Parameters"

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class VariablesFile:
    """A file of variables; one that stays in a configuration need not know every function."""

    path: str
    is_asked_for: bool


def variables_option(command: Command) -> Command:
    """Give a command `--env-vars`, whose value is a VariablesFile or None."""
    return click.option(
        "-n",
        "--env-vars",
        metavar="FILE",
        callback=_file,
        help="Its variables: JSON, as for SAM.",
    )(command)


def _file(ctx: click.Context, param: click.Parameter, value: str | None) -> VariablesFile | None:
    source = ctx.get_parameter_source(param.name or "")
    return None if value is None else VariablesFile(value, source is ParameterSource.COMMANDLINE)


def read_variables(
    file: VariablesFile | None, *names: str, fix: str | None = None
) -> dict[str, str]:
    """A function's variables, by its names, the strongest last.

    `fix` is for a file that was asked for and has none; without it, another name.
    """
    if file is None:
        return {}
    document = _read_object(file.path)
    found = [name for name in (_FOR_ALL, *names) if name in document]
    if not found and file.is_asked_for:
        known = ", ".join(document) or "none"
        raise InputError(
            "E484",
            f"no variables for {names[-1]}; functions of this file: {known}",
            place=Place(file.path),
            fix=fix or f"--function-name {next(iter(document), names[-1])}",
        )
    parts = [_variables(file.path, name, document[name]) for name in found]
    return {name: value for part in parts for name, value in part.items()}


def _read_object(file: str) -> dict[str, Any]:
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
        document = json.loads(text)
    except json.JSONDecodeError as error:
        line = text.split("\n")[error.lineno - 1]  # as json counts them
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
