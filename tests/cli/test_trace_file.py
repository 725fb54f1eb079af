"""`--trace FILE`: it replaces nothing that is read, and never ends a run."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from esm.cli.template_options import TemplateOptions
from esm.cli.trace_file import LiveTrace, require_writable
from esm.cli.variables import VariablesFile
from esm.core import messages as m
from esm.errors import InputError
from esm.trace import Entry, TraceFile, read

VARIABLES = VariablesFile("env.json", True)
ENTRY = Entry(1_000, "Orders", None, m.Failed(0, 1, error="no such tariff"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("orders.jsonl", "template.yaml", "env.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "more.jsonl").write_text("{}")
    return tmp_path


def require(trace: str, template: Path | None = None) -> None:
    options = TemplateOptions(template, {}, "us-east-1")
    require_writable(Path(trace), ["orders.jsonl", "captures"], options, VARIABLES)


@pytest.mark.parametrize(
    ("trace", "said"),
    [
        ("./orders.jsonl", "the trace would replace a capture"),
        ("captures/more.jsonl", "the trace would replace a capture"),
        ("captures/../template.yaml", "the trace would replace the template"),
        ("env.json", "the trace would replace the file of variables"),
        ("captures", "the trace cannot be written: Not a regular file"),
        (os.devnull, "the trace cannot be written: Not a regular file"),
        ("env.json/trace.jsonl", "the trace cannot be written: Not a directory"),
    ],
)
def test_what_a_trace_would_replace_is_said_before_the_run(trace: str, said: str, folder: Path):
    with pytest.raises(InputError, match="E486") as refused:
        require(trace)
    assert refused.value.message == said
    assert (folder / "orders.jsonl").read_text() == "{}"


def test_a_trace_may_be_new_in_a_new_folder_or_take_the_place_of_an_older_one(folder: Path):
    (folder / "trace.jsonl").write_text("older")
    require("trace.jsonl")
    require("new/folder/trace.jsonl")
    assert not (folder / "new").exists()


def test_a_handler_without_a_template_may_have_a_trace(folder: Path):
    (folder / "template.yaml").unlink()
    require("trace.jsonl")
    assert not (folder / "trace.jsonl").exists()


@pytest.mark.parametrize("closed", [".", "trace.jsonl"])
def test_a_missing_right_is_said(closed: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "trace.jsonl").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: path != (folder / closed))
    with pytest.raises(InputError, match="Permission denied"):
        require("trace.jsonl")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_the_trace_with_a_line_and_not_the_run():
    told: list[str] = []
    path = Path("trace.jsonl")
    with LiveTrace(path, TraceFile(path, 0), told.append) as trace:
        with full_disk():
            for _ in range(1_000):
                trace.hear(ENTRY)
        trace.hear(ENTRY)
    assert told == [f"trace.jsonl: the trace ends here: {os.strerror(errno.EFBIG)}"]


def test_a_disk_that_is_full_at_the_end_is_told_too():
    told: list[str] = []
    path = Path("trace.jsonl")
    with full_disk(), LiveTrace(path, TraceFile(path, 0), told.append) as trace:
        trace.hear(ENTRY)
    assert told == [f"trace.jsonl: the trace ends here: {os.strerror(errno.EFBIG)}"]


def test_a_disk_with_room_has_all_of_it():
    told: list[str] = []
    path = Path("trace.jsonl")
    with LiveTrace(path, TraceFile(path, 0), told.append) as trace:
        trace.hear(ENTRY)
    assert [line["error"] for line in read(path)] == ["no such tariff"]
    assert not told
