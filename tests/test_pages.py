"""What README and docs show is true: their Python is run, their made parts are up to date."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PICTURES = sorted((ROOT / "docs").rglob("*.svg"))
BOXES = {"stream", "function", "store", "topic", "model"}
SVG = "{http://www.w3.org/2000/svg}"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if BLOCK.search(page.read_text())], ids=lambda page: page.name
)
def test_the_python_of_a_page_passes_as_a_test_file(page: Path, pytester: pytest.Pytester) -> None:
    blocks = BLOCK.findall(page.read_text())
    pytester.makepyfile("\n\n".join(blocks))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    result = pytester.runpytest_subprocess("-q", "-W", "error")
    tests = sum(block.count("\ndef test_") + block.startswith("def test_") for block in blocks)
    assert tests > 0
    result.assert_outcomes(passed=tests)


def test_the_made_parts_of_the_readme_are_up_to_date() -> None:
    checked = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "readme.py"), "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.stdout + checked.stderr == ""
    assert checked.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_boxes_of_a_picture_are_resources_of_the_template(picture: Path) -> None:
    """The text behind a box is its name."""
    drawn = list(ElementTree.parse(picture).getroot())
    boxes = [number for number, each in enumerate(drawn) if each.get("class") in BOXES]
    resources = re.findall(r"^  (\w+):$", (ROOT / "template.yaml").read_text(), re.MULTILINE)
    assert boxes
    assert {drawn[number + 1].text for number in boxes} <= set(resources)
    assert drawn[0].tag == f"{SVG}title"
    assert any(f"({picture.name})" in page.read_text() for page in PAGES)
