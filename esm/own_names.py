"""Which names are a function's own: those that its folders offer to an import."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, cast

# What is in sys.modules before a handler's module: awslambdaric/bootstrap.py under Python 3.11.
_BOOTSTRAP = """
    __future__ __main__ abc atexit builtins codecs collections contextlib copyreg decimal encodings
    enum functools genericpath importlib io itertools json keyword linecache logging marshal math
    numbers operator os posix posixpath re reprlib site stat string sys textwrap threading time
    token tokenize traceback types warnings weakref zipimport
"""
LOADED_BY_LAMBDA = frozenset(_BOOTSTRAP.split()) | frozenset(sys.builtin_module_names)
"""Python's own modules that no file of a function can stand in for."""

# Of these the process has one: what keeps handlers away from AWS and gives them virtual time is
# hooked into it, and a copy in a function's folder would get past. They include what boto3 uses.
_SHARED = frozenset(
    {
        "boto3",
        "botocore",
        "dateutil",
        "esm",
        "freezegun",
        "jmespath",
        "s3transfer",
        "six",
        "urllib3",
    }
)


def offered(folders: list[str], path: list[str]) -> frozenset[str]:
    """Top-level names that an import finds in the folders, searched for as `path` says."""
    importlib.invalidate_caches()
    modules = {module.name for module in pkgutil.iter_modules(folders)}
    plain = {
        entry.name
        for folder in folders
        if Path(folder).is_dir()  # not in an archive
        for entry in Path(folder).iterdir()
        if "." not in entry.name and entry.name not in modules and entry.is_dir()
    }
    names = modules | {name for name in plain if _is_namespace(name, path)}
    return frozenset(names - LOADED_BY_LAMBDA - {n for n in names & _SHARED if _is_installed(n)})


def _is_namespace(name: str, path: list[str]) -> bool:
    """Whether a folder without `__init__.py` is a package: not where there is another one."""
    spec = PathFinder.find_spec(name, path)
    return spec is not None and spec.origin is None


def _is_installed(name: str) -> bool:
    """Whether there is one for all; it is loaded now, before a folder is searched first."""
    if importlib.util.find_spec(name) is None:
        return False
    importlib.import_module(name)
    return True


def found(path: Iterable[object]) -> Iterator[Path]:
    """Of what a function puts on sys.path, that from which something can be imported."""
    for entry in path:
        try:
            if isinstance(entry, str):
                yield Path(entry).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # nothing there, or no path at all
            continue


def lies_in(module: ModuleType, folder: Path) -> bool:
    """Whether a module was loaded from a folder."""
    places = [own_attribute(module, "__file__"), *(own_attribute(module, "__path__") or ())]
    return any(isinstance(p, str) and Path(p).is_relative_to(folder) for p in places)


def own_attribute(module: object, name: str) -> Any:
    """Without asking the module, which may run code of its own, or be no module at all."""
    if not issubclass(type(module), ModuleType):
        return None
    return ModuleType.__getattribute__(cast("ModuleType", module), "__dict__").get(name)
