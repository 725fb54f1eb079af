"""SAM's own file of options, as far as they are ours, too.

SAM takes `samconfig.toml`, else `.yaml` or `.yml`; options stand in it by environment and command.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from esm.errors import Place, SettingsError, TemplateError

_FILES = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
_OPTIONS = ("template_file", "parameter_overrides", "env_vars", "region", "profile")
_ENVIRONMENT = "default"
# What is said of these commands holds for ours; the later one is stronger.
_ALWAYS = ("global", "deploy")
_LIKE_OURS = {"invoke": ("local_invoke",), "replay": ("local_invoke",), "validate": ("validate",)}


def read_samconfig(command: str, file: str | None, environment: str | None) -> dict[str, Any]:
    """SAM's options for a command of ours, under the words of our command line.

    `file` and `environment` are what was asked for, and must be there: SettingsError E263.
    """
    path = samconfig_path(file)
    if path is None:
        if environment is not None:
            raise bad_file(Path(_FILES[0]), f"there is none, and so no environment {environment!r}")
        return {}
    document = read_document(path)
    if environment is not None and environment not in document:
        near = difflib.get_close_matches(environment, document, n=1, cutoff=0)
        fix = f"--config-env {near[0]}" if near else None
        raise bad_file(path, f"there is no environment {environment!r}", fix=fix)
    sections = (*_ALWAYS, *_LIKE_OURS.get(command, ()))
    return _options(document, environment or _ENVIRONMENT, sections)


def samconfig_path(file: str | None) -> Path | None:
    """The file that was asked for, or else the first one of this folder."""
    return Path(file) if file else next((Path(f) for f in _FILES if Path(f).is_file()), None)


def read_document(path: Path) -> dict[str, Any]:
    """A file in TOML or, by its name, YAML; raises SettingsError E263."""
    document = _yaml(path) if path.suffix in (".yaml", ".yml") else _toml(path)
    if not isinstance(document, dict):
        raise bad_file(path, "it holds no table")
    return document


def section(document: dict[str, Any], *names: str) -> dict[str, Any] | None:
    """A table within tables, empty where there is none; None where something else is there."""
    for name in names:
        inner = document.get(name, {})
        if not isinstance(inner, dict):
            return None
        document = inner
    return document


def _options(document: dict[str, Any], environment: str, commands: Sequence[str]) -> dict[str, Any]:
    """Sections of another form are SAM's own."""
    found: dict[str, Any] = {}
    for command in commands:
        found |= section(document, environment, command, "parameters") or {}
    return {name.replace("_", "-"): found[name] for name in _OPTIONS if name in found}


def _toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise bad_file(path, f"cannot be read: {reason}") from None


def _yaml(path: Path) -> object:
    from esm.cli.plain_yaml import read_yaml  # few have one, and yaml takes its time to import

    try:
        return read_yaml(path)
    except TemplateError as error:
        raise bad_file(error.place or path, f"cannot be read: {error.message}") from None


def bad_file(place: Place | Path, message: str, *, fix: str | None = None) -> SettingsError:
    """A file of options that cannot be used."""
    if isinstance(place, Path):
        place = Place(str(place))
    return SettingsError("E263", message, place=place, fix=fix)
