"""Functions in real time, for tests: they are stopped at the end, and nothing waits for ever."""

from __future__ import annotations

import builtins
import importlib
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

from esm.clock import SystemClock
from esm.invokers.inline import Function
from esm.invokers.live import LiveFunction
from esm.invokers.side_by_side import SIDE_BY_SIDE
from esm.isolation import load_function
from esm.ports import FunctionResult

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
PATIENCE_S = 10.0


NAMES = ("orders", "users")


class Answer:
    """What an invocation comes to."""

    def __init__(self) -> None:
        self._results: list[FunctionResult] = []
        self._is_there = threading.Event()

    def __call__(self, result: FunctionResult) -> None:
        self._results.append(result)
        self._is_there.set()

    @property
    def is_there(self) -> bool:
        return self._is_there.is_set()

    @property
    def result(self) -> FunctionResult:
        """Waits for it; that it is the only one is seen when the test ends."""
        assert self._is_there.wait(PATIENCE_S), "no answer"
        assert len(self._results) == 1
        return self._results[0]

    @property
    def payload(self) -> Any:
        result = self.result
        if result.error is not None:
            raise result.error
        return result.payload


class Living:
    """Live functions under a clock that tests can set forward."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead_ms = 0
        self.functions: list[LiveFunction] = []
        self._answers: list[Answer] = []
        self._clock = SystemClock()

    def now_ms(self) -> int:
        return self._clock.now_ms() + self.ahead_ms

    def write(self, **files: str) -> None:
        """`orders__app="..."` is the file orders/app.py."""
        for name, text in files.items():
            path = self.folder / (name.replace("__", "/").replace("/init/", "/__init__") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def function(
        self, handler: Callable[..., Any], name: str = "orders", **options: Any
    ) -> LiveFunction:
        return self.loaded_by(lambda: handler, name, **options)

    def loaded_by(
        self, load: Callable[[], Any], name: str = "orders", **options: Any
    ) -> LiveFunction:
        made = LiveFunction(name, load, Function(**options), ARN + name, self.now_ms)
        self.functions.append(made)
        return made

    def folder_of(self, name: str, **options: Any) -> LiveFunction:
        """The function whose code is in the folder of that name."""
        environment = options.get("environment", {})
        return self.loaded_by(
            lambda: load_function(self.folder / name, "app.handler", environment), name, **options
        )

    def ask(self, function: LiveFunction, event: Any = None) -> Answer:
        answer = Answer()
        self._answers.append(answer)
        function.submit(lambda: event, f"request-{len(self._answers)}", answer)
        return answer

    def time_out(self, function: LiveFunction) -> None:
        """Let the running invocation be past its deadline."""
        function.expire(until(lambda: deadline_of(function)))

    def close(self) -> None:
        for function in self.functions:
            function.stop()
            if until(lambda f=function: f._environment is None or deadline_of(f)) is not True:
                self.time_out(function)
        until(lambda: not SIDE_BY_SIDE.is_in_place)
        assert all(len(answer._results) == 1 for answer in self._answers)


def deadline_of(function: LiveFunction) -> int | None:
    """Of the invocation that runs in this moment."""
    environment = function._environment
    running = environment and environment.running
    return running.deadline_ms if running else None


def until(condition: Callable[[], Any]) -> Any:
    """What a condition gives as soon as that is true."""
    end = time.monotonic() + PATIENCE_S
    while not (got := condition()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.001)
    return got


@contextmanager
def threads_end() -> Iterator[None]:
    """Afterwards there are no more threads than before."""
    before = set(threading.enumerate())
    yield
    until(lambda: set(threading.enumerate()) <= before)


def in_place():
    """Everything that is replaced while functions live."""
    return {
        "modules": sys.modules,
        "import": builtins.__import__,
        "import_module": importlib._bootstrap._gcd_import,
        "environ": os.environ,
        "variables": os.environ._data,
        "bytes": os.environb._data,
        "putenv": os.putenv,
        "unsetenv": os.unsetenv,
        "popen": subprocess.Popen.__init__,
        "start": threading.Thread.start,
        "exit": os._exit,
        "loads": pickle.loads,
        "zone": time.tzname,
    }


def variables_of_process():
    return {n: value for n, value in os.environ.items() if n != "PYTEST_CURRENT_TEST"}


def both(living, app, **others):
    """Two functions of the same code, with modules of the same names that say whose they are."""
    for name in NAMES:
        living.write(**{f"{name}__app": app})
        living.write(**{f"{name}__{path}": f"OF = '{name}'\n{t}" for path, t in others.items()})
    return [living.folder_of(name, environment={"TABLE": f"of {name}"}) for name in NAMES]


def answers(living, functions, event=None):
    return [each.payload for each in [living.ask(f, event) for f in functions]]
