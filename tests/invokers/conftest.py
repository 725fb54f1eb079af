"""What tests of live functions share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from living import Living, in_place, variables_of_process


@pytest.fixture
def living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Living]:
    """Functions in real time; afterwards all are stopped, and each invocation had one answer."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Living(tmp_path)
    yield made
    made.close()


@pytest.fixture
def outside_stays_as_it_is(living: Living, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test fails if anything of the process is not what it was, once all are stopped."""
    monkeypatch.setenv("ESM_TEST_BASE", "base")
    before, variables = in_place(), variables_of_process()
    path, modules = sys.path[:], set(sys.modules)
    yield
    living.close()
    assert in_place() == before
    assert variables_of_process() == variables
    assert sys.path == path
    added = {name.partition(".")[0] for name in sys.modules.keys() - modules}
    assert added & {"app", "models", "late", "shop"} == set()
