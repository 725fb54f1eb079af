"""Calls a handler in this process, with Lambda's rules at the boundary.

What Lambda's Python runtime would refuse is a function error here; what belongs to the test around
the handler (a pytest outcome, Ctrl-C) goes on to the test.
https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from esm.errors import HandlerError
from esm.invokers.calling import Calls, Handler, below, call
from esm.invokers.variables import runtime_variables, set_variables
from esm.invokers.virtual_time import VirtualTime
from esm.ports import FunctionResult

__all__ = ["Function", "Handler", "InlineInvoker"]

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
_TIMEOUT_SECONDS = range(1, 901)
_MEMORY_MB = range(128, 10_241)
_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")

# Exceptions by which the tools around a test speak to themselves through a handler.
_CONTROL_FLOW = (
    ("_pytest.outcomes", "OutcomeException"),
    ("_pytest.outcomes", "Exit"),
    ("hypothesis.errors", "StopTest"),
    ("hypothesis.errors", "UnsatisfiedAssumption"),
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function's configuration: `timeout` in seconds, `memory` in MB, AWS's defaults.

    `qualifier` is the alias or version that a mapping invokes.
    """

    name: str | None = None
    timeout: int = 3
    memory: int = 128
    environment: Mapping[str, str] | None = None
    qualifier: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and not _matches(_NAME, self.name):
            raise HandlerError(
                "E310",
                f"{self.name!r} is not a function name",
                why="AWS takes 1 to 64 letters, digits, hyphens and underscores",
            )
        if not _within(_TIMEOUT_SECONDS, self.timeout):
            raise HandlerError(
                "E311",
                f"timeout={self.timeout!r} must be whole seconds from 1 to 900",
                why="AWS refuses it: Lambda's timeout ends at 15 minutes",
            )
        if not _within(_MEMORY_MB, self.memory):
            raise HandlerError(
                "E312",
                f"memory={self.memory!r} must be whole megabytes from 128 to 10240",
                why="AWS refuses it",
            )
        _check_environment({} if self.environment is None else self.environment)


class InlineInvoker:
    """Invokes one function in process; `function_arn` may carry a version or alias.

    `latency_ms` is asked before each invocation how long it takes, sleeps of the handler aside.
    """

    def __init__(
        self,
        handler: Handler,
        function: Function,
        function_arn: str,
        time: VirtualTime,
        *,
        latency_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._handler = handler
        self._function = function
        self._calls = Calls(function, function_arn, time)
        self._time = time
        self._latency_ms = latency_ms
        self._variables: dict[str, str] | None = None

    def invoke(self, event: dict[str, Any], request_id: str, start_ms: int) -> FunctionResult:
        """Call the handler; its duration is its latency and what it slept, both virtual."""
        latency_ms = self._latency_ms()
        payload, error = None, None
        self._time.begin(start_ms, self._calls.timeout_ms)
        context = self._calls.context(request_id, start_ms)
        if self._variables is None:
            self._variables = runtime_variables(context)
        self._time.variables.show(self._variables)
        own = self._function.environment
        before = set_variables(own) if own else None
        try:
            payload = call(self._handler, event, context)
        except BaseException as caught:
            if _is_control_flow(caught):
                raise
            error = caught.with_traceback(below(caught.__traceback__))
        finally:
            if before:
                set_variables(before)
            self._time.end()
        duration_ms = latency_ms + self._time.elapsed_ms
        if self._time.timed_out or duration_ms > self._calls.timeout_ms:
            return self._calls.timed_out()
        return FunctionResult(payload=payload, error=error, duration_ms=duration_ms)


def _is_control_flow(error: BaseException) -> bool:
    """Whether an exception is for the test around the handler, not for the function."""
    return isinstance(error, _control_flow(len(sys.modules)))


@lru_cache(maxsize=1)
def _control_flow(_modules: int) -> tuple[type[BaseException], ...]:
    # Looked up, never imported: only who is loaded already can have raised.
    found = [getattr(sys.modules.get(module), name, None) for module, name in _CONTROL_FLOW]
    return (KeyboardInterrupt, *(kind for kind in found if isinstance(kind, type)))


def _check_environment(environment: object) -> None:
    if not isinstance(environment, Mapping):
        raise HandlerError("E313", f"environment={environment!r} must map names to text")
    for name, value in environment.items():
        if not _matches(_VARIABLE, name) or not isinstance(value, str) or "\0" in value:
            raise HandlerError(
                "E313",
                f"environment: {name!r}: {value!r} must map a variable's name to text",
                why="AWS takes names of letters, digits and underscores, two or more, and text",
                fix=f"environment={{{str(name)!r}: {str(value)!r}}}",
            )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _within(limits: range, value: object) -> bool:
    return type(value) is int and value in limits
