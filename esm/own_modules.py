"""A function's own modules: an `app` and a `models` for each, side by side in one process.

Python keeps one module of a name, in sys.modules. Here each function keeps the modules that its
folders offer, and they are in sys.modules, with the folders first on sys.path, only while its code
runs: what is imported late, unpickled, or looked up by `cls.__module__` is the function's own. All
other modules are shared. What a folder offers hides what is installed under the same name, unless
Lambda's runtime has loaded that already:
https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath

sys.modules belongs to the process, so in virtual time functions run one at a time. A thread that a
handler starts sees the function's modules until the handler returns, and must not wait for another
function. Where functions run side by side (esm/invokers/side_by_side.py), they are loaded and
import modules one at a time, and are called all at once.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from importlib.machinery import ExtensionFileLoader
from itertools import count
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Self
from weakref import finalize

from esm.invokers.execution_environment import HERE
from esm.invokers.own_imports import process_modules
from esm.invokers.striking import hold_back, let_come
from esm.own_names import found, lies_in, offered, own_attribute

# So long may two functions wait for each other that both load what the other one needs.
_PATIENCE_S = 10.0
# Packages with compiled code, by the folders they came from: most load once in a process.
_COMPILED: dict[tuple[Path, ...], dict[str, ModuleType]] = {}
_numbers = count(1)


class Isolation:
    """A context manager, re-entrant and nestable: inside, the modules of one function are loaded.

    `folders` are its code and its layers, in the order in which Lambda searches them. A folder
    inside them that the function itself puts on sys.path belongs to it from then on.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        with OUTSIDE:  # sys.path is nobody else's
            self._modules = _Modules(tuple(folder.resolve() for folder in folders))
        self._around: list[_Modules | None] = []

    @property
    def outside(self) -> Outside:
        """Where the modules are that no function has for itself."""
        return OUTSIDE

    @property
    def names(self) -> Set[str]:
        """The top-level names that are the function's own."""
        return self._modules.names

    def loaded(self, name: str) -> ModuleType | None:
        """One of its modules that has been imported; None inside, where sys.modules has it."""
        return None if _STAGE.is_ours() else self._modules.own.get(name)

    def holds(self, namespace: Mapping[str, object]) -> bool:
        """Whether this very dict is the namespace of one of its modules."""
        module = self._modules.own.get(str(namespace.get("__name__")))
        return module is not None and getattr(module, "__dict__", None) is namespace

    @contextmanager
    def loading_shared(self) -> Iterator[None]:
        """Inside, a module is loaded that is not the function's own, but may want one that is.

        Python locks it meanwhile. So that two threads cannot wait for each other, the stage is
        taken before, unless somebody has it: who loads shared modules waits for nobody.
        """
        hold_back()
        is_first = _STAGE.lock.acquire(blocking=False)
        HERE.is_in_between += not is_first
        try:
            yield
        finally:
            if is_first:
                _STAGE.lock.release()
            else:
                HERE.is_in_between -= 1
            let_come()

    def __enter__(self) -> Self:
        _STAGE.take()
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
        /,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        try:
            _STAGE.give_to(self._around.pop())
        finally:
            _STAGE.leave()


class Outside:
    """What a name means where no function has it; inside `with`, no other thread's does."""

    def loaded(self, name: str) -> ModuleType | None:
        """A module that has been imported, if that can be told without waiting."""
        if _STAGE.is_ours():
            return None
        there = _STAGE.holds
        is_hidden = there is not None and name.partition(".")[0] in there.names
        modules = there.hidden if there is not None and is_hidden else process_modules()
        found = modules.get(name)
        return found if _STAGE.holds is there else None

    def __enter__(self) -> Self:
        _STAGE.take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        _STAGE.leave()


OUTSIDE = Outside()


class _Stage:
    """Whose modules are in sys.modules; nobody's outside of all functions."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.holds: _Modules | None = None
        self.thread = 0

    def take(self) -> None:
        """Be the only thread that changes or needs what is there."""
        hold_back()
        if not self.lock.acquire(timeout=_PATIENCE_S if HERE.is_in_between else -1):
            let_come()
            raise ImportError(
                "a module that functions share, and that is being loaded, wants one that a"
                " function has for itself, while another function loads its own"
            )

    def leave(self) -> None:
        """Let others take it."""
        self.lock.release()
        let_come()

    def is_ours(self) -> bool:
        """Whether the calling thread has put modules there."""
        return self.holds is not None and self.thread == threading.get_ident()

    def give_to(self, modules: _Modules | None) -> None:
        """Let these be the ones; to the same ones it costs nothing."""
        before, self.thread = self.holds, threading.get_ident()
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
        self.names = offered(first, self._path)
        self.own = dict(_COMPILED.get(folders, {}))
        self.hidden: dict[str, ModuleType] = {}
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
        modules = process_modules()
        self._outer_path, sys.path, self._are_in = sys.path, self._path, True
        # Of many modules outside, those in the way are looked for only when there are others.
        self.hidden = {}
        if not modules.keys().isdisjoint(self.names):
            if self._hidden_mark != (mark := _mark(modules)):
                self._hidden_names, self._hidden_mark = _named(modules, self.names), mark
            self.hidden = _popped(modules, self._hidden_names)
        modules.update(self.own)
        self._mark = _mark(modules)

    def take_out(self) -> None:
        """Put back what was there, and remember what the function has imported."""
        if not self._are_in:  # Ctrl+C came before they were
            return
        modules = process_modules()
        self._path, sys.path, self._are_in = sys.path, self._outer_path, False
        try:
            if self._mark == _mark(modules):
                # Not as they were put in: the function may have put another in one's place.
                self.own = _popped(modules, self.own)
            else:
                self._learn_path()
                self.own = _popped(modules, _named(modules, self.names))
                self._label_own()
                _COMPILED.setdefault(self._folders, {}).update(_compiled(self.own))
        finally:
            modules.update(self.hidden)

    def _learn_path(self) -> None:
        """See what the function has put on sys.path: what it loaded from there is its own."""
        modules = process_modules()
        added = [entry for entry in self._path if entry not in self._known_path]
        self._known_path = self._path[:]
        for folder in found(added):
            if any(folder.is_relative_to(own) for own in self._folders):
                self.names |= {
                    name
                    for name in offered([str(folder)], self._path)
                    if name not in modules or lies_in(modules[name], folder)
                }

    def _label_own(self) -> None:
        """Keep the modules in sys.modules under names that nobody imports.

        Who goes through all modules, as virtual time does to find `from time import sleep`, comes
        between the invocations.
        """
        _forget(self._labelled)
        labelled = {f"{self._label}.{name}": module for name, module in self.own.items()}
        self._labelled.update(labelled)
        process_modules().update(labelled)


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
        process_modules().pop(name, None)
    names.clear()


def _compiled(modules: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """The packages in which there is compiled code, with all inside them."""
    tops = {
        name.partition(".")[0]
        for name, module in modules.items()
        if isinstance(own_attribute(module, "__loader__"), ExtensionFileLoader)
    }
    return {name: modules[name] for name in _named(modules, tops)}
