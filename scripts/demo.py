"""`make demo`: captured sign-ups through one function, an hour of all applications, a chain live.

Runs the commands that it prints, in this process and from the folder of the repository, in virtual
time; the last one in real time. It prints the same in every run but for a few figures of that one
(`live_demo.masked`), in 80 columns.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import hour
import live_demo

from esm.cli.main import main as esm

ROOT = Path(__file__).resolve().parent.parent
EVENTS = "events/bandwidth_enrichment"

INTRODUCTION = """\
Four applications stand in template.yaml, each with its streams, tables,
functions and topics. They run here with no AWS account and no network, in
virtual time at first. One takes sign-ups from a Kinesis stream, adds the
bandwidth that is to be had where they come from, and publishes them on a second
stream.
"""
HOUR = """
An hour of all four applications at once, on a morning with a keynote: generated
sign-ups, badge scans, clicks and readings of trucks, late and malformed ones
among them.

$ python scripts/hour.py"""

QUIET = ("--parameter-overrides", "LogLevel=ERROR")
SIGN_UPS = ("--mapping", "BandwidthEnrichmentSignups")


@dataclass(frozen=True)
class Step:
    """A command, what it shows, and the exit code that it should have."""

    text: str
    words: tuple[tuple[str, ...], ...]
    exit_code: int = 0


STEPS = (
    Step("Is the template right?", (("esm", "validate"),)),
    Step(
        "One captured event, once: the function's own answer.",
        (("esm", "invoke", "BandwidthEnrichment"), ("--event", f"{EVENTS}/batch.json"), QUIET),
    ),
    Step(
        "Twelve sign-ups of one shard. With a batching window of 30 seconds AWS would\n"
        "have called the function twice.",
        (("esm", "replay", f"{EVENTS}/batch.json"), SIGN_UPS, QUIET, ("--timeline",)),
    ),
    Step(
        "Three shards side by side, each with batches of its own.",
        (("esm", "replay", f"{EVENTS}/shard-*.json"), SIGN_UPS, QUIET),
    ),
    Step(
        "One sign-up of these twelve is broken. The mapping cuts it out of its batch,\n"
        "tries it three times and puts it aside in a queue; the others get through.",
        (
            ("esm", "replay", f"{EVENTS}/poison.json"),
            SIGN_UPS,
            QUIET,
            ("--maximum-batching-window-in-seconds", "60"),
        ),
        exit_code=1,
    ),
)


def main() -> int:
    """Run the steps; gives 1 when one of them ends otherwise than it should."""
    os.chdir(ROOT)
    print(INTRODUCTION, end="")
    for step in STEPS:
        print(f"\n{step.text}\n\n{shown(step.words)}", flush=True)
        code = esm([word for words in step.words for word in words][1:])
        if code != step.exit_code:
            print(f"exit code {code}, expected {step.exit_code}", file=sys.stderr)
            return 1
        if code:
            print(f"\nExit code {code}: not every record was delivered.")
    print(HOUR, flush=True)
    hour.main()
    print(f"{live_demo.INTRODUCTION}\n{shown(live_demo.WORDS)}", flush=True)
    if live_demo.run() != live_demo.EXIT_CODE:
        print("esm run did not end as it should", file=sys.stderr)
        return 1
    return 0


def shown(words: tuple[tuple[str, ...], ...]) -> str:
    """The command as it can be pasted: a flag on each line, its value below where it is long."""
    return "$ " + " \\\n    ".join(map(_line, words))


def _line(words: tuple[str, ...]) -> str:
    line = shlex.join(words)
    return line if len(line) <= 72 else " \\\n      ".join(map(shlex.quote, words))


if __name__ == "__main__":
    raise SystemExit(main())
