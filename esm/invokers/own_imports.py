"""Imports at call time, in threads of several functions at once, find each function's own modules.

An import of a name that is the function's own happens on the stage, where its modules are in
sys.modules, one function at a time; only the first import of a module gets so far, for what is
loaded is answered from the function's own. A module that takes its time to load keeps others from
loading theirs, not from being called.

No deadlock with Python's locks of modules: the stage's comes first, also before a shared module is
loaded, whose code might ask for a name that the function has (own_modules.py has the exception).
"""

from __future__ import annotations

import builtins
import importlib
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import ModuleType
from typing import Any

from esm.invokers.execution_environment import HERE, ExecutionEnvironment, Modules, OwnModules
from esm.invokers.replacing import replaced

_PICKLING = ("dump", "dumps", "load", "loads")
Environments = Sequence[ExecutionEnvironment]


class ModulesHere(dict[str, ModuleType]):
    """sys.modules in which a thread finds the modules of its function under their names.

    Who lists or changes them has the process's in hand. What it has as a dict is what C code puts
    there, which asks for a dict and goes past the methods (that of cffi does).
    """

    def __init__(self, process: dict[str, ModuleType]) -> None:
        super().__init__()
        self.process = process

    def __getitem__(self, name: str) -> ModuleType:
        found: ModuleType | None = self.get(name)
        return self.process[name] if found is None else found

    def get(self, name: str, default: Any = None) -> Any:
        """The module of that name, or else the default."""
        own = _own(name)
        if own is not None:
            return own
        return self.process[name] if name in self.process else super().get(name, default)

    def __contains__(self, name: object) -> bool:
        if name in self.process or super().__contains__(name):
            return True
        return isinstance(name, str) and _own(name) is not None

    def retire(self) -> None:
        """Give what C code has put here to the process."""
        self.process.update(super().items())


def _of_the_process(name: str) -> Callable[..., object]:
    def method(modules: ModulesHere, *args: object, **options: object) -> object:
        ask: Callable[..., object] = getattr(modules.process, name)
        return ask(*args, **options)

    return method


for _name in (
    *("__delitem__", "__eq__", "__iter__", "__len__", "__or__", "__repr__", "__reversed__"),
    *("__setitem__", "clear", "copy", "items", "keys", "pop", "popitem", "setdefault"),
    *("update", "values"),
):
    setattr(ModulesHere, _name, _of_the_process(_name))


def process_modules() -> dict[str, ModuleType]:
    """sys.modules as the interpreter itself knows it."""
    modules: object = sys.modules
    return modules.process if isinstance(modules, ModulesHere) else sys.modules


@contextmanager
def own_imports(environments: Environments, names: Set[str]) -> Iterator[None]:
    """Inside, each of the environments finds modules of its own; they may come and go.

    `names` are all top-level names that any of them has for itself.
    """
    hook = _Hook(environments, names)
    # import_module, whoever has it under a name of their own, leads through this.
    bootstrap = vars(importlib)["_bootstrap"]
    modules = ModulesHere(process_modules())
    with ExitStack() as undo:
        undo.callback(modules.retire)
        undo.enter_context(replaced(sys, "modules", modules))
        undo.enter_context(replaced(builtins, "__import__", hook.statement(builtins.__import__)))
        undo.enter_context(
            replaced(bootstrap, "_gcd_import", hook.function(vars(bootstrap)["_gcd_import"]))
        )
        for name in _PICKLING:
            undo.enter_context(replaced(pickle, name, _on_stage(vars(pickle)[name])))
        yield


class _Hook:
    """Takes the imports of functions to where they belong."""

    def __init__(self, environments: Environments, names: Set[str]) -> None:
        self._environments = environments
        self._names = names

    def statement(self, real: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
        """In place of `builtins.__import__`."""

        def import_(
            name: str,
            globals: Mapping[str, Any] | None = None,  # noqa: A002  (as in the original)
            locals: Mapping[str, Any] | None = None,  # noqa: A002
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            top = (name if level == 0 else _package(globals)).partition(".")[0]
            place = self._place(top, globals) if top in self._names else None
            if place is not None and level == 0:
                found = place.loaded(name)
                if found is not None and (not fromlist or _has(found, fromlist)):
                    return found if fromlist or top == name else place.loaded(top) or found
            where = place or _loading(name if level == 0 else None, fromlist)
            if where is None:
                return real(name, globals, locals, fromlist, level)
            with where:
                return real(name, globals, locals, fromlist, level)

        return import_

    def function(self, real: Callable[..., ModuleType]) -> Callable[..., ModuleType]:
        """In place of what `importlib.import_module` calls."""

        def import_(name: str, package: str | None = None, level: int = 0) -> ModuleType:
            top = (name if level == 0 else package or "").partition(".")[0]
            place = self._place(top, None) if top in self._names else None
            if place is not None and level == 0 and (found := place.loaded(name)) is not None:
                return found
            where = place or _loading(name if level == 0 else None, ())
            if where is None:
                return real(name, package, level)
            with where:
                return real(name, package, level)

        return import_

    def _place(self, top: str, namespace: Mapping[str, Any] | None) -> Modules | None:
        """Whose module a name is: where it is imported tells, else the thread."""
        here = _modules_here()
        own = here if here is not None and top in here.names else None
        if own is not None and (namespace is None or own.holds(namespace)):
            return own
        others = [each.modules for each in tuple(self._environments) if each.modules is not None]
        for other in others:
            if namespace is not None and top in other.names and other.holds(namespace):
                return other
        return own or next((each.outside for each in others), None)


def _modules_here() -> OwnModules | None:
    environment = HERE.environment
    return None if environment is None else environment.modules


def _own(name: str) -> ModuleType | None:
    modules = _modules_here()
    return None if modules is None else modules.loaded(name)


def _loading(
    name: str | None, fromlist: Sequence[str] | None
) -> AbstractContextManager[object] | None:
    """Where a function imports a shared module; None if that loads nothing."""
    modules = _modules_here()
    if modules is None:
        return None
    loaded = None if name is None else process_modules().get(name)
    if loaded is not None and (not fromlist or _has(loaded, fromlist)):
        return None
    return modules.loading_shared()


def _package(namespace: Mapping[str, Any] | None) -> str:
    """Of a relative import."""
    names = namespace or {}
    return str(names.get("__package__") or names.get("__name__") or "")


def _has(module: ModuleType, names: Sequence[str]) -> bool:
    """Whether names can be taken from a module as it is; modules in a package may be missing."""
    namespace = getattr(module, "__dict__", {})
    return "__path__" not in namespace or all(name in namespace for name in names)


def _on_stage(real: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled pickle looks for the modules of classes where no hook is."""

    def pickle_there(*args: Any, **options: Any) -> Any:
        modules = _modules_here()
        if modules is None:
            return real(*args, **options)
        with modules:
            return real(*args, **options)

    return pickle_there
