"""Measure what the project promises; `--write` puts the figures where the README takes them from.

Ratios come from interleaved runs in one process, so that they hold on a noisy machine; times are
the median of `ROUNDS` runs.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import filter_step, live
from benchmarks.dynamodb_limit import body, dynamodb_limit, item
from benchmarks.limit import limit, noop

ROUNDS = 7
RESULTS = Path(__file__).with_name("results.json")
PAYLOAD = b"x" * 200


@dataclass(frozen=True)
class Row:
    """One measured promise: `figure` must not be above `target`."""

    what: str
    figure: float
    target: float
    unit: str

    def __str__(self) -> str:
        mark = "ok  " if self.figure <= self.target else "MISS"
        return f"{mark}  {self.what:<58} {self.figure:>8.3g} {self.unit:<6} target {self.target:g}"


def median(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    return statistics.median(measure() for _ in range(rounds))


# --- from memory to the handler, against C --------------------------------------------------------


def drain_us(records: int, factor: int) -> float:
    """CPU µs per record from an in-memory stream through a no-op handler, batches of 100."""
    from esm import Harness

    harness = Harness(freeze=False)
    stream = harness.kinesis("s")
    mapping = harness.map(stream, noop, batch_size=100, parallelization_factor=factor)
    stream.put_many(
        (PAYLOAD for _ in range(records)), key=lambda _: f"key-{stream.record_count % 50}"
    )
    start = time.process_time()
    harness.drain()
    used = time.process_time() - start
    assert len(mapping.delivered) == records
    return used / records * 1e6


def against_limit() -> list[Row]:
    rows = []
    for records, rounds in ((20_000, ROUNDS), (500_000, 3)):
        for factor, target in ((1, 3.0), (10, 5.0)):
            ratios = [drain_us(records, factor) / limit() for _ in range(rounds)]
            what = f"from memory, factor {factor}, {records:,} records"
            rows.append(Row(what, statistics.median(ratios), target, "× C"))
    return rows


def table_drain_us(records: int) -> float:
    """CPU µs per record from an in-memory table through a no-op handler, batches of 100."""
    from esm import Harness

    harness = Harness(freeze=False)
    table = harness.dynamodb(view="NEW_IMAGE")
    mapping = harness.map(table, noop, batch_size=100)
    for number in range(records):
        table.put_item(item(number))
    start = time.process_time()
    harness.drain()
    used = time.process_time() - start
    assert len(mapping.delivered) == records
    return used / records * 1e6


def against_dynamodb_limit() -> list[Row]:
    wire = body()
    ratios = [table_drain_us(20_000) / dynamodb_limit(wire) for _ in range(ROUNDS)]
    what = "from a table, 20,000 records"
    return [Row(what, statistics.median(ratios), 2.0, "× limit")]


def against_limit_of_filters() -> list[Row]:
    records = filter_step.records()
    ratios = [filter_step.filter_us(records) / limit() for _ in range(ROUNDS)]
    what = "filter step, 3 fields of 200-byte JSON in base64"
    return [Row(what, statistics.median(ratios), 2.5, "× C")]


# --- virtual time ---------------------------------------------------------------------------------


def failing(event: object, context: object) -> None:
    raise RuntimeError("never")


def week_of_retries_s(*, freeze: bool) -> float:
    """10,080 invocations of one record over a virtual week."""
    from esm import Harness, Settings

    harness = Harness(freeze=freeze, settings=Settings(backoff_first="1m", backoff_cap="1m"))
    stream = harness.kinesis("s", retention="192h")
    mapping = harness.map(stream, failing)
    stream.put("poison")
    start = time.perf_counter()
    harness.advance("7d")
    used = time.perf_counter() - start
    assert 10_080 <= len(mapping.invocations) <= 10_081
    return used


def add_up(event: dict[str, Any], context: object) -> dict[str, Any]:
    count = event["state"].get("count", 0) + len(event["Records"])
    return {"state": {"count": count}}


def day_of_windows_s() -> float:
    """1,000 captured records of a day, through tumbling windows of 60 s."""
    from esm import Harness

    data = base64.b64encode(PAYLOAD).decode()
    records = [
        {
            "SequenceNumber": str(10**55 + number),
            "ApproximateArrivalTimestamp": 1_767_225_600 + number * 86.4,
            "Data": data,
            "PartitionKey": "key",
        }
        for number in range(1_000)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "day.json")
        path.write_text(json.dumps({"Records": records}))
        harness = Harness()
        mapping = harness.replay(add_up, path, tumbling_window_in_seconds=60)
    start = time.perf_counter()
    harness.drain()
    used = time.perf_counter() - start
    assert len(mapping.delivered) == 1_000
    return used


def idle_week_s() -> float:
    """A virtual week of 100 shards with nothing in them."""
    from esm import Harness

    harness = Harness(freeze=False)
    harness.map(harness.kinesis("s", shards=100), noop)
    start = time.perf_counter()
    harness.advance("7d")
    return time.perf_counter() - start


def harness_ms() -> float:
    from esm import Harness

    start = time.perf_counter()
    Harness(freeze=False)
    return (time.perf_counter() - start) * 1e3


def idle_shard_kb() -> float:
    """Memory of one more idle shard of a mapping that has run."""
    from esm import Harness

    harness = Harness(freeze=False)
    harness.map(harness.kinesis("warm"), noop)
    shards = 1_000
    tracemalloc.start()
    harness.map(harness.kinesis("s", shards=shards), noop, name="idle")
    harness.advance("1m")
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / shards / 1024


def virtual_time() -> list[Row]:
    week_of_retries_s(freeze=True)  # freezegun's first start looks through every module
    unfrozen = median(lambda: week_of_retries_s(freeze=False))
    frozen = median(lambda: week_of_retries_s(freeze=True))
    return [
        Row("a week of 10,080 retries, unfrozen", unfrozen, 0.3, "s"),
        Row("a week of 10,080 retries, frozen", frozen, 1.0, "s"),
        Row("a day of 1,000 records in 60 s windows", median(day_of_windows_s), 0.5, "s"),
        Row("a week of 100 idle shards", median(idle_week_s), 0.1, "s"),
        Row("Harness(freeze=False) after import", median(harness_ms), 1.0, "ms"),
        Row("memory of an idle shard", idle_shard_kb(), 2.0, "KB"),
    ]


# --- start-up -------------------------------------------------------------------------------------


def process_s(*arguments: str, folder: Path | None = None) -> float:
    start = time.perf_counter()
    command = [sys.executable, *arguments]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=folder).stdout
    used = time.perf_counter() - start
    assert printed or arguments == ("-c", "pass"), f"{arguments} did nothing"
    return used


def plugin_ms() -> float:
    """What importing the pytest plugin adds to a process that has pytest."""
    code = (
        "import pytest, time; t = time.perf_counter(); import esm.pytest_plugin;"
        "print((time.perf_counter() - t) * 1e3)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return float(done.stdout)


HEAD = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
"""
FUNCTION = """\
  F{n}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: python3.11
      Events:
        In:
          Type: Kinesis
          Properties: {{Stream: !GetAtt Stream.Arn, StartingPosition: LATEST, BatchSize: {n}}}
"""


def template_s(functions: int, *arguments: str) -> float:
    """A command over a template of so many functions, whose handler imports json only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        functions_text = "".join(FUNCTION.format(n=n) for n in range(1, functions + 1))
        (folder / "template.yaml").write_text(HEAD + functions_text)
        (folder / "src").mkdir()
        code = "import json\ndef handler(event, context):\n    return json.loads('[]')\n"
        (folder / "src" / "app.py").write_text(code)
        (folder / "event.json").write_text("{}")
        return process_s("-m", "esm", *arguments, folder=folder)


def with_a_template() -> list[Row]:
    invoke = ("invoke", "F1", "-e", "event.json")
    pairs = [template_s(1, *invoke) / process_s("-c", "pass") for _ in range(9)]
    return [
        Row("esm validate, 200 functions", median(lambda: template_s(200, "validate")), 1.0, "s"),
        Row("esm invoke of a handler with json", statistics.median(pairs), 25.0, "× py"),
    ]


def start_up() -> list[Row]:
    pairs = [process_s("-m", "esm", "--help") / process_s("-c", "pass") for _ in range(9)]
    return [
        Row("import of the pytest plugin", median(plugin_ms), 5.0, "ms"),
        Row("esm --help", statistics.median(pairs), 8.0, "× py"),
    ]


# --- live -----------------------------------------------------------------------------------------


def live_runs() -> list[Row]:
    """Against the embedded Kinesis of another process, over HTTP."""
    ratios, rates = live.drain_ratio(ROUNDS)
    calm = live.latencies_s(None, 60, 0.17)
    quick = live.latencies_s(10, 200, 0.03)
    one = live.idle(1, 3)  # first: what is once taken from the system stays with the process
    idle = [live.idle(1_000, 5) for _ in range(5)]
    costs = [figures.ours_us / figures.bare_us for figures in idle]
    puts = {count: live.puts_per_second(count) for count in (100_000, 500_000)}
    print(f"drained {statistics.median(rates):,.0f} records/s; puts/s {puts}")
    return [
        Row("live: CPU of a record against boto3 and rebuilding", statistics.median(ratios), 1 / 6,
            "×"),
        Row("live: put to handler, p50", statistics.median(calm), 0.6, "s"),
        Row("live: put to handler, p99", calm[int(len(calm) * 0.99)], 1.2, "s"),
        Row("live: put to handler, p50, --poll-interval 0.01", 1e3 * statistics.median(quick), 20,
            "ms"),
        Row("live: CPU of an idle poll against a bare loop", statistics.median(costs), 1.2, "×"),
        Row("live: memory of 1,000 idle shards more than of one",
            max(each.resident_mb for each in idle) - one.resident_mb, 60, "MB"),
        Row("embedded Kinesis: a put, 500 a call, 8 writers", 1e6 / puts[100_000], 50, "µs"),
        Row("embedded Kinesis: 500,000 puts against 100,000", puts[100_000] / puts[500_000], 1.2,
            "×"),
    ]  # fmt: skip


def main() -> int:
    rows = [
        *against_limit(),
        *against_dynamodb_limit(),
        *against_limit_of_filters(),
        *virtual_time(),
        *start_up(),
        *with_a_template(),
        *live_runs(),
    ]
    c = f"C = {median(limit):.2f} µs a record on this machine"
    print(c, *rows, sep="\n")
    if "--write" in sys.argv:
        machine = f"Python {platform.python_version()} on {os.cpu_count()} shared cores; {c}."
        results = {"machine": machine, "rows": [asdict(row) for row in rows]}
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return int(any(row.figure > row.target for row in rows))


if __name__ == "__main__":
    sys.exit(main())
