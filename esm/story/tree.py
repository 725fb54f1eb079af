"""What failed in a mapping and how it ended, as trees of batches, halves and remainders."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from esm.core.model import Cause, Fate
from esm.story.plot import Batch, Came, End
from esm.story.reading import Plot
from esm.story.words import clean, counted, cut, elapsed, end_text, numbers, short_shard, subject
from esm.trace import Trace

_MOST_LINES = 60  # of one tree
_MOST_TREES, _MOST_VERDICTS = 10, 10
_MOST_REMAINDERS = 7  # told one by one


def tree(trace: Trace, mapping_name: str) -> str:
    """What went wrong in a mapping: how it ended, and a tree of each batch that failed."""
    plot = Plot(trace.entries, mapping_name)
    blocks = [[_summary(mapping_name, plot), *_most(_verdicts(plot))]]
    trees = [_tree_lines(root) for root in plot.roots if _twigs(root)]
    blocks += trees[:_MOST_TREES]
    if len(trees) > _MOST_TREES:
        blocks.append([f"… and {len(trees) - _MOST_TREES:,} more batches that failed"])
    return "\n\n".join("\n".join(map(cut, block)) for block in blocks)


def _summary(mapping_name: str, plot: Plot) -> str:
    fates = [f"{len(plot.delivered):,} delivered"]
    fates += [f"{len(plot.filtered):,} filtered"] if plot.filtered else []
    for fate in (Fate.DISCARDED, Fate.EXPIRED):
        lost = {r.ordinal for end in plot.ends if end.fate is fate for r in end.records}
        fates += [f"{len(lost):,} {fate}"] if lost else []
    open_batches = [batch for batch in plot.batches if not batch.is_thrown_away]
    left = sum(len(b.records) - b.resolved for b in open_batches if b.is_open)
    left += sum(len(batch.untried) for batch in open_batches)
    fates += [f"{left:,} not resolved"] if left else []
    return f"{mapping_name}: {', '.join(fates)}; {counted(plot.invocations, 'invocation')}"


def _verdicts(plot: Plot) -> list[str]:
    """Each end, each batch that is still open, and each that succeeded after failures."""
    shards = {batch.shard_id for batch in plot.batches} | {end.shard_id for end in plot.ends}
    told = [(end.shard_id, f"✗ {_verdict(end)}") for end in plot.ends]
    for batch in plot.batches:
        is_retried = not batch.ends and len(batch.attempts) > 1
        if is_retried or (batch.is_open and batch.is_troubled and not batch.is_thrown_away):
            told.append((batch.shard_id, _batch_text(batch, None)))
    return [
        line if len(shards) == 1 else f"{line} (shard {short_shard(shard_id)})"
        for shard_id, line in told
    ]


def _verdict(end: End) -> str:
    effort = _effort(end.batch) if end.batch and end.info is None else ""
    return end_text(end) + effort


def _most(lines: list[str]) -> list[str]:
    hidden = len(lines) - _MOST_VERDICTS
    return lines if hidden <= 0 else [*lines[:_MOST_VERDICTS], f"… and {hidden:,} more"]


def _tree_lines(root: Batch) -> list[str]:
    where = f"shard {short_shard(root.shard_id)}" + (f" lane {root.lane}" if root.lane else "")
    head = f"batch {root.number} of {where}, {_batch_text(root, None)}"
    lines = [head, *islice(_branches(root), _MOST_LINES + 1)]
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES:] = ["… and more of this batch: see timeline()"]
    return lines


def _branches(root: Batch) -> Iterator[str]:
    """The lines below a batch; from a stack of our own, for trees of any depth."""
    stack = [("", twig) for twig in _twigs(root)]
    while stack:
        indent, (node, is_last) = stack.pop()
        text = (
            node
            if isinstance(node, str)
            else _batch_text(node, node.parent.error if node.parent else None)
        )
        yield indent + ("└─ " if is_last else "├─ ") + text
        if isinstance(node, Batch):
            below = indent + ("   " if is_last else "│  ")
            stack += [(below, twig) for twig in _twigs(node)]


Twig = tuple[Batch | str, bool]


def _twigs(batch: Batch) -> list[Twig]:
    """What hangs below a batch, last first, and whether it is the last."""
    nodes: list[Batch | str] = []
    if not _is_wholly(batch.ends, batch):
        nodes += [f"✗ {end_text(end)}" for end in batch.ends]
    nodes += [child for child in batch.children if child.cause is not Cause.REMAINDER]
    chain = [] if batch.cause is Cause.REMAINDER else _remainders(batch)
    nodes += _shortened(chain)
    untried = (chain[-1] if chain else batch).untried
    if untried and (chain or batch.cause is not Cause.REMAINDER or batch.children):
        waits = "thrown away by a restart" if batch.is_thrown_away else "not tried yet"
        nodes.append(f"… {numbers(untried)} {waits}")
    return [(node, node is nodes[-1]) for node in reversed(nodes)]


def _remainders(batch: Batch) -> list[Batch]:
    """The remainder of a batch, the remainder of that, and so on."""
    chain: list[Batch] = []
    while rest := [child for child in batch.children if child.cause is Cause.REMAINDER]:
        batch = rest[0]
        chain.append(batch)
    return chain


def _shortened(chain: list[Batch]) -> list[Batch | str]:
    if len(chain) <= _MOST_REMAINDERS:
        return list(chain)
    hidden = len(chain) - _MOST_REMAINDERS + 1
    half = _MOST_REMAINDERS // 2
    return [*chain[:half], f"… {hidden} more remainders", *chain[half + hidden :]]


def _batch_text(batch: Batch, known_error: str | None) -> str:
    """How a batch went. An error is told once, not again below it."""
    text = f"{subject(batch)} {_state_text(batch)}"
    error = batch.error
    return f"{text}: {clean(error)}" if error and error != known_error else text


def _state_text(batch: Batch) -> str:
    last = batch.attempts[-1] if batch.attempts else None
    if _is_wholly(batch.ends, batch):
        return f"✗ {batch.ends[0].fate}{_effort(batch)}"
    if last is None:
        return "never invoked"
    if last.came is Came.SUCCEEDED:
        return "✓" + (f" at last{_effort(batch)}" if batch.is_troubled else "")
    if batch.is_open:
        return f"… {_open_text(batch)}"
    if last.came is Came.PARTLY_FAILED and last.failed_from:
        return f"partly failed from {numbers(batch.records[last.failed_from :][:1])}"
    return "failed"


def _open_text(batch: Batch) -> str:
    lost = ", thrown away by a restart" if batch.is_thrown_away else ""
    if batch.attempts and batch.attempts[-1].came is Came.IN_FLIGHT:
        return f"in flight{lost}"
    return f"not resolved{_effort(batch)}{lost}"


def _effort(batch: Batch) -> str:
    """What it took, unless that was one attempt."""
    tried = sum(a.count for a in batch.attempts if a.came is not Came.THROTTLED)
    throttled = sum(a.count for a in batch.attempts if a.came is Came.THROTTLED)
    parts = [counted(tried, "attempt")] if tried else []
    parts += [counted(throttled, "throttle")] if throttled else []
    if not parts:
        return ", never invoked"
    took_ms = batch.attempts[-1].ended_ms - batch.attempts[0].started_ms
    return f" after {' and '.join(parts)}" + (f" over {elapsed(took_ms)}" if took_ms else "")


def _is_wholly(ends: list[End], batch: Batch) -> bool:
    return len(ends) == 1 and len(ends[0].records) == len(batch.records)
