"""Whose thread this is: execution environments that live side by side in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Set
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from esm.invokers.striking import Striker


class Modules(Protocol):
    """Modules that a name can mean; inside `with`, an import finds these."""

    def loaded(self, name: str) -> ModuleType | None:
        """One that has been imported; None inside `with`, where sys.modules has it."""

    def __enter__(self) -> object: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


class OwnModules(Modules, Protocol):
    """Those that a function does not share."""

    @property
    def names(self) -> Set[str]:
        """The top-level names that are the function's own."""

    @property
    def outside(self) -> Modules:
        """Those that no function has for itself."""

    def holds(self, namespace: Mapping[str, object]) -> bool:
        """Whether this very dict is the namespace of one of its modules."""

    def loading_shared(self) -> AbstractContextManager[object]:
        """Inside, the function loads a module that others have, too."""


class ExecutionEnvironment:
    """What one function has to itself: its variables, and its modules once they are known.

    `all_names` is what such environments have by names of their own, of all together.
    """

    __slots__ = ("_all_names", "function", "modules", "variables")

    def __init__(
        self, function: str, variables: MutableMapping[bytes, bytes], all_names: set[str]
    ) -> None:
        self.function = function
        self.variables = variables
        self.modules: OwnModules | None = None
        self._all_names = all_names

    def adopt(self, modules: OwnModules) -> None:
        """From now on these modules are its own."""
        self._all_names.update(modules.names)
        self.modules = modules


class Here(threading.local):
    """Of the calling thread."""

    environment: ExecutionEnvironment | None = None
    striker: Striker | None = None
    is_in_between = 0
    """Loads of shared modules, one within the other, that others may wait for."""


HERE = Here()
"""A thread belongs to one environment, also inside tasks and contexts that were made elsewhere."""

_AT_PAUSE: list[Callable[[], None]] = []


@contextmanager
def entered(environment: ExecutionEnvironment) -> Iterator[None]:
    """Let this thread belong to an environment."""
    before, HERE.environment = HERE.environment, environment
    try:
        yield
    finally:
        pause()
        HERE.environment = before


def pause() -> None:
    """This thread has ended an invocation, or ends itself."""
    for tell in tuple(_AT_PAUSE):
        tell()


@contextmanager
def told_of_pauses(tell: Callable[[], None]) -> Iterator[None]:
    """Have `tell` called in each thread of an environment that pauses."""
    _AT_PAUSE.append(tell)
    try:
        yield
    finally:
        _AT_PAUSE.remove(tell)
