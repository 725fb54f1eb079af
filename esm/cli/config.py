"""`[tool.esm]` of ./pyproject.toml: options of commands, as TOML. A flag or `ESM_*` is stronger."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import click

from esm.errors import Place, SettingsError

_FILE = Path("pyproject.toml")


def read_config(command: click.Command) -> dict[str, Any]:
    """A command's defaults by parameter name, from the folder it is called in."""
    table = _read_table()
    parameters = {_key(opt): p for p in command.params for opt in p.opts}
    unknown = next((key for key in table if key not in parameters), None)
    if unknown is not None:
        close = difflib.get_close_matches(unknown, parameters, n=1)
        raise SettingsError(
            "E262",
            f"[tool.esm] has {unknown!r}, which is no option",
            place=Place(str(_FILE)),
            fix=f"{close[0]} = …" if close else f"remove {unknown}",
        )
    return {parameters[key].name or "": _as_typed(parameters[key], table[key]) for key in table}


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
    if not _FILE.is_file():
        return {}
    import tomllib

    try:
        document = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            "E263", f"cannot be read: {error}", place=Place(str(_FILE)), why="[tool.esm] is in it"
        ) from None
    table = document.get("tool", {}).get("esm", {})
    if not isinstance(table, dict):
        raise SettingsError("E263", "[tool.esm] is no table", place=Place(str(_FILE)))
    return table
