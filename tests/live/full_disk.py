"""A disk that is full for one process: no file of it may grow beyond a size."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from live_desk import Desk, Running

UNSAVED = "checkpoints cannot be saved"


def fill_disk(desk: Desk, running: Running) -> Callable[[], None]:
    """The log of the checkpoints cannot grow any more; gives the way back."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system limits no other processes")
    log = desk.state.with_name(f"{desk.state.name}-wal")
    pid, what = running.process.pid, resource.RLIMIT_FSIZE
    before = resource.prlimit(pid, what, (log.stat().st_size, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(pid, what, before)


def put_until_it_is_noticed(desk: Desk, served: Running, running: Running) -> None:
    """A part of the log is reused before it grows."""
    while UNSAVED not in running.stderr:
        count = len(desk.seen)
        served.put(f"until-{count}")
        _until_invoked_or_unsaved(desk, running, count)


def _until_invoked_or_unsaved(desk: Desk, running: Running, count: int) -> None:
    running.until(lambda: len(desk.seen) > count or UNSAVED in running.stderr)
