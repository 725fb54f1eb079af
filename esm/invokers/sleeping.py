"""`time.sleep` for the whole process while handlers run in virtual time.

The function belongs to the process, and modules that did `from time import sleep` each hold it
under a name of their own, so its stand-in is the process's too. It asks who is calling: in a thread
that runs an invocation it passes virtual time, anywhere else it sleeps.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Protocol, cast
from weakref import ref


class Sleeper(Protocol):
    """Somebody whose invocations sleep in virtual time."""

    def runs_here(self) -> bool:
        """Whether the calling thread is in one of its invocations."""

    def sleep(self, seconds: float) -> None:
        """Pass virtual time."""


class Sleeping:
    """Puts a stand-in where `time.sleep` was, for as long as somebody needs it.

    Modules are looked through once: what was found is remembered between uses. A module imported
    meanwhile has the stand-in itself, and is mended at the end.
    """

    def __init__(self, real: Callable[[float], None]) -> None:
        # Held where the search, which goes through the globals of modules, does not find them.
        self._real = real
        self._stand_in = self._make_stand_in()
        self._sleepers: list[Sleeper] = []
        self._searched: dict[str, ref[ModuleType]] = {}
        self._holders: dict[str, list[str]] = {}  # module name -> its names for time.sleep

    @contextmanager
    def use(self, sleeper: Sleeper) -> Iterator[None]:
        """Ask `sleeper` first, the latest one before earlier ones."""
        self._sleepers.append(sleeper)
        try:
            if len(self._sleepers) == 1:
                self._replace(self._real, self._stand_in)
            yield
        finally:
            self._sleepers.remove(sleeper)
            if not self._sleepers:
                self._replace(self._stand_in, self._real)

    def _make_stand_in(self) -> Callable[[float], None]:
        def sleep(seconds: float, /) -> None:
            for sleeper in reversed(self._sleepers):
                # What time.sleep refuses, it shall refuse in its own words.
                if sleeper.runs_here() and isinstance(seconds, (int, float)) and seconds >= 0:
                    return sleeper.sleep(seconds)
            return self._real(seconds)

        return sleep

    def _replace(self, old: Callable[[float], None], new: Callable[[float], None]) -> None:
        """Rebind every name that is `old`: a mock that the user has put there stays."""
        self._search()
        for module_name, names in self._holders.items():
            module = sys.modules.get(module_name)
            if module is not None:
                held = _globals(module)
                held.update({name: new for name in names if held.get(name) is old})

    def _search(self) -> None:
        """Find the names for sleep in modules that are new, or new under their name."""
        loaded: dict[str, object] = {**sys.modules}  # not everything in there is a module
        for module_name, module in loaded.items():
            known = self._searched.get(module_name)
            # A notebook or a script goes on importing into the module that it runs in.
            if known is not None and known() is module and module_name != "__main__":
                continue
            # By type: cffi puts things there that only say that they are modules.
            if not isinstance(module, ModuleType) or not issubclass(type(module), ModuleType):
                continue
            self._searched[module_name] = ref(module)
            self._holders.pop(module_name, None)
            names = [name for name, value in _globals(module).items() if self._is_sleep(value)]
            if names:
                self._holders[module_name] = names

    def _is_sleep(self, value: object) -> bool:
        return value is self._real or value is self._stand_in


def _globals(module: ModuleType) -> dict[str, object]:
    """A module's dict, without waking a module that loads itself when it is first touched."""
    return cast("dict[str, object]", ModuleType.__getattribute__(module, "__dict__"))


SLEEPING = Sleeping(time.sleep)
"""The one of this process."""
