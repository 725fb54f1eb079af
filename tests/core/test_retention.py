"""When a stream forgets."""

from __future__ import annotations

import pytest

from esm.core.retention import is_trimmed

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("retention_ms", "now_ms", "trimmed"),
    [
        pytest.param(DAY_MS, 500 + DAY_MS - 1, False, id="kept within the retention period"),
        pytest.param(DAY_MS, 500 + DAY_MS, False, id="kept to its last millisecond"),
        pytest.param(DAY_MS, 500 + DAY_MS + 1, True, id="gone after it"),
        pytest.param(None, 10**15, False, id="a capture forgets nothing"),
    ],
)
def test_a_record_stays_for_the_whole_retention_period(
    retention_ms: int | None, now_ms: int, trimmed: bool
) -> None:
    assert is_trimmed(500, retention_ms, now_ms) is trimmed
