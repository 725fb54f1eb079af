"""The pytest plugin costs nothing until its fixture is used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "boto3",
    "botocore",
    "click",
    "freezegun",
    "moto",
    "msgspec",
    "pydantic",
    "rich",
    "yaml",
}


def imported_by(statement: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter has after a statement."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_plugin_imports_nothing_heavy():
    modules = imported_by("import esm.pytest_plugin")
    assert "esm" in modules
    assert modules & HEAVY == set()


def test_a_heavy_import_would_be_seen():
    assert "msgspec" in imported_by("import msgspec.json")
