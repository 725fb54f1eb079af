"""What the documentation shows is what happens: its commands are run, its output compared.

A block of ```console``` is one shell session in a copy of template.yaml,
events/ and handlers/. A line that starts
with "$ " is a command, one with "> " belongs to it, and so does the line after a backslash.
A page may also show terminals side by side, as `terminals.py` has it.
`python tests/test_docs.py [FILE...]` writes the output that the commands have now into the files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from console import Shown, commands_of, text_of
from terminals import BLOCK as TERMINAL
from terminals import play, steps_of

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "---- end of a command ----"


def run(commands: list[Shown], folder: Path) -> list[str]:
    """What each command of a session prints on a terminal, stdout and stderr together."""
    prepare(folder)
    # $? is the command's own again after the mark.
    marked = (f"{command.typed}\nstatus=$?\necho '{MARK}'\n(exit $status)" for command in commands)
    done = subprocess.run(
        ["bash", "-c", "\n".join(marked)],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return [output.strip("\n") for output in done.stdout.split(MARK + "\n")[:-1]]


def prepare(folder: Path) -> None:
    """Put there what the commands need."""
    for name in ("events", "handlers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", folder)


def environment(folder: Path) -> dict[str, str]:
    """Of a shell: `esm` is found first, and where there is no `aws`, what stands in for it."""
    path = [str(Path(sys.executable).parent), os.environ["PATH"], str(ROOT / "tests" / "stand_ins")]
    return {"PATH": os.pathsep.join(path), "PYTHONUTF8": "1", "HOME": str(folder)}


def pages() -> list[Path]:
    """All of the documentation, without the README."""
    return sorted((ROOT / "docs").rglob("*.md"))


def blocks() -> list[tuple[str, str]]:
    """Each block with the name of its file and its number there."""
    return [
        (f"{file.stem}-{number}", match.group(1))
        for file in pages()
        for number, match in enumerate(BLOCK.finditer(file.read_text(encoding="utf-8")), 1)
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the blocks are shell sessions")
@pytest.mark.parametrize("block", [b for _, b in blocks()], ids=[name for name, _ in blocks()])
def test_the_commands_of_the_documentation_print_what_it_shows(block: str, tmp_path: Path):
    commands = commands_of(block)
    assert run(commands, tmp_path) == [command.output for command in commands]


def live_pages() -> list[Path]:
    """Pages with terminals side by side."""
    return [file for file in pages() if TERMINAL.search(file.read_text(encoding="utf-8"))]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the blocks are shell sessions")
@pytest.mark.parametrize("page", live_pages(), ids=lambda page: page.stem)
def test_the_terminals_of_a_page_print_what_it_shows(page: Path, tmp_path: Path):
    text = page.read_text(encoding="utf-8")
    prepare(tmp_path)
    shown = [[step.shown.output for step in block] for block in steps_of(text)]
    assert play(text, tmp_path, environment(tmp_path), anew=False) == shown


def test_a_block_is_read_as_a_session():
    block = "$ echo 'a\nb' \\\n  c\na\nb c\n$ cat <<X\n> d\n> X\nd\n$ true\n"
    assert [(c.typed, c.output) for c in commands_of(block)] == [
        ("echo 'a\nb' \\\n  c", "a\nb c"),
        ("cat <<X\nd\nX", "d"),
        ("true", ""),
    ]


def test_what_a_terminal_shows_is_read_as_steps():
    page = (
        "```console first\n$ esm run\nup\n```\n"
        "```console second\n$ true\n```\n"
        "```console first\nlog\n^C\nbye\n```\n"
    )
    steps = [step for block in steps_of(page) for step in block]
    assert [(s.terminal, s.shown.typed, s.shown.output, s.stays) for s in steps] == [
        ("first", "esm run", "up", True),
        ("second", "true", "", False),
        ("first", "", "log", True),
        ("first", "^C", "bye", False),
    ]


def rewritten(text: str) -> str:
    """A document with the output that its commands have now."""

    def session(match: re.Match[str]) -> str:
        commands = commands_of(match.group(1))
        with tempfile.TemporaryDirectory() as folder:
            outputs = run(commands, Path(folder))
        shown = zip(commands, outputs, strict=True)
        return "```console\n" + "".join(text_of(c.lines, output) for c, output in shown) + "```"

    return TERMINAL.sub(partial(_terminal, _played(text)), BLOCK.sub(session, text))


def _played(text: str) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        yield from play(text, Path(folder), environment(Path(folder)), anew=True)


def _terminal(printed: Iterator[list[str]], match: re.Match[str]) -> str:
    shown = zip(commands_of(match[2]), next(printed), strict=True)
    lines = "".join(text_of(command.lines, output) for command, output in shown)
    return f"```console {match[1]}\n{lines}```"


if __name__ == "__main__":
    for document in [Path(name) for name in sys.argv[1:]] or pages():
        document.write_text(rewritten(document.read_text(encoding="utf-8")), encoding="utf-8")
