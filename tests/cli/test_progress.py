"""Long work says how far it is; quick work says nothing."""

from __future__ import annotations

import io
import sys

import pytest

from esm.cli.progress import Progress


class Watch:
    """A stopwatch that a test moves."""

    def __init__(self) -> None:
        self.now_ms = 0

    def elapsed_ms(self) -> int:
        return self.now_ms


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO, *instants_ms: int, total: int | None = 5_000) -> str:
    """What stands on a stream after being told at these instants."""
    watch = Watch()
    with Progress(stream, watch) as progress:
        for instant_ms in instants_ms:
            watch.now_ms = instant_ms
            progress.tell("replaying", instant_ms // 10, total)
    return stream.getvalue()


def test_elsewhere_there_is_a_line_every_ten_seconds():
    assert told(io.StringIO(), 0, 9_999, 10_000, 10_001, 19_999, 20_500, 29_000, 30_000) == (
        "replaying: 1,000 of 5,000 records\n"
        "replaying: 2,050 of 5,000 records\n"
        "replaying: 3,000 of 5,000 records\n"
    )


def test_a_long_step_is_made_up_for_by_one_line():
    assert told(io.StringIO(), 45_000, 46_000, 50_000).count("\n") == 2


def test_a_total_that_nobody_knows():
    assert told(io.StringIO(), 10_000, total=None) == "replaying: 1,000 records\n"


def test_quick_work_on_a_terminal_is_not_told_of():
    assert told(Terminal(), 0, 500, 999) == ""


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    text = told(Terminal(), 1_000, 1_100, 1_300)
    assert "100/5000" in text
    assert "130/5000" in text
    assert "110/5000" not in text


def test_on_a_terminal_without_rich_there_are_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    assert told(Terminal(), 1_000) == "replaying: 100 of 5,000 records\n"
