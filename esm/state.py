"""The folder in which esm keeps what outlives a run: private to its user, unknown to git."""

from __future__ import annotations

import os
from pathlib import Path

from esm.errors import StateError

FOLDER = Path(".esm")
CHECKPOINTS = "checkpoints.db"
"""The name of the checkpoints' file in that folder."""


def make_folder(folder: Path) -> None:
    """Make sure that the folder is there. Raises StateError E605."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignored = folder / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise unusable(folder, error.strerror or str(error)) from None


def create_private(path: Path) -> int:
    """The descriptor of a new file that only its user may read. Raises OSError."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def unusable(path: Path, reason: str) -> StateError:
    """Something of the state can be neither read nor written, for a reason of the system's."""
    return StateError(
        "E605",
        f"{path} cannot be used: {reason}",
        why="checkpoints are kept there, and without them a restart would lose its place",
        fix=f"ls -la {path.parent}",
    )
