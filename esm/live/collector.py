"""Python's garbage collector in a process that does nothing but run mappings.

Events are dicts, and the collector looks at each of them several times; with what is loaded at the
start left out, and young ones gathered for longer, it looks at hardly any twice.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (50_000, 20, 100)


@contextmanager
def calm_collector() -> Iterator[None]:
    """Inside, it starts seldom, and passes over what is there now."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
