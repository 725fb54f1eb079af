"""What the command line puts around each call of a handler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from esm.cli.mask import Mask
from esm.errors import EndpointError, Place
from esm.ports import FunctionResult, Invoker
from esm.story.blame import users_line

_REMEDY = re.compile(r'esm\.kinesis\("(.+)"\)')


@dataclass(frozen=True, slots=True)
class CommandLineInvoker:
    """Hides values in what a handler raises, before anybody writes it down or cuts it short.

    A call that would have left this machine ends the run: no retry of the handler would help.
    """

    invoker: Invoker
    mask: Mask

    def invoke(self, event: dict[str, Any], request_id: str, start_ms: int) -> FunctionResult:
        """One invocation; raises EndpointError."""
        result = self.invoker.invoke(event, request_id, start_ms)
        if result.error is None:
            return result
        if isinstance(result.error, EndpointError):
            raise _for_command_line(result.error) from result.error
        return FunctionResult(
            error=_masked(result.error, self.mask),
            throttled=result.throttled,
            timed_out=result.timed_out,
            duration_ms=result.duration_ms,
        )


def _for_command_line(error: EndpointError) -> EndpointError:
    stream = _REMEDY.fullmatch(error.fix or "")
    told = at_users_line(error)
    if stream is not None:
        told.why = "nothing here reaches AWS; --stream names streams that the handler may put to"
        told.fix = f"--stream {stream.group(1)}"
    return told


def at_users_line(error: EndpointError) -> EndpointError:
    """The refusal of a call, at the handler's line, without what only a test could do about it."""
    line = users_line(error)
    place = None
    if line is not None:
        place = Place(line.place.rpartition(":")[0], line.number, text=line.source)
    return EndpointError(error.esm_code, error.message, place=place, why=error.why)


def _masked(error: BaseException, mask: Mask) -> BaseException:
    """The error, or one of the same name whose text hides the values."""
    text = str(error)
    hidden = mask.text(text)
    if hidden == text:
        return error
    twin: type[Exception] = type(type(error).__name__, (Exception,), {})
    return twin(hidden).with_traceback(error.__traceback__)
