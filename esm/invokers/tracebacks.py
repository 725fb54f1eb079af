"""Which tracebacks are kept: each keeps everything that its frames had, a whole batch with it."""

from __future__ import annotations

from collections import deque

NEWEST_KEPT = 4
"""Beside the first: somebody may still be about to print them."""


class Tracebacks:
    """Those of one function's errors: all but the first and the newest are dropped."""

    def __init__(self) -> None:
        self._first: BaseException | None = None
        self._newest: deque[BaseException] = deque()

    def keep(self, error: BaseException) -> None:
        """The newest error; what came long before it loses its traceback."""
        if self._first is None:
            self._first = error
        if any(error is kept for kept in (self._first, *self._newest)):
            return
        self._newest.append(error)
        if len(self._newest) > NEWEST_KEPT:
            _drop(self._newest.popleft())


def _drop(error: BaseException) -> None:
    """Of an error and of those that led to it."""
    chain: list[BaseException | None] = [error]
    while chain:
        each = chain.pop()
        if each is not None and each.__traceback__ is not None:
            each.__traceback__ = None
            chain += [each.__cause__, each.__context__]
