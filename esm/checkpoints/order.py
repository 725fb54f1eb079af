"""Which of two checkpoints of a shard counts."""

from __future__ import annotations

from esm.ports import Checkpoint


def is_behind(checkpoint: Checkpoint, saved: Checkpoint) -> bool:
    """Later places are higher; at one place, records resolved up to it beat a mere start."""
    if checkpoint.position != saved.position:
        return checkpoint.position < saved.position
    return checkpoint.pinned and not saved.pinned
