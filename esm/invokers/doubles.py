"""Stand-ins for functions and classes of the whole process, under every name that modules have.

A module that did `from time import sleep` holds it under a name of its own, so putting a stand-in
where the original was does not reach it. Modules are looked through by their dicts alone: none of
their code runs, so that no attribute that loads, fails or forgets something can come between.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any
from weakref import ref

# A module's dict, without waking a module that loads itself when it is first touched.
_dict_of: Callable[[Any, str], dict[str, Any]] = ModuleType.__getattribute__


class Doubles:
    """Puts stand-ins in the place of originals, and takes them out.

    Modules are looked through once: what was found is remembered between uses. A module imported
    meanwhile has the stand-ins themselves, and is mended at the end; who imports a stand-in by its
    own name keeps it. Both ways can be gone again when they were interrupted.
    """

    def __init__(
        self, pairs: Iterable[tuple[object, object]], passed_over: tuple[str, ...] = ()
    ) -> None:
        """Pairs of original and stand-in; modules whose names begin like `passed_over` stay."""
        # Held where the search, which goes through the globals of modules, does not find them.
        pairs = list(pairs)
        self._stand_ins = {id(original): stand_in for original, stand_in in pairs}
        self._originals = {id(stand_in): original for original, stand_in in pairs}
        self._passed_over = passed_over
        self._are_in = False
        self._searched: dict[str, tuple[ref[object], int]] = {}
        self._holders: dict[str, list[str]] = {}  # module name -> its names for one of them
        self._seen: list[object] = []
        self._ids: list[int] = []
        self._dicts: list[dict[str, Any]] = []
        self._sizes: list[int] = []

    def put_in(self, *, but_not_in: tuple[str, ...] = ()) -> None:
        """Rebind every name of an original, but not in modules whose names begin like these."""
        self._search()
        self._are_in = True
        self._rebind(self._stand_ins, but_not_in)

    def take_out(self) -> None:
        """Rebind every name of a stand-in: a mock that the user has put there stays."""
        self._search()
        self._rebind(self._originals, ())
        self._are_in = False

    def _rebind(self, others: Mapping[int, object], but_not_in: tuple[str, ...]) -> None:
        for module_name, names in self._holders.items():
            module = sys.modules.get(module_name)
            if issubclass(type(module), ModuleType) and not module_name.startswith(but_not_in):
                held = _dict_of(module, "__dict__")
                held.update({n: others[id(held[n])] for n in names if id(held.get(n)) in others})

    def _search(self) -> None:
        """Find the names in modules that are new, new under their name, or have got new names."""
        loaded: dict[str, object] = {**sys.modules}
        ids = [*map(id, loaded.values())]
        if ids != self._ids or [*map(len, self._dicts)] != self._sizes:
            # By type: cffi puts things there that only say that they are modules.
            modules = {n: m for n, m in loaded.items() if issubclass(type(m), ModuleType)}
            self._search_modules(modules)
            # Held until the next search, so that no other module can have the id of one of them.
            self._ids, self._seen = ids, [*loaded.values()]
            self._dicts = [_dict_of(module, "__dict__") for module in modules.values()]
            self._sizes = [*map(len, self._dicts)]
        elif "__main__" in loaded:
            # A notebook or a script goes on importing into the module that it runs in.
            self._search_module("__main__", loaded["__main__"])

    def _search_modules(self, modules: Mapping[str, object]) -> None:
        for module_name, module in modules.items():
            known, size = self._searched.get(module_name, (None, 0))
            is_known = known is not None and known() is module and module_name != "__main__"
            if not (is_known and size == len(_dict_of(module, "__dict__"))):
                self._search_module(module_name, module)
        for gone in self._searched.keys() - modules.keys():
            self._searched.pop(gone)
            self._holders.pop(gone, None)

    def _search_module(self, module_name: str, module: object) -> None:
        if module_name.startswith(self._passed_over):
            return
        held = _dict_of(module, "__dict__")
        self._searched[module_name] = (ref(module), len(held))
        names = [name for name, value in held.copy().items() if self._is_one(name, value)]
        self._holders.pop(module_name, None)
        if names:
            self._holders[module_name] = names

    def _is_one(self, name: str, value: object) -> bool:
        """Whether a name is one of those that change."""
        if id(value) in self._stand_ins:
            return True
        is_stand_in = self._are_in and id(value) in self._originals
        return is_stand_in and name != getattr(value, "__name__", None)
