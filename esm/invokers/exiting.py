"""`os._exit` while handlers run: it would end the test or the command around them, without a word.

On Lambda it ends the runtime, and the caller gets a function error; here it is raised as one. A
child process of a handler ends as it wants to.
https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-execution.html
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn


class RuntimeExited(BaseException):
    """The handler ended its runtime; `except Exception` misses it, as it would miss the end."""

    def __init__(self, status: int) -> None:
        reason = f"with error: exit status {status}" if status else "without providing a reason"
        super().__init__(f"Runtime exited {reason}")


@contextmanager
def exits_are_errors(runs_here: Callable[[], bool]) -> Iterator[None]:
    """Have `os._exit` raise RuntimeExited in a thread in which an invocation `runs_here`."""
    real, process = os._exit, os.getpid()

    def stand_in(status: int) -> NoReturn:
        if runs_here() and os.getpid() == process:
            raise RuntimeExited(status)
        real(status)

    os._exit = stand_in
    try:
        yield
    finally:
        os._exit = real
