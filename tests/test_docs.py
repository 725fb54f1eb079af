"""What the documentation shows is what happens: its commands are run, its output compared.

A block of ```console``` is one shell session in a copy of template.yaml,
events/ and handlers/. A line that starts
with "$ " is a command, one with "> " belongs to it, and so does the line after a backslash.
`python tests/test_docs.py` writes the output that the commands have now into the files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "---- end of a command ----"


@dataclass(frozen=True)
class Shown:
    """A command as it is to be typed, its lines in the document, and the output shown."""

    typed: str
    lines: tuple[str, ...]
    output: str


def commands_of(block: str) -> list[Shown]:
    """The commands of a block, each with what stands below it."""
    commands: list[Shown] = []
    lines = block.splitlines()
    while lines:
        head = [lines.pop(0)]
        assert head[0].startswith("$ "), f"not a command: {head[0]}"
        while lines and (is_unfinished(head) or lines[0].startswith("> ")):
            head.append(lines.pop(0))
        output = []
        while lines and not lines[0].startswith("$ "):
            output.append(lines.pop(0))
        typed = [head[0].removeprefix("$ "), *(line.removeprefix("> ") for line in head[1:])]
        commands.append(Shown("\n".join(typed), tuple(head), "\n".join(output)))
    return commands


def is_unfinished(lines: list[str]) -> bool:
    """Whether the shell would wait for more."""
    return lines[-1].endswith("\\") or "\n".join(lines).count("'") % 2 == 1


def run(commands: list[Shown], folder: Path) -> list[str]:
    """What each command of a session prints on a terminal, stdout and stderr together."""
    for name in ("events", "handlers"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "template.yaml", folder)
    # $? is the command's own again after the mark.
    marked = (f"{command.typed}\nstatus=$?\necho '{MARK}'\n(exit $status)" for command in commands)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "PYTHONUTF8": "1", "HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-c", "\n".join(marked)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return [output.strip("\n") for output in done.stdout.split(MARK + "\n")[:-1]]


def blocks() -> list[tuple[str, str]]:
    """Each block with the name of its file and its number there."""
    files = sorted((ROOT / "docs").rglob("*.md"))
    return [
        (f"{file.stem}-{number}", match.group(1))
        for file in files
        for number, match in enumerate(BLOCK.finditer(file.read_text(encoding="utf-8")), 1)
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="the blocks are shell sessions")
@pytest.mark.parametrize("block", [b for _, b in blocks()], ids=[name for name, _ in blocks()])
def test_the_commands_of_the_documentation_print_what_it_shows(block: str, tmp_path: Path):
    commands = commands_of(block)
    assert run(commands, tmp_path) == [command.output for command in commands]


def test_a_block_is_read_as_a_session():
    block = "$ echo 'a\nb' \\\n  c\na\nb c\n$ cat <<X\n> d\n> X\nd\n$ true\n"
    assert [(c.typed, c.output) for c in commands_of(block)] == [
        ("echo 'a\nb' \\\n  c", "a\nb c"),
        ("cat <<X\nd\nX", "d"),
        ("true", ""),
    ]


def rewritten(text: str) -> str:
    """A document with the output that its commands have now."""

    def session(match: re.Match[str]) -> str:
        commands = commands_of(match.group(1))
        with tempfile.TemporaryDirectory() as folder:
            outputs = run(commands, Path(folder))
        shown = zip(commands, outputs, strict=True)
        lines = [line for c, output in shown for line in [*c.lines, *output.splitlines()]]
        return "```console\n" + "".join(f"{line}\n" for line in lines) + "```"

    return BLOCK.sub(session, text)


if __name__ == "__main__":
    for document in sorted((ROOT / "docs").rglob("*.md")):
        document.write_text(rewritten(document.read_text(encoding="utf-8")), encoding="utf-8")
