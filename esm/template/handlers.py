"""Whether a function's handler can be there, without importing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from esm.errors import TemplateError
from esm.template import complaints
from esm.template.model import FunctionResource

_NAME = "app"  # of a module, where the folder has none
_ARCHIVES = (".zip", ".jar")  # which a deployment takes as they are
_LIKENESS = 0.5  # of the name of a folder to what was written


def handler_errors(function: FunctionResource) -> Iterator[TemplateError]:
    """A folder that does not exist, or a handler file that does not."""
    folder, handler = function.code_uri, function.handler
    is_python = function.runtime is None or function.runtime.startswith("python")
    if folder is None or not is_python or function.has_layers:
        return  # a layer, or a build step, may bring the handler
    if not _is_there(folder):
        yield _no_folder(function, folder)
    elif folder.is_file() and folder.suffix not in _ARCHIVES:
        yield _is_a_file(function, folder)
    elif folder.is_dir() and handler is not None:
        yield from _handler_errors(function, folder, handler)


def _no_folder(function: FunctionResource, folder: Path) -> TemplateError:
    name = "CodeUri" if "CodeUri" in function.nodes else "Code"
    siblings = [path.name for path in _entries(folder.parent) if path.is_dir()]
    near = complaints.nearest(folder.name, siblings, likeness=_LIKENESS)
    written = getattr(function.nodes.get(name), "raw", folder.name)
    fix = f"{name}: {written.rstrip('/').removesuffix(folder.name)}{near}/" if near else None
    return complaints.NO_FOLDER.at(
        function.place_of(name), f"there is no folder {str(written)!r}", fix=fix
    )


def _is_a_file(function: FunctionResource, file: Path) -> TemplateError:
    name = "CodeUri" if "CodeUri" in function.nodes else "Code"
    written = getattr(function.nodes.get(name), "raw", file.name)
    return complaints.NO_FOLDER.at(
        function.place_of(name),
        f"{written!r} is a file, and not the folder of the code",
        fix=f"{name}: {written.removesuffix(file.name) or './'}",
    )


def _handler_errors(
    function: FunctionResource, folder: Path, handler: str
) -> Iterator[TemplateError]:
    module, dot, _ = handler.rpartition(".")
    if not dot or "\0" in handler:
        yield complaints.NO_HANDLER_FILE.at(
            function.place_of("Handler"),
            f"{handler!r} does not name a handler",
            fix=f"Handler: {_meant(folder, handler)}",
        )
        return
    written = module.replace(".", "/")
    path = folder / written
    if _is_there(Path(f"{path}.py")) or _is_there(path / "__init__.py"):
        return
    yield complaints.NO_HANDLER_FILE.at(
        function.place_of("Handler"),
        f"there is no {written}.py in {folder.name}/",
        fix=f"Handler: {_meant(folder, handler)}",
    )


def _meant(folder: Path, handler: str) -> str:
    """The handler in a module that is there, of the name that comes nearest to what was written.

    Forms of other tools are understood: `app:handler`, `src/app.handler`, `app.py.handler`.
    """
    *steps, last = re.split(r"[./:]+", handler.replace("\0", ""))
    names = [step for step in steps if step != "py"]
    attribute = last if names else "handler"
    names = names or [last]
    package = folder.joinpath(*names[:-1])
    if len(names) > 1 and not _modules(package):
        names, package = names[-1:], folder
    near = complaints.nearest(names[-1], _modules(package)) or _NAME
    return ".".join([*names[:-1], near, attribute])


def _modules(folder: Path) -> list[str]:
    return [found.stem for found in _entries(folder) if found.suffix == ".py"]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # its name is longer than a name can be
        return False


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if _is_there(folder) and folder.is_dir() else []
