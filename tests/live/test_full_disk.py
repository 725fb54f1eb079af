"""The disk under the checkpoints is full for a while."""

from __future__ import annotations

from time import monotonic

from full_disk import fill_disk, put_until_it_is_noticed
from live_desk import Desk

FAST = ("--port", "0", "--poll-interval", "0.02")
QUIET_S = 0.5


def test_nothing_is_invoked_until_there_is_room_and_nothing_is_lost(desk: Desk):
    running = desk.start("run", *FAST)
    running.put("a")
    running.until_seen("a")
    make_room = fill_disk(desk, running)
    put_until_it_is_noticed(desk, running, running)
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
    running.until(lambda: list(desk.checkpoints.values()) == places)
    unsaved, again = (line[10:] for line in running.stderr.splitlines() if "saved" in line)
    assert "full" in unsaved or "disk I/O error" in unsaved
    assert unsaved.endswith("; nothing is invoked until they are")
    assert again.startswith("checkpoints are saved again")
