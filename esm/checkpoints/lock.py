"""One process at a time: a lock that ends with its process, however that ends.

The file beside the lock's holder says who that is; it is never removed, as somebody else may be
about to lock it.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import weakref
from itertools import takewhile
from pathlib import Path

from esm.errors import StateError
from esm.state import unusable

_TEXT_MAX = 1_000
_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


class Lock:
    """Holds a file until it is closed. Raises StateError E601 when another process does."""

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable(path, error.strerror or str(error)) from None
        self._descriptor: int | None = descriptor
        try:
            _take(descriptor)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, _whoami())
        except OSError as error:
            os.lseek(descriptor, 0, os.SEEK_SET)
            holder = os.read(descriptor, _TEXT_MAX)
            self.close()
            if error.errno in _HELD:
                raise _in_use(path, holder) from None
            raise unusable(path, error.strerror or str(error)) from None
        _close_in_children(self)

    def close(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _close_in_children(lock: Lock) -> None:
    """A handler's forked worker that outlives this process must not hold the lock for it."""
    reference = weakref.ref(lock)

    def close() -> None:
        held = reference()
        if held is not None:
            held.close()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=close)


if sys.platform == "win32":
    import msvcrt

    _FAR_BEYOND_THE_TEXT = 1 << 30  # what is locked there cannot be read

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, _FAR_BEYOND_THE_TEXT, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _whoami() -> bytes:
    """The process, and its command up to the first option: those may hold secrets."""
    words = [Path(sys.argv[0]).name, *sys.argv[1:]]
    command = " ".join(takewhile(lambda word: not word.startswith("-"), words))
    text = json.dumps({"pid": os.getpid(), "command": command[: _TEXT_MAX // 10]})
    return text.encode()


def _in_use(path: Path, text: bytes) -> StateError:
    try:
        holder = json.loads(text)
        pid, command = int(holder["pid"]), str(holder["command"])
    except (ValueError, TypeError, KeyError):  # it has only just begun
        who, fix = "another process", f"fuser {path}"
    else:
        who, fix = f"process {pid} ({command})", f"kill {pid}"
    return StateError(
        "E601",
        f"the checkpoints in {path.parent} are in use by {who}",
        why="two at once would move each other's checkpoints",
        fix=fix,
    )
