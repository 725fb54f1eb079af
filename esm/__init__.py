"""AWS Lambda event source mappings for streams, without AWS.

`Harness` runs them in virtual time; the pytest plugin gives one as the fixture `esm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esm.harness import Harness
    from esm.invokers.inline import Function
    from esm.settings import Settings

__all__ = ["Function", "Harness", "Settings"]

_HOMES = {
    "Function": "esm.invokers.inline",
    "Harness": "esm.harness",
    "Settings": "esm.settings",
}


def __getattr__(name: str) -> object:
    """Import public names when they are first used: the pytest plugin must cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'esm' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted([*globals(), *__all__])
