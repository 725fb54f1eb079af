"""What a live run says of its troubles, and how often."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from esm.cli.live_books import LiveBooks
from esm.cli.live_lines import Problems, Sparing, summary_text
from esm.cli.live_standing import Standing
from esm.core import messages as m
from esm.core.model import Cause
from esm.trace import Entry

AT_MS = 1_767_225_600_000
MINUTE_MS = 60_000


def entry(message: object, shard_id: str | None = "shardId-000000000000") -> Entry:
    return Entry(AT_MS, "Orders", shard_id, message)


def invoke() -> m.Invoke:
    return m.Invoke(0, 1, [], 1, Cause.RETRY)


@pytest.mark.parametrize(
    "outcome",
    [m.Succeeded(0, 1), m.PartlyFailed(0, 1, 0), m.Failed(0, 1), m.Throttled(0, 1)],
    ids=lambda outcome: type(outcome).__name__,
)
def test_an_invocation_that_has_ended_is_not_kept(outcome: m.Outcome):
    lines: list[str] = []
    problems = Problems(lines.append)
    problems.hear(entry(invoke()))
    problems.hear(entry(outcome))
    told = len(lines)
    problems.hear(entry(m.Failed(0, 1, error="of which nothing is known any more")))
    assert told == (1 if isinstance(outcome, m.Failed | m.PartlyFailed) else 0)
    assert len(lines) == told


def test_records_behind_a_checkpoint_past_the_retention_may_be_lost_and_are_no_failure():
    lines: list[str] = []
    books = LiveBooks(["Orders"])
    trimmed = entry(m.RecordsArrived((), trimmed=True))
    books.hear(trimmed)
    Problems(lines.append).hear(trimmed)
    assert [line[10:] for line in lines] == [
        "Orders, shard 0: the checkpoint's record is past the source's retention: records behind"
        " it may be lost; reading on from the oldest"
    ]
    summary = books.summary("idle", "2026-01-01T00:00:00.000Z", 1_000, {})
    assert summary.problems == []
    assert summary.mappings["Orders"].lost == 1
    told = "  records behind a checkpoint past the source's retention may be lost"
    assert told in summary_text(summary).splitlines()


def test_a_destination_that_stays_away_is_told_of_once_a_minute_for_each_reason():
    now_ms = AT_MS
    told: list[tuple[str, int]] = []
    tell = Sparing(lambda text, at_ms: told.append((text, at_ms - AT_MS)), lambda: now_ms)
    for text in ("refused", "refused", "timed out", "refused", "timed out"):
        tell(text)
    now_ms += MINUTE_MS - 1
    tell("refused")
    assert told == [("refused", 0), ("timed out", 0)]
    now_ms += 1
    tell("refused")
    assert told[2:] == [("refused", MINUTE_MS)]


class Pieces(io.StringIO):
    """A stream that keeps what each write was given."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)


def test_lines_of_several_threads_stay_lines(monkeypatch: pytest.MonkeyPatch):
    stderr = Pieces()
    monkeypatch.setattr(sys, "stderr", stderr)
    standing = Standing(LiveBooks(()))
    threads = [threading.Thread(target=standing.write, args=(f"line {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stderr.written) == [f"line {n}\n" for n in range(4)]
