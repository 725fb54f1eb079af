"""The event loop that a test runs in is none of its handlers' business.

Lambda calls a handler where no loop is running, so that `asyncio.run` works in it; inside an async
test one is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_event_loop() -> Iterator[None]:
    """Let this thread look as if no event loop were running in it."""
    # Looked up, never imported: without asyncio there is no loop.
    asyncio = sys.modules.get("asyncio")
    loop = asyncio._get_running_loop() if asyncio else None  # noqa: SLF001
    if asyncio is None or loop is None:
        yield
        return
    task = asyncio.current_task(loop)
    if task is not None:
        asyncio._leave_task(loop, task)  # noqa: SLF001
    asyncio._set_running_loop(None)  # noqa: SLF001
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001
        if task is not None:
            asyncio._enter_task(loop, task)  # noqa: SLF001
