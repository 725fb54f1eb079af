"""Whether somebody sits at a debugger's prompt: a timeout waits for them."""

from __future__ import annotations

from types import FrameType

_DEBUGGERS = {"bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy"}


def is_debugged(frame: FrameType | None) -> bool:
    """Whether a debugger is at work in this frame or around it."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False
