"""The line of the user's own code that an error came through last."""

from __future__ import annotations

import linecache
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path

# Whose lines are not the user's: Python's, installed packages' and ours.
_NOT_THE_USERS = (
    "<",
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    str(Path(__file__).parent.parent),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of code, and what is written there where that can be seen."""

    file: Path
    number: int
    source: str

    @property
    def place(self) -> str:
        """`app.py:12`, as seen from the current folder."""
        here = Path.cwd()
        file = self.file.relative_to(here) if self.file.is_relative_to(here) else self.file
        return f"{file}:{self.number}"

    def __str__(self) -> str:
        return f"{self.place}: {self.source}".removesuffix(": ")


def users_line(error: BaseException) -> Line | None:
    """None where no line is the user's, or no traceback was kept: of many retries some have it."""
    found = None
    for frame, number in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if not file.startswith(_NOT_THE_USERS):
            source = linecache.getline(file, number, frame.f_globals).strip()
            found = Line(Path(file), number, source)
    return found
