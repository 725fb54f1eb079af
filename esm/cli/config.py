"""Options of commands in files of the current folder; a flag or `ESM_*` is stronger.

`[tool.esm]` of pyproject.toml has any of them. What it does not say, samconfig.toml may, as far as
the options are SAM's: of its environment `default`, what belongs to all commands, then to deploy.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from esm.errors import Place, SettingsError

_FILE = Path("pyproject.toml")
_SAM_FILE = Path("samconfig.toml")
_SAM_OPTIONS = ("template_file", "parameter_overrides", "env_vars", "region", "profile")
_SAM_COMMANDS = ("global", "deploy")  # the later one is stronger


def read_config(
    command: click.Command, others: Callable[[], Iterable[click.Command]]
) -> dict[str, Any]:
    """A command's defaults by parameter name, from the folder it is called in.

    An option of one of the `others` is no mistake; they are only asked for when it matters.
    """
    table = _read_table()
    unknown = table.keys() - _parameters(command).keys()
    if unknown:
        _refuse_unknown(table, {key for other in others() for key in _parameters(other)})
    return _defaults(command, _read_sam_table() | table)


def _defaults(command: click.Command, table: dict[str, Any]) -> dict[str, Any]:
    if isinstance(command, click.Group):
        return {name: _defaults(inner, table) for name, inner in command.commands.items()}
    parameters = _parameters(command)
    return {
        parameters[key].name or "": _as_typed(parameters[key], value)
        for key, value in table.items()
        if key in parameters
    }


def _parameters(command: click.Command) -> dict[str, click.Parameter]:
    """By the words of the command line, those of commands within it too."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    own = {_key(opt): param for param in command.params for opt in param.opts}
    return {key: param for each in inner for key, param in _parameters(each).items()} | own


def _refuse_unknown(table: dict[str, Any], known: set[str]) -> None:
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        close = difflib.get_close_matches(unknown, sorted(known), n=1)
        raise SettingsError(
            "E262",
            f"[tool.esm] has {unknown!r}, which is no option",
            place=Place(str(_FILE)),
            fix=f"{close[0]} = …" if close else f"remove {unknown}",
        )


def _as_typed(parameter: click.Parameter, value: object) -> object:
    """A value as it would stand on the command line, where all is text."""
    if parameter.multiple:
        items = (
            [f"{name}={item}" for name, item in value.items()] if isinstance(value, dict) else value
        )
        return list(map(str, items)) if isinstance(items, list) else [str(items)]
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, bool) else str(value)


def _key(option: str) -> str:
    return option.lstrip("-")


def _read_table() -> dict[str, Any]:
    table = _section(_read(_FILE, "[tool.esm] is in it"), "tool", "esm")
    if table is None:
        raise _bad_file(_FILE, "[tool.esm] is no table", None)
    return table


def _read_sam_table() -> dict[str, Any]:
    """SAM's options under the words of our command line; sections of another form are SAM's own."""
    document = _read(_SAM_FILE, "what it says of SAM's options holds here, too")
    found: dict[str, Any] = {}
    for command in _SAM_COMMANDS:
        found |= _section(document, "default", command, "parameters") or {}
    return {name.replace("_", "-"): found[name] for name in _SAM_OPTIONS if name in found}


def _section(document: dict[str, Any], *names: str) -> dict[str, Any] | None:
    """A table within tables, empty where there is none; None where something else is there."""
    for name in names:
        inner = document.get(name, {})
        if not isinstance(inner, dict):
            return None
        document = inner
    return document


def _read(file: Path, why: str) -> dict[str, Any]:
    if not file.is_file():
        return {}
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _bad_file(file, f"cannot be read: {error}", why) from None


def _bad_file(file: Path, message: str, why: str | None) -> SettingsError:
    return SettingsError("E263", message, place=Place(str(file)), why=why)
