"""An invocation that somebody waits for: it is answered once, whoever comes first."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from esm.ports import FunctionResult


class NotReached(Exception):
    """The function was not invoked."""


class Invocation:
    """One that has been asked for; `deadline_ms` is set when it begins."""

    __slots__ = ("_answered", "build_event", "deadline_ms", "done", "request_id")

    def __init__(
        self,
        build_event: Callable[[], dict[str, Any]],
        request_id: str,
        done: Callable[[FunctionResult], None],
    ) -> None:
        self.build_event = build_event
        self.request_id = request_id
        self.done = done
        self.deadline_ms: int | None = None
        self._answered = Lock()

    def claim(self) -> bool:
        """Whether the caller, the first who asks, is to answer."""
        return self._answered.acquire(blocking=False)

    def refuse(self, reason: str) -> None:
        """Answer that the function was never reached."""
        if self.claim():
            self.done(FunctionResult(throttled=True, error=NotReached(reason)))
