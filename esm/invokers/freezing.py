"""freezegun, so that whatever happens in between, time is real afterwards.

freezegun goes through sys.modules and asks every module for all that it has. A module whose
attribute raises, or a module that leaves sys.modules meanwhile, ends its start or its stop half-way
and time stays frozen for the rest of the process. So it is told to ignore all modules, and what it
does for them is done here without running their code.
"""

from __future__ import annotations

import copyreg
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from esm.invokers.doubles import Doubles

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory

_EVERY_MODULE = ("",)
_CLOCKS = (
    *("time", "monotonic", "perf_counter", "gmtime", "localtime", "strftime"),
    *("time_ns", "monotonic_ns", "perf_counter_ns"),
)


@contextmanager
def frozen(instant: datetime) -> Iterator[FrozenDateTimeFactory]:
    """Freeze clocks at an instant, UTC without a zone; what is yielded moves it."""
    from freezegun import api

    freezer: Any = api.freeze_time(instant)
    ignored, freezer.ignore = freezer.ignore, _EVERY_MODULE
    depth = len(api.freeze_factories)  # those of freezes of the user's own
    is_over = False
    try:
        try:
            with _no_collection():
                factory = freezer.start()
            api.ignore_lists[-1] = ignored
            if depth == 0:
                _clocks().put_in(but_not_in=ignored)
            yield cast("FrozenDateTimeFactory", factory)
        finally:
            _stop(freezer, depth)
            is_over = True
    finally:
        if not is_over:  # Ctrl+C came meanwhile
            _stop(freezer, depth)


def _stop(freezer: Any, depth: int) -> None:
    """Make time what it was outside; it can be done again when it was done half."""
    from freezegun import api

    # A handler may have left a freeze of its own, and an interruption half of this one.
    for stack in (api.freeze_factories, api.ignore_lists, api.tick_flags, api.tz_offsets):
        entries = cast("list[Any]", stack)
        del entries[depth + 1 :]
        entries += [None] * (depth + 1 - len(entries))
    if depth == 0:
        copyreg.dispatch_table.setdefault(api.real_datetime, api.pickle_fake_datetime)
        copyreg.dispatch_table.setdefault(api.real_date, api.pickle_fake_date)
    with _no_collection():
        freezer.stop()
    if depth == 0:
        _clocks().take_out()


@contextmanager
def _no_collection() -> Iterator[None]:
    """A finalizer that takes a module out of sys.modules waits, while freezegun lists them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@cache
def _clocks() -> Doubles:
    from freezegun import api

    pairs = [(getattr(api, f"real_{name}"), getattr(api, f"fake_{name}")) for name in _CLOCKS]
    pairs += [(api.real_datetime, api.FakeDatetime), (api.real_date, api.FakeDate)]
    return Doubles(pairs, passed_over=("freezegun",))
