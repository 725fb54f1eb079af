"""One call of a handler by Lambda's rules, whatever time it runs in."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from esm.invokers.context import LambdaContext, TimeOfDay, log_stream_name, name_of, version_of
from esm.invokers.response import HandlerIsAsync, round_trip
from esm.ports import FunctionResult, TaskTimedOut

if TYPE_CHECKING:
    from esm.invokers.inline import Function

Handler = Callable[[dict[str, Any], LambdaContext], Any]

_OURS = frozenset(map(str, Path(__file__).parent.glob("*.py")))


class Calls:
    """What the calls of one function share; `function_arn` may carry a version or alias."""

    def __init__(self, function: Function, function_arn: str, time: TimeOfDay) -> None:
        self.timeout_ms = function.timeout * 1000
        self._function = function
        self._function_arn = function_arn
        self._name = function.name or name_of(function_arn)
        self._version = version_of(function_arn)
        self._time = time
        self._log_stream: str | None = None

    def begin_environment(self, start_ms: int, number: int = 0) -> None:
        """An execution environment starts, with a log stream of its own."""
        self._log_stream = log_stream_name(self._function_arn, start_ms, number)

    def context(self, request_id: str, start_ms: int) -> LambdaContext:
        """What the handler gets beside its event."""
        if self._log_stream is None:
            self.begin_environment(start_ms)
        assert self._log_stream is not None
        return LambdaContext(
            function_name=self._name,
            function_version=self._version,
            invoked_function_arn=self._function_arn,
            memory_mb=self._function.memory,
            log_stream_name=self._log_stream,
            aws_request_id=request_id,
            deadline_ms=start_ms + self.timeout_ms,
            time=self._time,
        )

    def timed_out(self) -> FunctionResult:
        """What comes of an invocation that runs into the function's timeout."""
        error = TaskTimedOut(self._function.timeout)
        return FunctionResult(error=error, timed_out=True, duration_ms=self.timeout_ms)


def call(handler: Handler, event: dict[str, Any], context: LambdaContext) -> Any:
    """The response as Lambda's caller parses it; raises what is a function error."""
    response = handler(event, context)
    if response is None:
        return None
    if inspect.iscoroutine(response):
        response.close()
        raise HandlerIsAsync(getattr(handler, "__name__", repr(handler)))
    return round_trip(response)


def below(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the handler on, without the frames that called it."""
    while (
        traceback and traceback.tb_next and traceback.tb_frame.f_code.co_filename in _OURS
    ):  # each retry of a storm comes here
        traceback = traceback.tb_next
    return traceback
