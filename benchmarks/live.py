"""Live runs against the embedded Kinesis in another process, over HTTP."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REGION, ACCOUNT = "us-east-1", "123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:noop"
PUT_MOST = 500
PAYLOAD = b"x" * 200


@contextmanager
def server() -> Iterator[str]:
    """An `esm serve` of its own; gives its URL."""
    esm = Path(sys.executable).with_name("esm")
    with TemporaryDirectory() as folder:
        command = [str(esm), "serve", "--port", "0"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()


def client(url: str) -> Any:
    from esm.sources.live_clients import live_client

    return live_client("kinesis", url, REGION)


def plain_client(url: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "esm", "aws_secret_access_key": "esm"}
    return boto3.client("kinesis", region_name=REGION, endpoint_url=url, **keys)


def fill(kinesis: Any, name: str, records: int, shards: int) -> None:
    """A new stream with records of 200 B, evenly over its shards."""
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    put(kinesis, name, records)


def put(kinesis: Any, name: str, records: int, data: bytes = PAYLOAD) -> None:
    for first in range(0, records, PUT_MOST):
        numbers = range(first, min(first + PUT_MOST, records))
        entries = [{"Data": data, "PartitionKey": f"key-{n % 997}"} for n in numbers]
        assert kinesis.put_records(StreamName=name, Records=entries)["FailedRecordCount"] == 0


# --- draining -------------------------------------------------------------------------------------


def run_through(
    url: str, name: str, handler: Callable[..., object], until: Any, poll_ms: int | None = None
) -> Any:
    """A live run of one mapping with batches of 1,000, made and not yet begun."""
    from esm.checkpoints.sqlite import SqliteCheckpoints
    from esm.invokers.inline import Function
    from esm.invokers.live import LiveFunction
    from esm.live import LiveRun
    from esm.mapping import create
    from esm.settings import Settings
    from esm.wiring import source_live

    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
    with TemporaryDirectory() as folder, SqliteCheckpoints(Path(folder, "state.db")) as store:
        live = LiveRun(store, Settings(), lambda _: None, poll_interval_ms=poll_ms)
        source = source_live(arn, lambda service, region: client(url))
        source.describe()
        store.claim("m", arn, source.incarnation, embedded=True)
        function = LiveFunction("noop", lambda: handler, Function(), FUNCTION, live.clock.now_ms)
        request = {
            "event_source_arn": arn,
            "function_name": FUNCTION,
            "starting_position": "TRIM_HORIZON",
            "batch_size": 1000,
        }
        live.map("m", source, function, FUNCTION, create(request, now_ms=live.clock.now_ms()))
        until(live)
        return live.pipelines["m"].books.resolved_count


def drain_us(url: str, name: str, records: int) -> tuple[float, float]:
    """CPU µs per record of the poller, and seconds."""
    from esm.live.collector import calm_collector

    figures = []

    def run(live: Any) -> None:
        with calm_collector():  # as `esm run` does
            start, used = time.perf_counter(), time.process_time()
            live.run("idle")
            figures.extend((time.process_time() - used, time.perf_counter() - start))

    done = run_through(url, name, lambda event, context: None, run, 100)
    assert done == records, done
    used, wall = figures
    return used / records * 1e6, wall


def plain_us(url: str, name: str, records: int) -> float:
    """CPU µs per record of boto3's get_records and rebuilding Lambda's event from its answer."""
    kinesis = plain_client(url)
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
    shards = kinesis.list_shards(StreamName=name)["Shards"]
    used, seen = time.process_time(), 0
    for shard in shards:
        asked = {"StreamName": name, "ShardId": shard["ShardId"]}
        found = kinesis.get_shard_iterator(ShardIteratorType="TRIM_HORIZON", **asked)
        iterator = found["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            if not answer["Records"]:
                break
            iterator = answer["NextShardIterator"]
            seen += len(rebuilt(answer["Records"], shard["ShardId"], arn)["Records"])
    used = time.process_time() - used
    assert seen == records, seen
    return used / records * 1e6


def rebuilt(records: list[dict[str, Any]], shard_id: str, arn: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": r["PartitionKey"],
                    "sequenceNumber": r["SequenceNumber"],
                    "data": base64.b64encode(r["Data"]).decode(),
                    "approximateArrivalTimestamp": r["ApproximateArrivalTimestamp"].timestamp(),
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard_id}:{r['SequenceNumber']}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": arn,
                "awsRegion": REGION,
                "eventSourceARN": arn,
            }
            for r in records
        ]
    }


def drain_ratio(rounds: int, records: int = 100_000) -> tuple[list[float], list[float]]:
    """Our CPU per record against plain boto3's, and records per second; interleaved."""
    ratios, rates = [], []
    with server() as url:
        fill(client(url), "drain", records, shards=4)
        drain_us(url, "drain", records)  # imports, and everything that is made once
        for _ in range(rounds):
            ours, wall = drain_us(url, "drain", records)
            ratios.append(ours / plain_us(url, "drain", records))
            rates.append(records / wall)
    return ratios, rates


# --- latency --------------------------------------------------------------------------------------


def latencies_s(poll_ms: int | None, count: int, every_s: float) -> list[float]:
    """From the put to the handler, window 0, one shard; sorted."""
    import json

    seen: list[float] = []

    def handler(event: dict[str, Any], context: object) -> None:
        now = time.monotonic()
        told = [base64.b64decode(record["kinesis"]["data"]) for record in event["Records"]]
        seen.extend(now - json.loads(each) for each in told)

    with server() as url:
        kinesis = client(url)
        kinesis.create_stream(StreamName="s", ShardCount=1)

        def feed(live: Any) -> None:
            live.begun.wait()
            for _ in range(count):
                time.sleep(every_s)
                data = json.dumps(time.monotonic()).encode()
                kinesis.put_record(StreamName="s", Data=data, PartitionKey="k")
            while len(seen) < count:
                time.sleep(0.01)
            live.stop()

        def run(live: Any) -> None:
            threading.Thread(target=feed, args=[live], daemon=True).start()
            live.run()

        run_through(url, "s", handler, run, poll_ms)
    return sorted(seen)


# --- idle shards ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class IdleFigures:
    """CPU µs of a poll of a live run, and of a bare loop over the same client; resident MB."""

    ours_us: float
    bare_us: float
    resident_mb: float


def idle(shards: int, seconds: int) -> IdleFigures:
    """Shards in which nothing happens, each read once a second."""
    from esm.live.collector import calm_collector

    with server() as url:
        kinesis = client(url)
        kinesis.create_stream(StreamName="idle", ShardCount=shards)
        found: list[IdleFigures] = []

        def run(live: Any) -> None:
            def measure() -> None:
                live.begun.wait()
                time.sleep(3)  # every shard has its first iterator
                polls, used = Polls(live), time.process_time()
                time.sleep(seconds)
                used, count = time.process_time() - used, polls.stop()
                found.append(IdleFigures(used / count * 1e6, 0.0, resident_mb()))
                live.stop()

            threading.Thread(target=measure, daemon=True).start()
            live.run()

        with calm_collector():  # as `esm run` does
            run_through(url, "idle", lambda event, context: None, run)
            return replace(found[0], bare_us=bare_us(url, "idle", 2_000))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


class Polls:
    """Counts the reads of a live run from now on."""

    def __init__(self, live: Any) -> None:
        self._runner = live.runner
        self._read = live.runner._read  # noqa: SLF001
        self.count = 0
        self._runner._read = self  # noqa: SLF001

    def __call__(self, *args: Any) -> None:
        self.count += 1
        self._read(*args)

    def stop(self) -> int:
        self._runner._read = self._read  # noqa: SLF001
        return self.count


def bare_us(url: str, name: str, polls: int) -> float:
    """The same polls, one after another, by the same kind of client, and nothing around them."""
    from esm.core.model import TrimHorizon
    from esm.wiring import source_live

    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
    source = source_live(arn, lambda service, region: client(url))
    shard_ids = [shard.shard_id for shard in source.list_shards(0)]
    readers = [source.open(shard_id, lambda: None) for shard_id in shard_ids]
    for reader in readers:
        reader.read(TrimHorizon(), 10_000, 0)
    used = time.process_time()
    for number in range(polls):
        readers[number % len(readers)].read(TrimHorizon(), 10_000, 0)
    return (time.process_time() - used) / polls * 1e6


# --- puts -----------------------------------------------------------------------------------------


def puts_per_second(records: int, writers: int = 8) -> float:
    """Records a second through put_records, by so many writers over HTTP; all are kept."""
    with server() as url:
        kinesis = client(url)
        kinesis.create_stream(StreamName="puts", ShardCount=4)
        start = time.perf_counter()
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(lambda _: put(kinesis, "puts", records // writers), range(writers)))
        rate = records / (time.perf_counter() - start)
        metrics = kinesis.describe_stream_summary(StreamName="puts")["StreamDescriptionSummary"]
        assert metrics["OpenShardCount"] == 4
        return rate
