"""Handlers by name: "package.module:function"."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from esm.errors import HandlerError
from esm.importing import HandlerName, import_function
from esm.isolation import isolated


def load_handler(name: str, folder: Path | None = None) -> Callable[..., Any]:
    """Import "module:function" from the current folder, or in isolation from another one.

    Raises HandlerError E301 to E305, with the user's own traceback where the import ran into it.
    """
    module, colon, attribute = name.partition(":")
    if not (colon and module and attribute):
        raise HandlerError(
            "E301",
            f"{name!r} does not name a handler",
            fix=f'"module:function", for instance "{module or "app"}:handler"',
        )
    parsed = HandlerName(name, module, attribute, is_like_lambda=False)
    if folder is not None:
        return isolated(parsed, [folder], {})
    here = Path.cwd().resolve()
    if str(here) not in sys.path and "" not in sys.path:
        sys.path.insert(0, str(here))
    return import_function(parsed, here)
