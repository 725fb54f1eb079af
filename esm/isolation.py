"""Functions by their folder and Lambda's Handler, each with modules of its own."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from esm.errors import HandlerError
from esm.importing import HandlerName, import_function
from esm.invokers.execution_environment import HERE
from esm.invokers.variables import set_variables
from esm.own_modules import Isolation

# https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html#naming
_LIKE_LAMBDA = re.compile(r"([^\s./:]+(?:[./][^\s./:]+)*)\.([^\s./:]+)")


def load_function(
    folder: Path, handler: str, environment: Mapping[str, str], *, layers: Sequence[Path] = ()
) -> Callable[..., Any]:
    """Import "package/module.function" as Lambda does, with modules of its own and variables set.

    `layers` are folders that are searched after the function's own. Raises HandlerError as
    `load_handler` does.
    """
    parts = _LIKE_LAMBDA.fullmatch(handler)
    if parts is None:
        near = handler.replace(":", ".").replace(".py.", ".")
        raise HandlerError(
            "E301",
            f"{handler!r} does not name a handler",
            why="Lambda takes the module's path, a point, and the name of the function",
            fix=f"Handler: {near if _LIKE_LAMBDA.fullmatch(near) else 'app.handler'}",
        )
    module, attribute = parts.groups()
    name = HandlerName(handler, module.replace("/", "."), attribute, is_like_lambda=True)
    return isolated(name, [folder, *layers], environment)


def isolated(
    name: HandlerName, folders: Sequence[Path], environment: Mapping[str, str]
) -> Callable[..., Any]:
    """Import a function with variables set, to be called anywhere; raises HandlerError."""
    for folder in folders:
        if not _is_folder(folder):
            raise HandlerError(
                "E305",
                f"{folder} is no folder" if _exists(folder) else f"there is no folder {folder}",
                why=f"the code of {name.written} is looked for there",
            )
    isolation = Isolation(folders)
    if (lives_here := HERE.environment) is not None:
        lives_here.adopt(isolation)
    with isolation, _variables(environment):
        handler = import_function(name, folders[0].resolve())

    def call(*args: Any, **kwargs: Any) -> Any:
        if (here := HERE.environment) is not None and here.modules is isolation:
            return handler(*args, **kwargs)  # side by side: its imports find its modules
        with isolation:
            return handler(*args, **kwargs)

    call.__name__ = name.attribute
    return functools.update_wrapper(call, handler, updated=())


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # its name is longer than a name can be
        return False


@contextmanager
def _variables(environment: Mapping[str, str]) -> Iterator[None]:
    before = set_variables(environment)
    try:
        yield
    finally:
        set_variables(before)
