"""The end of `make demo`: one chain of functions in real time.

`esm run` is a process of its own, in a folder with links to the repository's, so that the state of
whoever runs this in .esm/ stays as it is. Of what it prints while it runs, this shows what is new.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
INTRODUCTION = """
And live: ten captured minutes of two trucks go into a Kinesis stream of this
machine, over HTTP, a hundred times as fast as they came. A window of one second
is enough then, and three of them have to do for learning what is usual; the
readings may be of any time. One is malformed, and one container warms up. Of
what is logged, this is what is new:
"""
WORDS = (
    ("esm", "run", "TruckDetectionReadings", "TruckAlertsDeviations"),
    ("--feed", "TruckDetectionReadings=events/abc4logistics/readings.jsonl"),
    ("--feed-speed", "100"),
    ("--until", "idle"),
    (
        "--parameter-overrides",
        "WindowSeconds=1",
        "WarmUpWindows=3",
        "ReadingsApartSeconds=999999999",
    ),
    ("--set", "tumbling_idle_grace=1s"),
)
EXIT_CODE = 1  # the malformed reading is put aside

_LOG = re.compile(r"(?P<function>\w+) \| (?P<line>\{.*\})")
_PROBLEM = re.compile(r"\d\d:\d\d:\d\d  (.* discarded .*)")
# Of the last line, what is another in each run.
_FIGURES = re.compile(r"^\d+ invocations, \d+ failed; idle after [\d.]+s$", re.MULTILINE)


def run() -> int:
    """Run it and print what it tells; gives its exit code. All that it logs when that is wrong."""
    logged: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("template.yaml", "handlers", "events"):
            (Path(folder) / name).symlink_to(ROOT / name)
        words = [word for words in WORDS for word in words][1:]
        running = subprocess.Popen(
            [sys.executable, "-m", "esm", *words],
            cwd=folder, env=_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with running:
            assert running.stderr is not None
            assert running.stdout is not None
            for line in _new(_kept(running.stderr, logged)):
                print(line, flush=True)
            print(running.stdout.read(), end="", flush=True)
    if running.returncode != EXIT_CODE:
        sys.stderr.writelines(logged)
    return running.returncode


def masked(text: str) -> str:
    """What the demo prints, without the figures that are others in each run."""
    return _FIGURES.sub("… invocations, … failed; idle after …s", text)


def _environment() -> dict[str, str]:
    """Without what would lead to other endpoints, or change options."""
    return {n: value for n, value in os.environ.items() if not n.startswith(("AWS_", "ESM_"))}


def _kept(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line


def _new(lines: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for line in lines:
        told = _told(line)
        if told is not None and told not in seen:
            seen.add(told)
            yield fill(told, 80, subsequent_indent="  ")


def _told(line: str) -> str | None:
    if problem := _PROBLEM.match(line):
        return problem[1]
    log = _LOG.match(line)
    if log is None:
        return None
    said = _said(json.loads(log["line"]))
    return said and f"{log['function']}: {said}"


def _said(log: dict[str, Any]) -> str | None:
    match log:
        case {"message": "Window over", "deviations": [*anomalies]}:
            return f"window over, {_sensors(anomalies) or 'nothing'} deviates"
        case {"message": "Told", "anomaly_id": str(anomaly), "audience": audience}:
            return f"told the {audience} of {_sensors([anomaly])}"
        case {"level": "WARNING" | "ERROR", "message": str(message)}:
            return message.lower()
    return None


def _sensors(anomalies: list[str]) -> str:
    """`truck-07/container`: an anomaly's id without its time."""
    return ", ".join(anomaly.partition("@")[0] for anomaly in anomalies)
