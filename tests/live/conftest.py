"""What tests of live runs share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from live_desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A folder with a template, and whatever was started in it ended."""
    made = Desk(tmp_path)
    yield made
    made.close()
