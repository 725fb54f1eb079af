"""Options of commands in the environment and in files of the current folder; flags are stronger.

From the strongest: `ESM_COMMAND_OPTION`, `ESM_OPTION`, `[tool.esm.COMMAND]` and `[tool.esm]` of
pyproject.toml, and samconfig.toml as far as the options are SAM's. What names no command is for
every command that has the option and can take the value.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from esm.cli.samconfig import bad_file, read_document, read_samconfig, samconfig_path, section
from esm.errors import EsmError, Place, SettingsError

_FILE = Path("pyproject.toml")
_PREFIX = "ESM_"
FROM_SAMCONFIG = "esm.from_samconfig"
"""Under this, a context's `meta` has SAM's file by the parameters whose values are from there."""

Options = Mapping[str, click.Option]
"""A command's options by the word of the command line, without hyphens before it."""


def read_config(
    context: click.Context, command: click.Command, given: Mapping[str, object]
) -> dict[str, Any]:
    """A command's defaults by parameter name, where flags have `given` nothing else.

    Raises SettingsError E262 for what is no option, E263 for a file that cannot be read.
    """
    name = _name_of(context)
    commands = _Commands(context)
    table = _checked(_read_table(), commands)
    reader = _Reader(name, options_of(command), commands, table)
    found = reader.values()
    if "config_env" not in {option.name for option in reader.options.values()}:
        return found
    file, environment = (
        _text(given.get(option)) or _text(found.get(option))
        for option in ("config_file", "config_env")
    )
    sams = reader.typed(read_samconfig(name, file, environment))
    context.meta[FROM_SAMCONFIG] = {
        option: str(samconfig_path(file)) for option in sams.keys() - found.keys()
    }
    return sams | found


def options_of(command: click.Command) -> dict[str, click.Option]:
    """The long options, those of commands within it too."""
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    own = {
        word.removeprefix("--"): param
        for param in command.params
        if isinstance(param, click.Option)
        for word in param.opts
        if word.startswith("--")
    }
    return {word: option for each in inner for word, option in options_of(each).items()} | own


class _Commands:
    """All commands, which are only imported when it matters what they have."""

    def __init__(self, context: click.Context) -> None:
        self._context = context.find_root()

    @cached_property
    def options(self) -> dict[str, Options]:
        """The options of each command."""
        group = self._context.command
        if not isinstance(group, click.Group):
            return {}
        found = {
            name: group.get_command(self._context, name)
            for name in group.list_commands(self._context)
        }
        return {name: options_of(command) for name, command in found.items() if command}

    def having(self, word: str) -> dict[str, click.Option]:
        """The commands that have an option."""
        return {name: options[word] for name, options in self.options.items() if word in options}

    def that_differ(self, word: str) -> list[str]:
        """Two commands in which an option is not the same thing, if there are any."""
        kinds = {(o.is_flag, o.multiple): name for name, o in self.having(word).items()}
        return list(kinds.values()) if len(kinds) > 1 else []


@dataclass(frozen=True, slots=True)
class _Reader:
    """What one command takes of everything that is said."""

    name: str
    options: Options
    commands: _Commands
    table: dict[str, Any]

    def values(self) -> dict[str, Any]:
        """The strongest value of each option that has one, by the parameter's name."""
        return {
            option.name or "": value
            for word, option in self.options.items()
            if (value := self._value(word, option)) is not None
        }

    def typed(self, values: Mapping[str, object]) -> dict[str, Any]:
        """Values by words of the command line, of options that the command has."""
        return {
            self.options[word].name or "": _as_typed(self.options[word], value)
            for word, value in values.items()
            if word in self.options
        }

    def _value(self, word: str, option: click.Option) -> object:
        own, shared = f"{self.name}-{word}" if self.name else word, word
        if text := os.environ.get(_variable(own)):
            return _split(option, text)
        if text := os.environ.get(_variable(shared)):
            self._refuse_ambiguous(word)
            value = _split(option, text)
            if self._is_ours(word, option, value):
                return value
        ours = self.table.get(self.name)
        if isinstance(ours, dict) and word in ours:
            return _as_typed(option, ours[word])
        if word in self.table:
            value = _as_typed(option, self.table[word])
            if self._is_ours(word, option, value):
                return value
        return None

    def _is_ours(self, word: str, option: click.Option, value: object) -> bool:
        """A value that only another command can take is meant for that one."""
        others = self.commands.having(word).values()
        return _takes(option, value) or not any(_takes(other, value) for other in others)

    def _refuse_ambiguous(self, word: str) -> None:
        differing = self.commands.that_differ(word)
        if differing:
            first, second = differing[:2]
            raise _no_option(
                f"{_variable(word)} is one thing for {first} and another for {second}",
                fix=f"{_variable(f'{self.name}-{word}')}=…",
            )


def _checked(table: dict[str, Any], commands: _Commands) -> dict[str, Any]:
    """The table, in which everything has to be some command's."""
    for key, value in table.items():
        if key in commands.options:
            if not isinstance(value, dict):
                raise bad_file(_FILE, f"[tool.esm.{key}] is no table")
            _refuse_unknown(f"tool.esm.{key}", value, commands.options[key])
        elif differing := commands.that_differ(key):
            first, second = differing[:2]
            message = f"[tool.esm] has {key!r}, one thing for {first} and another for {second}"
            raise _no_option(message, place=Place(str(_FILE)), fix=f"{first}.{key} = …")
        elif isinstance(value, dict) and not commands.having(key):
            near = _nearest(key, commands.options)
            fix = f"[tool.esm.{near}]" if near else f"remove [tool.esm.{key}]"
            message = f"[tool.esm.{key}] is for no command"
            raise _no_option(message, place=Place(str(_FILE)), fix=fix)
        else:
            known = {word for options in commands.options.values() for word in options}
            _refuse_unknown("tool.esm", {key: value}, known)
    return table


def _refuse_unknown(name: str, table: Iterable[str], known: Iterable[str]) -> None:
    known = set(known)
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        near = _nearest(unknown, known)
        fix = f"{near} = …" if near else f"remove {unknown}"
        message = f"[{name}] has {unknown!r}, which is no option"
        raise _no_option(message, place=Place(str(_FILE)), fix=fix)


def _nearest(word: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return close[0] if close else None


def _takes(option: click.Option, value: object) -> bool:
    """Whether a value would do for an option, its own callback included."""
    try:
        option.process_value(click.Context(click.Command(None)), value)
    except (click.ClickException, EsmError):
        return False
    return True


def _as_typed(option: click.Option, value: object) -> object:
    """A value as it would stand on the command line, where all is text; raises E262."""
    if _has_nul(value):
        name = option.opts[-1].lstrip("-")
        message = f"{name} has a NUL character, which no option can have"
        raise _no_option(message, fix=f'{name} = "…"')
    if option.multiple:
        items = (
            [f"{name}={item}" for name, item in value.items()] if isinstance(value, dict) else value
        )
        return list(map(str, items)) if isinstance(items, list) else [str(items)]
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, bool) else str(value)


def _has_nul(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case dict():
            return any(map(_has_nul, [*value, *value.values()]))
        case list():
            return any(map(_has_nul, value))
    return False


def _split(option: click.Option, text: str) -> object:
    """A variable's text, in words where an option may be given several times."""
    return list(option.type.split_envvar_value(text)) if option.multiple else text


def _variable(word: str) -> str:
    return _PREFIX + word.upper().replace("-", "_")


def _name_of(context: click.Context) -> str:
    """The first word behind `esm`; "" for `esm` alone."""
    name = ""
    while context.parent is not None:
        name, context = context.info_name or "", context.parent
    return name


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _read_table() -> dict[str, Any]:
    document = read_document(_FILE) if _FILE.is_file() else {}
    table = section(document, "tool", "esm")
    if table is None:
        raise bad_file(_FILE, "[tool.esm] is no table")
    return table


def _no_option(message: str, *, fix: str, place: Place | None = None) -> SettingsError:
    return SettingsError("E262", message, place=place, fix=fix)
