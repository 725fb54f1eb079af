"""Templates for tests, written where a test may write."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from esm.errors import TemplateError
from esm.template import Deployment, Template, load

DEPLOYMENT = Deployment(stack="shop")


def written(folder: Path, text: str, name: str = "template.yaml") -> Path:
    path = folder / name
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def loaded(folder: Path, text: str, **parameters: str) -> Template:
    return load(written(folder, text), parameters=parameters, deployment=DEPLOYMENT)


def refused(folder: Path, text: str, name: str = "template.yaml") -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        load(written(folder, text, name))
    return caught.value


def where(error: TemplateError) -> tuple[str, int | None, int | None]:
    """Code, line and column."""
    assert error.place is not None
    return error.esm_code, error.place.line, error.place.column
