"""The state machine above the shards: which of them may be read now.

A child is read only when every parent is read to its end and resolved, so that order per key
survives splits and merges. A parent that the source no longer lists counts as done.
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-polling-and-batching.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from esm.core.messages import (
    IllegalInput,
    ListShards,
    OpenShard,
    ShardDone,
    ShardsListed,
    StreamCommand,
    StreamInput,
)
from esm.core.model import Position, Shard, TrimHorizon


@dataclass(slots=True)
class StreamMachine:
    """Opens the shards of one mapping. Give it the first listing; it asks for the later ones.

    `start` holds for the shards of the first listing. Shards that appear later are read from
    their beginning, or what was written between a split and its discovery would be lost.
    """

    start: Position
    initial: frozenset[str] | None = None
    opened: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)

    def handle(self, message: StreamInput) -> list[StreamCommand]:
        """Take one input and answer with commands, in order."""
        match message:
            case ShardsListed(shards=shards):
                if self.initial is None:
                    self.initial = frozenset(shard.shard_id for shard in shards)
                known = {shard.shard_id for shard in shards} | self.opened
                may_open = [shard for shard in shards if self._may_open(shard, known)]
                return [self._open(shard) for shard in may_open]
            case ShardDone(shard_id=shard_id):
                if shard_id not in self.opened or shard_id in self.done:
                    raise IllegalInput(f"{shard_id} is not being read, so it cannot be done")
                self.done.add(shard_id)
                return [ListShards()]
            case _:
                assert_never(message)

    def _may_open(self, shard: Shard, known: set[str]) -> bool:
        if shard.shard_id in self.opened:
            return False
        return all(parent in self.done or parent not in known for parent in shard.parent_ids)

    def _open(self, shard: Shard) -> OpenShard:
        assert self.initial is not None
        self.opened.add(shard.shard_id)
        is_initial = shard.shard_id in self.initial
        return OpenShard(shard.shard_id, self.start if is_initial else TrimHorizon())
