"""The disk under the checkpoints is full for a while."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic

import pytest
from live_desk import Desk, Running

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason=f"{sys.platform} sets no limits of other processes"
)

FAST = ("--port", "0", "--poll-interval", "0.02")
QUIET_S = 0.5


def fill_disk(desk: Desk, running: Running) -> Callable[[], None]:
    """No file that it writes may grow beyond the log of the checkpoints; gives the way back."""
    log = desk.state.with_name(f"{desk.state.name}-wal")
    pid, what = running.process.pid, resource.RLIMIT_FSIZE
    before = resource.prlimit(pid, what, (log.stat().st_size, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(pid, what, before)


def test_nothing_is_invoked_until_there_is_room_and_nothing_is_lost(desk: Desk):
    running = desk.start("run", *FAST)
    running.put("a")
    running.until_seen("a")
    make_room = fill_disk(desk, running)
    number = 0
    while "cannot be saved" not in running.stderr:
        running.put(f"b{number}")  # until a page of the log is one too many
        number += 1
        running.until(lambda: len(desk.seen) > number or "cannot be saved" in running.stderr)
    seen = desk.seen
    running.put("c", "d")
    end = monotonic() + QUIET_S
    running.until(lambda: monotonic() > end)
    assert desk.seen == seen
    make_room()
    running.until(lambda: "checkpoints are saved again, after" in running.stderr)
    places = running.put("e")
    running.until_seen("c", "d", "e")
    assert len(desk.seen) == len(set(desk.seen))
    running.until(lambda: list(desk.checkpoints.values()) == places[-1:])
    told = [line[10:] for line in running.stderr.splitlines() if "saved" in line]
    assert len(told) == 2
    assert "disk is full" in told[0] or "disk I/O error" in told[0]
    assert told[0].endswith("; nothing is invoked until they are")
