"""moto's patterns of EventBridge rules as a second opinion, where moto is right.

It does not flatten arrays of objects, and knows neither keys with dots nor all operators.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from moto.events.models import EventPattern

from esm.core.filtering import Dialect, compile_pattern

KEYS = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["x", "xy", "yx", "z"])
RULES = (
    TEXTS
    | st.sampled_from([{"exists": True}, {"numeric": [">", 1]}, {"numeric": [">", 0, "<=", 2]}])
    | TEXTS.map(lambda text: {"prefix": text})
    | st.integers(0, 3).map(lambda number: {"numeric": ["=", number]})
)
PATTERNS = st.recursive(
    st.dictionaries(KEYS, st.lists(RULES, min_size=1, max_size=2), min_size=1, max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=2),
    max_leaves=3,
)
EVENTS = st.recursive(
    st.dictionaries(KEYS, TEXTS | st.integers(0, 3), max_size=3),
    lambda inner: st.dictionaries(KEYS, inner | TEXTS | st.integers(0, 3), max_size=3),
    max_leaves=4,
)


@given(PATTERNS, EVENTS)
def test_moto_agrees(pattern: Any, event: Any):
    ours = compile_pattern(pattern, dialect=Dialect.EVENTBRIDGE).matches(event)
    assert EventPattern("", pattern).matches_event(event) is ours
