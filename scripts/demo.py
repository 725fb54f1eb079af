"""`make demo`: the captured sign-ups through the example function, in virtual time.

Runs the commands that it prints, in this process and from the folder of the repository. It prints
the same in every run, in 80 columns.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from esm.cli.main import main as esm

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"ENRICHED_STREAM_NAME": "enriched", "POWERTOOLS_LOG_LEVEL": "ERROR"}
EVENTS = "events/bandwidth_enrichment"
FAILURES = "arn:aws:sqs:eu-central-1:123456789012:failures"

INTRODUCTION = """\
Sign-ups arrive on a Kinesis stream. A Lambda function adds the bandwidth that
is to be had where they come from, and publishes them on a second stream. Here
captured sign-ups go through an event source mapping again: in virtual time,
with no AWS account and no network.
"""

FUNCTION = (
    ("--code-uri", "handlers/bandwidth_enrichment"),
    ("--handler", "app:handler"),
    ("--function-name", "BandwidthEnrichment"),
    ("--stream", "enriched:2"),
    ("--function-response-types", "ReportBatchItemFailures"),
)


@dataclass(frozen=True)
class Step:
    """A command, what it shows, and the exit code that it should have."""

    text: str
    captures: str
    flags: tuple[tuple[str, ...], ...]
    exit_code: int = 0

    @property
    def words(self) -> list[tuple[str, ...]]:
        """The command, each flag with its value."""
        return [("esm", "replay", self.captures), *FUNCTION, *self.flags]


STEPS = (
    Step(
        "Twelve sign-ups of one shard. With a batching window of 30 seconds AWS would\n"
        "have called the function twice.",
        f"{EVENTS}/batch.json",
        (("--maximum-batching-window-in-seconds", "30"), ("--timeline",)),
    ),
    Step(
        "Three shards side by side, each with batches of its own.",
        f"{EVENTS}/shard-*.json",
        (("--maximum-batching-window-in-seconds", "30"),),
    ),
    Step(
        "One sign-up of these twelve is broken. The mapping cuts it out of its batch,\n"
        "tries it three times and puts it aside in a queue; the others get through.",
        f"{EVENTS}/poison.json",
        (
            ("--maximum-batching-window-in-seconds", "60"),
            ("--bisect-batch-on-function-error",),
            ("--maximum-retry-attempts", "2"),
            ("--destination-config", f"OnFailure={{Destination={FAILURES}}}"),
        ),
        exit_code=1,
    ),
)


def main() -> int:
    """Run the steps; gives 1 when one of them ends otherwise than it should."""
    os.chdir(ROOT)
    os.environ.update(ENVIRONMENT)
    print(INTRODUCTION)
    print("$ export", *(f"{name}={value}" for name, value in ENVIRONMENT.items()))
    for step in STEPS:
        print(f"\n{step.text}\n\n{shown(step)}", flush=True)
        code = esm([word for words in step.words for word in words][1:])
        if code != step.exit_code:
            print(f"exit code {code}, expected {step.exit_code}", file=sys.stderr)
            return 1
        if code:
            print(f"\nExit code {code}: not every record was delivered.")
    return 0


def shown(step: Step) -> str:
    """The command as it can be pasted: a flag on each line, its value below where it is long."""
    return "$ " + " \\\n    ".join(map(_line, step.words))


def _line(words: tuple[str, ...]) -> str:
    line = shlex.join(words)
    return line if len(line) <= 72 else " \\\n      ".join(map(shlex.quote, words))


if __name__ == "__main__":
    raise SystemExit(main())
