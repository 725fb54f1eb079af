"""Ends what a thread does from outside of it, where that does no harm to others."""

from __future__ import annotations

import ctypes
from threading import get_ident

from esm.invokers.execution_environment import HERE
from esm.invokers.virtual_time import DeadlinePassed


class Striker:
    """Raises DeadlinePassed in the thread that makes it, between two steps of Python code."""

    def __init__(self) -> None:
        self._thread = get_ident()
        self._holds = 0
        self._has_struck = False

    def strike(self) -> None:
        """Raise it now, or as soon as nothing holds it back; the thread must still be alive."""
        self._has_struck = True
        if self._holds == 0:
            raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
            raise_in(ctypes.c_ulong(self._thread), ctypes.py_object(DeadlinePassed))

    def hold(self) -> None:
        """Hold it back from the calling thread, its own, unless it has come already."""
        self._holds += 1  # first, for `strike` looks at it last
        if self._has_struck and self._holds == 1:
            self.release()

    def release(self) -> None:
        """Let it come."""
        self._holds -= 1
        if self._has_struck and self._holds == 0:
            raise DeadlinePassed


def hold_back() -> None:
    """From here on no timeout ends the calling thread, which may take what others wait for."""
    if (striker := HERE.striker) is not None:
        striker.hold()


def let_come() -> None:
    """It may again, once for each `hold_back`; what came meanwhile comes now."""
    if (striker := HERE.striker) is not None:
        striker.release()
