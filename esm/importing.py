"""The import of a handler's module, and what a user has to know where it fails."""

from __future__ import annotations

import difflib
import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from esm.errors import HandlerError, Place
from esm.own_names import LOADED_BY_LAMBDA


@dataclass(frozen=True, slots=True)
class HandlerName:
    """A handler's name as it was written, and what it names."""

    written: str
    module: str
    attribute: str
    is_like_lambda: bool

    def of(self, module: str, attribute: str) -> str:
        """Another handler, in the form of this one, to be pasted."""
        if not self.is_like_lambda:
            return f'"{module}:{attribute}"'
        if "/" in self.written:
            module = module.replace(".", "/")
        return f"Handler: {module}.{attribute}"


def import_function(name: HandlerName, folder: Path) -> Callable[..., Any]:
    """Import a function; raises HandlerError E301 to E304, which tell of `folder`."""
    handler = _attribute(_module(name, folder), name, folder)
    if not callable(handler):
        raise HandlerError(
            "E304",
            f"{name.written} is {type(handler).__name__}, not a function",
            fix="the name of a function that takes (event, context)",
        )
    return handler


def _module(name: HandlerName, folder: Path) -> ModuleType:
    try:
        return importlib.import_module(name.module)
    except ModuleNotFoundError as error:
        missing = error.name
        if missing is not None and (name.module + ".").startswith(missing + "."):
            raise _no_module(name, folder) from None
        raise _not_imported(name.module, error, folder) from error
    except (Exception, SystemExit) as error:
        raise _not_imported(name.module, error, folder) from error


def _no_module(name: HandlerName, folder: Path) -> HandlerError:
    return HandlerError(
        "E301",
        f"there is no module {name.module!r} in {folder.name}/ nor installed",
        fix=_nearest_handler(name, folder),
    )


def _nearest_handler(name: HandlerName, folder: Path) -> str:
    """The same module one folder below, or one of nearly that name."""
    path = Path(*name.module.split("."))
    below = sorted(file.relative_to(folder).parts[0] for file in folder.glob(f"*/{path}.py"))
    if name.is_like_lambda and below:
        return f"CodeUri: …/{below[0]}"
    if near := _nearest(path.name, folder / path.parent):
        module = ".".join([*path.parts[:-1], near])
        return name.of(module, name.attribute if name.is_like_lambda else "…")
    if name.is_like_lambda:
        return f"CodeUri: …/the folder of {path.parts[0]}"
    return "cd to where it lies"


def _not_imported(module: str, error: BaseException, folder: Path) -> HandlerError:
    place = None
    why: str | None = "the module's own code raised this while it was loaded"
    fix = None
    said = f"cannot be imported: {type(error).__name__}: {error}{_users_line(error, folder)}"
    if isinstance(error, SyntaxError) and error.filename:
        said, why = f"cannot be imported: {type(error).__name__}: {error.msg}", None
        place = Place(_seen(Path(error.filename)), error.lineno, error.offset, error.text)
    elif isinstance(error, ModuleNotFoundError) and error.name is not None:
        said, why = f"needs the module {error.name!r}, which is not installed here", None
        close = _nearest(error.name, folder)
        fix = f"import {close}" if close else f"pip install {error.name.partition('.')[0]}"
    return HandlerError("E302", f"{module} {said}", place=place, why=why, fix=fix)


def _seen(file: Path) -> str:
    """A file as seen from the current folder, where it lies below that."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)


def _nearest(name: str, folder: Path) -> str | None:
    close = difflib.get_close_matches(name, [path.stem for path in folder.glob("*.py")], n=1)
    return close[0] if close else None


def _attribute(module: ModuleType, name: HandlerName, folder: Path) -> object:
    try:
        return getattr(module, name.attribute)
    except AttributeError:
        names = [name for name, value in vars(module).items() if callable(value)]
        close = difflib.get_close_matches(name.attribute, names, n=1)
        meant = close[0] if close else "handler"
        is_missing = meant == name.attribute  # a name that is right already mends nothing
        why = "it is Python's own module, which Lambda has loaded before it looks in a folder"
        is_pythons = module.__name__.partition(".")[0] in LOADED_BY_LAMBDA
        raise HandlerError(
            "E303",
            f"{module.__name__} has no function {name.attribute!r}",
            why=why if is_pythons else None,
            fix="def handler(event, context):" if is_missing else name.of(module.__name__, meant),
        ) from None
    except Exception as error:  # of a module with a __getattr__
        raise _not_imported(name.module, error, folder) from error


def _users_line(error: BaseException, folder: Path) -> str:
    """The last line in the folder that the error came through, or else the last of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    last = (own or frames)[-1:]
    return f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
