"""Changes esm/core in a thousand small ways and sees whether the tests of tests/core notice.

Prints how many mutants of each module were killed and what the survivors changed. A mutant that
sends the tests into an endless loop counts as killed. Exits with 1 below the limit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIMIT_PERCENT = 90
NOTICED = {"killed", "timeout", "suspicious", "segfault"}


def mutmut(*arguments: str) -> str:
    """Run mutmut and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=ROOT,
        env=os.environ | {"HYPOTHESIS_PROFILE": "mutants"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"mutmut {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def results() -> dict[str, str]:
    """What became of each mutant, by its name."""
    lines = [line.strip() for line in mutmut("results", "--all", "true").splitlines()]
    return dict(line.split(": ", 1) for line in lines if "__mutmut_" in line)


def changes(mutant: str) -> str:
    """The lines that a mutant takes out and puts in."""
    lines = mutmut("show", mutant).splitlines()
    changed = [line for line in lines if line.startswith(("-", "+"))]
    return "\n".join(line for line in changed if not line.startswith(("---", "+++")))


def main() -> int:
    """Make the mutants anew, run the tests against each, and report."""
    shutil.rmtree(ROOT / "mutants", ignore_errors=True)
    mutmut("run")
    found = results()
    total = Counter(name.rsplit(".", 1)[0] for name in found)
    killed = Counter(name.rsplit(".", 1)[0] for name, fate in found.items() if fate in NOTICED)
    for module in sorted(total):
        print(f"{module}: {killed[module]} of {total[module]} killed")
    for name, fate in found.items():
        if fate not in NOTICED:
            print(f"\n{name}: {fate}\n{changes(name)}")
    percent = 100 * killed.total() / max(total.total(), 1)
    print(f"\n{killed.total()} of {total.total()} killed: {percent:.1f} %")
    return 0 if percent >= LIMIT_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
