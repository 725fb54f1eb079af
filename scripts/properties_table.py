"""The README's table of properties, made from the code that enforces them.

`python scripts/properties_table.py` prints it, `--write` puts it into the README between its
markers, `--check` exits with 1 when the README says something else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from esm.mapping import PROPERTIES, Group, Property

BEGIN = "<!-- properties:begin -->"
END = "<!-- properties:end -->"
README = Path(__file__).parents[1] / "README.md"

_INTRODUCTIONS = {
    Group.ENFORCED: "Deliveries follow these.",
    Group.NO_EFFECT: "Accepted as AWS accepts them; no delivery depends on them.",
}


def table() -> str:
    """Markdown: one table for each of the two groups, then what AWS refuses for a stream."""
    groups = "\n\n".join(_group(group, text) for group, text in _INTRODUCTIONS.items())
    refused = ", ".join(f"`{row.name}`" for row in _rows(Group.OTHER_SOURCE))
    return (
        f"{groups}\n\nProperties of other sources are refused with AWS's error, "
        f"`Unsupported 'topics' parameter for given event source mapping type.`: {refused}. "
        "A mapping of Kafka is checked like any other, and stops with E290 when it is to run.\n"
    )


def with_table(readme: str) -> str:
    """The README with this table between the markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{table()}{END}{after}"


def _group(group: Group, introduction: str) -> str:
    lines = [
        f"**{group}.** {introduction}",
        "",
        "| property | default | values | known from |",
        "|---|---|---|---|",
        *(_line(row) for row in _rows(group)),
    ]
    return "\n".join(lines)


def _line(row: Property) -> str:
    basis = f"[{row.about.basis}]({row.about.page})"
    return f"| `{row.name}` | {row.default} | {row.values} | {basis} |"


def _rows(group: Group) -> list[Property]:
    return [row for row in PROPERTIES if row.about.group is group]


def main(arguments: list[str]) -> int:
    """Print, write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", action="store_true")
    mode.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    if not (options.write or options.check):
        sys.stdout.write(table())
        return 0
    readme = README.read_text(encoding="utf-8")
    wanted = with_table(readme)
    if options.write:
        README.write_text(wanted, encoding="utf-8")
    elif readme != wanted:
        sys.stderr.write("README.md: the table of properties is out of date\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
