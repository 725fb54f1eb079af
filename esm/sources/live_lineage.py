"""Shards as a service lists them, in an order in which they can be read."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from esm.core.model import Shard
from esm.sources.live_calls import CallFailed


class ListedShard(Protocol):
    """A shard in a service's own form."""

    @property
    def shard_id(self) -> str:
        """Its name."""

    @property
    def parent_ids(self) -> tuple[str, ...]:
        """Those that were split or merged into it."""


def parents_first(shards: Sequence[ListedShard]) -> list[Shard]:
    """The shards with all their parents, those too that are past retention and not listed."""
    listed = {shard.shard_id: shard for shard in shards}
    order = TopologicalSorter(
        {s.shard_id: [p for p in s.parent_ids if p in listed] for s in shards}
    )
    try:
        return [Shard(shard_id, listed[shard_id].parent_ids) for shard_id in order.static_order()]
    except CycleError as error:
        raise CallFailed(f"shards that are their own parents: {error}", status=200) from error
