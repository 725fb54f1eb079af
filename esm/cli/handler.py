"""The handler that `--handler` names; a mistake in it is mended by flags."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from esm.errors import HandlerError
from esm.loading import load_handler

_QUOTED = re.compile(r'"([\w.]+):(\w+|…)"')
# As Lambda has it, `app.handler`, and as a file has it, `src/app.py:handler`.
_LIKE_LAMBDA = re.compile(r"(?:(.*)/)?([\w.-]+)\.(\w+)")
_LIKE_A_FILE = re.compile(r"(?:(.*)/)?(\w[\w.-]*?)(?:\.py)?:(\w+)")


def import_handler(name: str, folder: Path | None) -> Callable[..., Any]:
    """Load it from a folder, by default the current one; raises HandlerError."""
    try:
        return load_handler(name, folder)
    except HandlerError as error:
        if error.esm_code in ("E301", "E303"):
            error.fix = _fix(error, name)
        raise


def _fix(error: HandlerError, name: str) -> str:
    near = _QUOTED.fullmatch(error.fix or "")
    if ":" not in name and (spelt := _LIKE_LAMBDA.fullmatch(name)):
        return _flags(*spelt.groups())
    if ("/" in name or ".py:" in name) and (spelt := _LIKE_A_FILE.fullmatch(name)):
        return _flags(*spelt.groups())
    if near is not None and near[0] != f'"{name}"':
        function = name.rpartition(":")[2] if near[2] == "…" else near[2]
        return _flags(None, near[1], function)
    if error.esm_code == "E303":
        return "the name of a function of that module"
    return "--handler MODULE:FUNCTION, and --code-uri with the folder of MODULE.py"


def _flags(folder: str | None, module: str, function: str) -> str:
    return f"--code-uri {folder} " * bool(folder) + f"--handler {module}:{function}"
