"""Checkpoints that live as long as their process."""

from __future__ import annotations

from esm.checkpoints.order import is_behind
from esm.ports import Checkpoint


class MemoryCheckpoints:
    """A dict by (mapping, stream), then by shard. Can be pickled at any moment."""

    def __init__(self) -> None:
        self._saved: dict[tuple[str, str], dict[str, Checkpoint]] = {}

    def load(self, mapping: str, stream: str) -> dict[str, Checkpoint]:
        """The checkpoints of a mapping on a stream, by shard id; a copy."""
        return dict(self._saved.get((mapping, stream), {}))

    def save(self, mapping: str, stream: str, shard_id: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, unless one of a later place is there already."""
        shards = self._saved.setdefault((mapping, stream), {})
        saved = shards.get(shard_id)
        if saved is None or not is_behind(checkpoint, saved):
            shards[shard_id] = checkpoint

    def commit(self) -> None:
        """There is nothing more durable than memory here."""
