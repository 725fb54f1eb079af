"""A function's own modules: an `app` and a `models` for each, side by side in one process.

Python keeps one module of a name, in sys.modules. Here each function keeps the modules that its
folders offer, and they are in sys.modules, with the folders first on sys.path, only while its code
runs: what is imported late, unpickled, or looked up by `cls.__module__` is the function's own. All
other modules are shared. What a folder offers hides what is installed under the same name, unless
Lambda's runtime has loaded that already:
https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath

sys.modules belongs to the process, so functions run one at a time. A thread that a handler starts
sees the function's modules until the handler returns, and must not wait for another function.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence, Set
from importlib.machinery import ExtensionFileLoader, PathFinder
from itertools import count
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self, cast
from weakref import finalize

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
# Packages with compiled code, by the folders they came from: most load once in a process.
_COMPILED: dict[tuple[Path, ...], dict[str, ModuleType]] = {}
_numbers = count(1)


class Isolation:
    """A context manager, re-entrant and nestable: inside, the modules of one function are loaded.

    `folders` are its code and its layers, in the order in which Lambda searches them. A folder
    inside them that the function itself puts on sys.path belongs to it from then on.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._modules = _Modules(tuple(folder.resolve() for folder in folders))
        self._around: list[_Modules | None] = []

    def __enter__(self) -> Self:
        _STAGE.lock.acquire()
        self._around.append(_STAGE.holds)
        try:
            _STAGE.give_to(self._modules)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        try:
            _STAGE.give_to(self._around.pop())
        finally:
            _STAGE.lock.release()


class _Stage:
    """Whose modules are in sys.modules; nobody's outside of all functions."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.holds: _Modules | None = None

    def give_to(self, modules: _Modules | None) -> None:
        """Let these be the ones; to the same ones it costs nothing."""
        before = self.holds
        if before is modules:
            return
        try:
            if before is not None:
                before.take_out()
        finally:
            self.holds = modules
            if modules is not None:
                modules.put_in()


_STAGE = _Stage()


class _Modules:
    """The modules of one function, and what was in their place."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        first = [str(folder) for folder in folders]
        self._folders = folders
        self._path = [*first, *(entry for entry in sys.path if entry not in first)]
        self._known_path = self._path[:]
        self._names = _offered(first, self._path)
        self._own = dict(_COMPILED.get(folders, {}))
        self._hidden: dict[str, ModuleType] = {}
        self._hidden_names: list[str] = []
        self._hidden_mark = (0, "")
        self._outer_path = sys.path
        self._are_in = False
        self._mark = (0, "")
        self._label = f"<{folders[0].name} {next(_numbers)}>"
        self._labelled: set[str] = set()
        finalize(self, _TO_FORGET.append, self._labelled).atexit = False
        forget_collected()

    def put_in(self) -> None:
        """Let the function's code find them."""
        modules = sys.modules
        self._outer_path, sys.path, self._are_in = sys.path, self._path, True
        # Of many modules outside, those in the way are looked for only when there are others.
        self._hidden = {}
        if not modules.keys().isdisjoint(self._names):
            if self._hidden_mark != (mark := _mark(modules)):
                self._hidden_names, self._hidden_mark = _named(modules, self._names), mark
            self._hidden = _popped(modules, self._hidden_names)
        modules.update(self._own)
        self._mark = _mark(modules)

    def take_out(self) -> None:
        """Put back what was there, and remember what the function has imported."""
        if not self._are_in:  # Ctrl+C came before they were
            return
        modules = sys.modules
        self._path, sys.path, self._are_in = sys.path, self._outer_path, False
        try:
            if self._mark == _mark(modules):
                # Not as they were put in: the function may have put another in one's place.
                self._own = _popped(modules, self._own)
            else:
                self._learn_path()
                self._own = _popped(modules, _named(modules, self._names))
                self._label_own()
                _COMPILED.setdefault(self._folders, {}).update(_compiled(self._own))
        finally:
            modules.update(self._hidden)

    def _learn_path(self) -> None:
        """See what the function has put on sys.path: what it loaded from there is its own."""
        added = [entry for entry in self._path if entry not in self._known_path]
        self._known_path = self._path[:]
        for folder in _found(added):
            if any(folder.is_relative_to(own) for own in self._folders):
                self._names |= {
                    name
                    for name in _offered([str(folder)], self._path)
                    if name not in sys.modules or _lies_in(sys.modules[name], folder)
                }

    def _label_own(self) -> None:
        """Keep the modules in sys.modules under names that nobody imports.

        Who goes through all modules, as virtual time does to find `from time import sleep`, comes
        between the invocations.
        """
        _forget(self._labelled)
        labelled = {f"{self._label}.{name}": module for name, module in self._own.items()}
        self._labelled.update(labelled)
        sys.modules.update(labelled)


def _mark(modules: dict[str, ModuleType]) -> tuple[int, str]:
    """Changes with every module that is added, for those come last."""
    return len(modules), next(reversed(modules))


def _named(modules: dict[str, ModuleType], names: Set[str]) -> list[str]:
    """The modules of these top-level names, with all inside them."""
    return [name for name in list(modules) if name.partition(".")[0] in names]


def _popped(modules: dict[str, ModuleType], names: Iterable[str]) -> dict[str, ModuleType]:
    return {name: modules.pop(name) for name in names if name in modules}


# Modules of functions that are gone. They leave sys.modules at a quiet moment: a collection can
# come while somebody (freezegun, among others) goes through sys.modules.
_TO_FORGET: list[set[str]] = []


def forget_collected() -> None:
    """Take the modules of functions that are gone out of sys.modules."""
    while _TO_FORGET:
        _forget(_TO_FORGET.pop())


def _forget(names: set[str]) -> None:
    for name in names:
        sys.modules.pop(name, None)
    names.clear()


def _offered(folders: list[str], path: list[str]) -> frozenset[str]:
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


def _compiled(modules: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """The packages in which there is compiled code, with all inside them."""
    tops = {
        name.partition(".")[0]
        for name, module in modules.items()
        if isinstance(_own_attribute(module, "__loader__"), ExtensionFileLoader)
    }
    return {name: modules[name] for name in _named(modules, tops)}


def _found(path: Iterable[object]) -> Iterator[Path]:
    """Of what a function puts on sys.path, that from which something can be imported."""
    for entry in path:
        try:
            if isinstance(entry, str):
                yield Path(entry).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # nothing there, or no path at all
            continue


def _lies_in(module: ModuleType, folder: Path) -> bool:
    places = [_own_attribute(module, "__file__"), *(_own_attribute(module, "__path__") or ())]
    return any(isinstance(p, str) and Path(p).is_relative_to(folder) for p in places)


def _own_attribute(module: object, name: str) -> Any:
    """Without asking the module, which may run code of its own, or be no module at all."""
    if not issubclass(type(module), ModuleType):
        return None
    return ModuleType.__getattribute__(cast("ModuleType", module), "__dict__").get(name)
