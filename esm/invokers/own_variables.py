"""os.environ as each function sees it.

`os.environ` and `os.environb` stay the objects that they are, for there are names for them in many
modules; what they keep their variables in is replaced by one that asks whose thread it is. C code
goes on seeing the variables of the process, and so would child processes: those that `subprocess`
starts, also for `os.popen` and asyncio, get the function's; `os.system` and `os.spawn*` do not.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from esm.invokers.execution_environment import HERE
from esm.invokers.replacing import replaced

_BEFORE_ENV = 10
"""Arguments of Popen that stand before `env`."""


class _VariablesHere(MutableMapping[bytes, bytes]):
    """Those of the calling thread's function; outside of all functions those of the process."""

    def __init__(self, process: MutableMapping[bytes, bytes]) -> None:
        self.process = process

    def _here(self) -> MutableMapping[bytes, bytes]:
        environment = HERE.environment
        return self.process if environment is None else environment.variables

    def __getitem__(self, name: bytes) -> bytes:
        return self._here()[name]

    def __setitem__(self, name: bytes, value: bytes) -> None:
        self._here()[name] = value

    def __delitem__(self, name: bytes) -> None:
        del self._here()[name]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._here())

    def __len__(self) -> int:
        return len(self._here())


def variables_now() -> dict[bytes, bytes]:
    """A copy of the calling thread's, in the form in which they are kept."""
    return dict(_kept())


@contextmanager
def own_variables() -> Iterator[None]:
    """Inside, each environment has variables of its own."""
    with ExitStack() as undo:
        here = _VariablesHere(_kept())
        undo.enter_context(replaced(os.environ, "_data", here))
        if os.supports_bytes_environ:
            undo.enter_context(replaced(os.environb, "_data", here))
        for name in ("putenv", "unsetenv"):
            undo.enter_context(replaced(os, name, _of_the_process(getattr(os, name))))
        start = _with_variables(subprocess.Popen.__init__)
        undo.enter_context(replaced(subprocess.Popen, "__init__", start))
        yield


def _kept() -> MutableMapping[bytes, bytes]:
    return cast("MutableMapping[bytes, bytes]", vars(os.environ)["_data"])


def _of_the_process(real: Callable[..., None]) -> Callable[..., None]:
    """`os.environ` tells C code of its changes; those of a function are none of its business."""

    @functools.wraps(real)
    def tell(*args: bytes) -> None:
        if HERE.environment is None:
            real(*args)

    return tell


def _with_variables(real: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(real)
    def start(popen: Any, *args: Any, **options: Any) -> None:
        is_given = len(args) > _BEFORE_ENV or options.get("env") is not None
        if HERE.environment is not None and not is_given:
            options["env"] = os.environ.copy()
        real(popen, *args, **options)

    return start
