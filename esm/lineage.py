"""What a listing says of the children of shards that were split or merged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from esm.core.model import Shard


def lacks_children(done: Iterable[str], shards: Sequence[Shard]) -> bool:
    """Whether a shard that was read to its end has no child in a listing yet."""
    parents = {parent for shard in shards for parent in shard.parent_ids}
    listed = {shard.shard_id for shard in shards}
    return any(each in listed and each not in parents for each in done)
