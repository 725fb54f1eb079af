"""The parts of the README that are made, not written.

`--write` puts them in between their markers; `--check` exits with 1 when one of them is out of
date. Numbers come from `benchmarks/results.json`, which `make bench` writes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import live_demo
import properties_table

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
LIVE = ROOT / "docs" / "live.md"
RESULTS = ROOT / "benchmarks" / "results.json"
SUITE = ROOT / "benchmarks" / "suite.txt"


def part(text: str, name: str) -> str:
    """What stands between the markers of a part."""
    found = re.search(rf"<!-- {name}:begin -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no part {name}")
    return found[1]


def put(text: str, name: str, content: str) -> str:
    """The text with another content of that part."""
    old = f"<!-- {name}:begin -->\n{part(text, name)}<!-- {name}:end -->"
    return text.replace(old, f"<!-- {name}:begin -->\n{content}<!-- {name}:end -->")


def demo(_: str) -> str:
    """What `make demo` prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    return f"```console\n$ make demo\n{done.stdout.rstrip()}\n```\n"


def timeline(text: str) -> str:
    """The timeline of the README's own test."""
    code = part(text, "example").strip().removeprefix("```python\n").removesuffix("\n```")
    run = (
        "\nfrom esm import Harness\nesm = Harness()\n"
        "test_one_poison_order_does_not_hold_up_the_others(esm)\n"
        "print(esm.mappings['charge'].timeline(problems_only=True))\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_orders.py").write_text(code + run)
        done = subprocess.run(
            [sys.executable, "test_orders.py"],
            check=True, capture_output=True, text=True, cwd=folder,
        )  # fmt: skip
    return f"```\n{done.stdout.rstrip()}\n```\n"


def live(_: str) -> str:
    """From `esm run` to the handler's log, as docs/live.md has it, which a test types."""
    shown = re.findall(r"^```console \w+\n(.*?)^```$", LIVE.read_text(), re.DOTALL | re.MULTILINE)
    started = "$ esm run" + shown[0].rpartition("$ esm run")[2]
    log = shown[2].partition("^C\n")[0]
    return (
        f"```console\n{started}```\n\nA second terminal:\n\n```console\n{shown[1]}```\n\n"
        f"And in the first one, what the handler prints:\n\n```console\n{log}```\n"
    )


def numbers(_: str) -> str:
    """The table of benchmark results."""
    results = json.loads(RESULTS.read_text())
    lines = ["| what | measured | promised |", "|---|---:|---:|"]
    lines += [
        f"| {row['what']} | {row['figure']:.3g} {row['unit']} | ≤ {row['target']:g} {row['unit']} |"
        for row in results["rows"]
    ]
    return "\n".join([*lines, "", results["machine"], ""])


def suite(_: str) -> str:
    """How `make test` ended when it was last written down: in `benchmarks/suite.txt`."""
    return f"```console\n$ make test\n{SUITE.read_text().rstrip()}\n```\n"


PARTS: dict[str, Callable[[str], str]] = {
    "demo": demo,
    "suite": suite,
    "timeline": timeline,
    "properties": lambda _: properties_table.table(),
    "live": live,
    "numbers": numbers,
}


def made(text: str) -> str:
    """The README with all its made parts made anew."""
    for name, make in PARTS.items():
        text = put(text, name, make(text))
    return text


def is_same(old: str, new: str) -> bool:
    """Whether two parts differ in nothing but figures that are others in each run."""
    return live_demo.masked(old) == live_demo.masked(new)


def main() -> int:
    """Write, or check."""
    text = README.read_text(encoding="utf-8")
    if "--write" in sys.argv:
        README.write_text(made(text), encoding="utf-8")
        return 0
    stale = [name for name, make in PARTS.items() if not is_same(part(text, name), make(text))]
    print(*(f"README.md: the part {name} is out of date" for name in stale), sep="\n", end="")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
