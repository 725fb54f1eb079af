"""Standard output and error of a command, whatever they are connected to."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper

from esm.errors import InputError


def prepare_streams() -> None:
    """Open what is closed as nothing, and let no text fail for what a terminal cannot show."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _open_null(descriptor, name)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def write_answer(answer: str | bytes) -> bool:
    """Write the answer of a command, JSON as UTF-8; gives whether anybody reads on.

    A reader that has enough is no mistake. Raises InputError E487 where it cannot be written.
    """
    try:
        if isinstance(answer, str):
            sys.stdout.write(answer)
        else:
            sys.stdout.flush()
            sys.stdout.buffer.write(answer)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return False
    except OSError as error:
        _drop_output()
        reason = error.strerror or error
        raise InputError("E487", f"the answer cannot be written to stdout: {reason}") from None
    return True


def _drop_output() -> None:
    """What is still in a buffer must not be tried again when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _open_null(descriptor: int, name: str) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", closefd=False))
