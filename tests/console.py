"""Blocks of ```console``` in the documentation, read as what is typed and what is printed."""

from __future__ import annotations

import re
from dataclasses import dataclass

INTERRUPT = "^C"


@dataclass(frozen=True)
class Shown:
    """A command as it is to be typed, its lines in the document, and the output shown.

    Output before the first command has no lines.
    """

    typed: str
    lines: tuple[str, ...]
    output: str


def commands_of(block: str) -> list[Shown]:
    """The commands of a block, each with what stands below it."""
    commands: list[Shown] = []
    lines = block.splitlines()
    while lines:
        head = [lines.pop(0)] if is_typed(lines[0]) else []
        while head and lines and (is_unfinished(head) or lines[0].startswith("> ")):
            head.append(lines.pop(0))
        output = []
        while lines and not is_typed(lines[0]):
            output.append(lines.pop(0))
        typed = [re.sub(r"^[$>] ", "", line) for line in head]
        commands.append(Shown("\n".join(typed), tuple(head), "\n".join(output)))
    return commands


def is_typed(line: str) -> bool:
    """Whether a line begins a command, or is Ctrl-C."""
    return line.startswith("$ ") or line == INTERRUPT


def is_unfinished(lines: list[str]) -> bool:
    """Whether the shell would wait for more."""
    return lines[-1].endswith(("\\", " |")) or "\n".join(lines).count("'") % 2 == 1


def text_of(lines: tuple[str, ...], output: str) -> str:
    """A command and its output as they stand in a block."""
    return "".join(f"{line}\n" for line in [*lines, *output.splitlines()])
