"""Functions are imported as Lambda imports them: with their folder as the root of their modules."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent

# What Lambda gives to every function, and clients ask for as they are made.
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[str, str], ModuleType]]:
    """`load(function, module)`; afterwards the function's modules are forgotten."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)

        def import_from(function: str, module: str) -> ModuleType:
            patch.syspath_prepend(ROOT / "handlers" / function)
            return importlib.import_module(module)

        yield import_from
    functions = str(ROOT / "handlers") + os.sep
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(functions):
            del sys.modules[name]
