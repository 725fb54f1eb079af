"""Handlers by name: "package.module:function"."""

from __future__ import annotations

import difflib
import importlib
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from esm.errors import HandlerError


def load_handler(name: str, folder: Path | None = None) -> Callable[..., Any]:
    """Import a handler; modules are looked for in a folder first, by default the current one.

    Raises HandlerError E301 to E304, with the user's own traceback where the import ran into it.
    """
    module_name, colon, attribute = name.partition(":")
    if not (colon and module_name and attribute):
        raise HandlerError(
            "E301",
            f"{name!r} does not name a handler",
            fix=f'"module:function", for instance "{module_name or "app"}:handler"',
        )
    handler = _attribute(_module(module_name, (folder or Path.cwd()).resolve()), attribute)
    if not callable(handler):
        raise HandlerError(
            "E304",
            f"{name} is {type(handler).__name__}, not a function",
            fix="the name of a function that takes (event, context)",
        )
    return handler


def _module(name: str, folder: Path) -> ModuleType:
    is_searched = str(folder) in sys.path or ("" in sys.path and folder == Path.cwd())
    if not is_searched:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise _no_module(name, folder) from None
        raise HandlerError(
            "E302",
            f"{name} needs the module {error.name!r}, which is not installed here",
            fix=f"pip install {(error.name or '').partition('.')[0]}",
        ) from error
    except (Exception, SystemExit) as error:
        frame = _last_frame(error)
        raise HandlerError(
            "E302",
            f"{name} cannot be imported: {type(error).__name__}: {error}{frame}",
            why="the module's own code raised this while it was loaded",
        ) from error


def _no_module(name: str, folder: Path) -> HandlerError:
    path = folder / name.replace(".", "/")
    near = [p.stem for p in (path.parent if path.parent.is_dir() else folder).glob("*.py")]
    close = difflib.get_close_matches(path.name, near, n=1)
    package = name.rpartition(".")[0]
    fix = f'"{package + "." if package else ""}{close[0]}:…"' if close else "cd to where it lies"
    return HandlerError(
        "E301", f"there is no module {name!r} in {folder.name}/ nor installed", fix=fix
    )


def _attribute(module: ModuleType, attribute: str) -> object:
    try:
        return getattr(module, attribute)
    except AttributeError:
        names = [name for name, value in vars(module).items() if callable(value)]
        close = difflib.get_close_matches(attribute, names, n=1)
        raise HandlerError(
            "E303",
            f"{module.__name__} has no function {attribute!r}",
            fix=f'"{module.__name__}:{close[0] if close else "handler"}"',
        ) from None


def _last_frame(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
