"""Checks that each module of esm/core is covered, branches too, by its own test modules alone.

Those of `shard` are tests/core/test_shard*.py; those of `filter_rules`, which is one of several
modules about one thing, are tests/core/test_filter*.py. Prints one line per module and exits with 1
when one falls short.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = ROOT / "esm" / "core"
TESTS = ROOT / "tests" / "core"


def modules() -> list[Path]:
    """The modules of the core that hold code."""
    return sorted(path for path in CORE.glob("*.py") if path.stem != "__init__")


def shortfall(module: Path) -> str:
    """What is wrong with the cover of a module, in a few lines; empty when nothing is."""
    pattern = f"test_{module.stem.partition('_')[0]}*.py"
    tests = [str(path) for path in sorted(TESTS.glob(pattern))]
    if not tests:
        return f"tests/core/{pattern}: there is none"
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "COVERAGE_FILE": str(Path(folder) / "data"),
            "HYPOTHESIS_PROFILE": "mutants",
        }
        for arguments in (
            ["run", "--branch", "--source=esm.core", "-m", "pytest", "-q", *tests],
            ["report", "-m", "--fail-under=100", f"--include={module}"],
        ):
            done = subprocess.run(
                [sys.executable, "-m", "coverage", *arguments],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                return (done.stdout + done.stderr).strip()
    return ""


def main() -> int:
    """Check every module, a few at a time."""
    paths = modules()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = list(pool.map(shortfall, paths))
    for path, problem in zip(paths, found, strict=True):
        print(f"{path.relative_to(ROOT)}: {problem or 'covered by its own tests'}")
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
