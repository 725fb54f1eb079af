"""What each code means: the tables of docs/errors.md, which a wheel has beside this file."""

from __future__ import annotations

import re
from pathlib import Path

_PLACES = (
    Path(__file__).with_name("errors.md"),
    Path(__file__).parents[2] / "docs" / "errors.md",  # in a checkout
)
_ROW = re.compile(r"^\| ([EW]\d{3}) \| (.+) \| (.+) \|$", re.MULTILINE)


def meanings() -> dict[str, tuple[str, str]]:
    """Of each code, what it means and what to do; nothing where the page was not installed."""
    page = next((place for place in _PLACES if place.is_file()), None)
    text = page.read_text(encoding="utf-8") if page else ""
    return {code: (meaning, remedy) for code, meaning, remedy in _ROW.findall(text)}
