"""Functions that run truly side by side in one process, in real time.

Each thread belongs to the execution environment that started it, and with it to a function: there
it finds that function's variables and modules. All of it is put in place for the first environment
and undone after the last.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from esm.invokers.execution_environment import HERE, ExecutionEnvironment, entered
from esm.invokers.exiting import exits_are_errors
from esm.invokers.own_imports import own_imports
from esm.invokers.own_variables import own_variables, variables_now
from esm.invokers.replacing import replaced
from esm.invokers.variables import RuntimeVariables

UTC = {"TZ": ":UTC"}
"""As Lambda has it; C code knows one time zone for the process."""


class SideBySide:
    """Who lives now, and what is in place for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._environments: list[ExecutionEnvironment] = []
        self._names: set[str] = set()
        self._undo = ExitStack()

    @property
    def is_in_place(self) -> bool:
        """Whether anybody uses it."""
        return self._users > 0

    def open(self) -> None:
        """A function comes; until it goes, its environments can live."""
        with self._lock:
            if self._users == 0:
                self._undo = self._put_in_place()
            self._users += 1

    def close(self) -> None:
        """A function goes."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._undo.close()

    def begin(self, function: str) -> ExecutionEnvironment:
        """A new environment, with the variables that the calling thread has."""
        environment = ExecutionEnvironment(function, variables_now(), self._names)
        self._environments.append(environment)
        return environment

    def end(self, environment: ExecutionEnvironment) -> None:
        """It is thrown away; threads that still run in it keep what they have."""
        self._environments.remove(environment)

    def _put_in_place(self) -> ExitStack:
        with ExitStack() as undo:
            zone = RuntimeVariables()
            undo.callback(zone.hide)
            undo.callback(self._names.clear)
            zone.show(UTC)
            undo.enter_context(own_variables())
            undo.enter_context(_inherited_by_threads())
            undo.enter_context(own_imports(self._environments, self._names))
            undo.enter_context(exits_are_errors(lambda: HERE.environment is not None))
            return undo.pop_all()


@contextmanager
def _inherited_by_threads() -> Iterator[None]:
    """Let threads belong to the environment of the thread that starts them."""
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        environment = HERE.environment
        if environment is None:
            return real(thread)
        run = thread.run

        def run_there() -> None:
            vars(thread).pop("run", None)  # it would keep the thread alive
            with entered(environment):
                run()

        vars(thread)["run"] = run_there
        try:
            real(thread)
        except BaseException:  # it has been started before
            vars(thread).pop("run", None)
            raise
        return None

    with replaced(threading.Thread, "start", start):
        yield


SIDE_BY_SIDE = SideBySide()
"""The one of this process."""
