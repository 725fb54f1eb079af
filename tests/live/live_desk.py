"""`esm` as people run it: in a folder of its own, in a process that can be told to end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from esm.checkpoints.sqlite_file import read_file
from esm.sources.live_clients import live_client

_URL = re.compile(r"http://127\.0\.0\.1:\d+")
ESM = Path(sys.executable).with_name("esm")
PATIENCE_S = 30

TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Kinesis::Stream
    Properties: {Name: orders, ShardCount: %(shards)d}
  Failed:
    Type: AWS::SQS::Queue
    Properties: {QueueName: failed}
  Seen:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: app/
      Handler: app.handler
      Runtime: python3.11
      Timeout: %(timeout)d
      Events:
        Orders:
          Type: Kinesis
          Properties:
            Stream: !GetAtt Orders.Arn
            StartingPosition: %(start)s
            BatchSize: %(batch)d
            MaximumRetryAttempts: %(retries)d
            ParallelizationFactor: %(lanes)d
            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}
"""

# Each key of an event in a line of its own, written in one piece, as a log would have it.
HANDLER = """\
import os

def handler(event, context):
    lines = "".join(r["kinesis"]["partitionKey"] + "\\n" for r in event["Records"])
    with open(os.environ["SEEN"], "a") as file:
        file.write(lines)
"""
MAPPING = "SeenOrders"


class Desk:
    """A folder with a template and a function that writes down the keys that it has seen."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen_file = folder / "seen.txt"
        self.state = folder / ".esm" / "checkpoints.db"
        self._running: list[Running] = []
        self.write()

    def write(
        self,
        handler: str = HANDLER,
        shards: int = 1,
        timeout: int = 5,
        start: str = "TRIM_HORIZON",
        batch: int = 100,
        retries: int = 1,
        lanes: int = 1,
    ) -> None:
        values = {
            "shards": shards,
            "timeout": timeout,
            "start": start,
            "batch": batch,
            "retries": retries,
            "lanes": lanes,
        }
        (self.folder / "template.yaml").write_text(TEMPLATE % values)
        (self.folder / "app").mkdir(exist_ok=True)
        (self.folder / "app" / "app.py").write_text(handler)

    def capture(self, name: str, *keys: str) -> None:
        """A file of records as `aws kinesis get-records` shows them."""
        lines = (
            {
                "SequenceNumber": str(10**55 + number),
                "ApproximateArrivalTimestamp": 1_767_225_600 + number,
                "Data": "e30=",
                "PartitionKey": key,
            }
            for number, key in enumerate(keys)
        )
        (self.folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))

    @property
    def seen(self) -> list[str]:
        """The keys that the function has seen, those of whole lines."""
        return self.seen_file.read_text().split("\n")[:-1] if self.seen_file.exists() else []

    @property
    def checkpoints(self) -> dict[str, int]:
        """Up to where all is resolved, by shard, once anything is."""
        current = [each for each in read_file(self.state) if each.set_aside_at_ms is None]
        shards = current[0].shards if current else {}
        saved = {shard_id: each.checkpoint for shard_id, each in shards.items()}
        return {shard_id: each.position for shard_id, each in saved.items() if not each.pinned}

    def start(self, *arguments: str, **environment: str) -> Running:
        running = Running(self, arguments, environment)
        self._running.append(running)
        return running

    def run(self, *arguments: str, **environment: str) -> Running:
        """To its end."""
        running = self.start(*arguments, **environment)
        running.wait()
        return running

    def serve(self, *arguments: str) -> Running:
        """An `esm serve` that is up."""
        served = self.start("serve", "--port", "0", *arguments)
        served.until(lambda: served.stdout)
        return served

    def close(self) -> None:
        for running in self._running:
            running.kill()


class Running:
    """One `esm …` and what it has printed so far."""

    def __init__(self, desk: Desk, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        kept |= {"SEEN": str(desk.seen_file), "COLUMNS": "80"} | environment
        self.process = subprocess.Popen(
            [str(ESM), *arguments],
            cwd=desk.folder,
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._desk = desk
        self._out: list[str] = []
        self._err: list[str] = []
        self._readers = [
            threading.Thread(target=_collect, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self.process.stdout, self._out),
                (self.process.stderr, self._err),
            )
        ]
        for reader in self._readers:
            reader.start()

    @property
    def stdout(self) -> str:
        return "".join(self._out)

    @property
    def stderr(self) -> str:
        return "".join(self._err)

    @property
    def code(self) -> int | None:
        return self.process.poll()

    @property
    def url(self) -> str:
        """Where the embedded AWS listens."""
        self.until(lambda: _URL.search(self.stdout + self.stderr))
        found = _URL.search(self.stdout + self.stderr)
        assert found
        return found[0]

    @property
    def answer(self) -> Any:
        return json.loads(self.stdout)

    def client(self, service: str = "kinesis") -> Any:
        return live_client(service, self.url, "us-east-1")

    def put(self, *keys: str, stream: str = "orders") -> list[int]:
        """Gives the places of the records."""
        kinesis, places = self.client(), []
        for first in range(0, len(keys), 500):
            entries = [{"Data": b"{}", "PartitionKey": key} for key in keys[first : first + 500]]
            answer = kinesis.put_records(StreamName=stream, Records=entries)
            assert answer["FailedRecordCount"] == 0
            places += [int(record["SequenceNumber"]) for record in answer["Records"]]
        return places

    def until(self, happened: Callable[[], object]) -> None:
        """Wait for something, for a bounded time, while it runs."""
        end = time.monotonic() + PATIENCE_S
        while not happened():
            assert self.code is None or happened(), f"it has ended:\n{self.stdout}{self.stderr}"
            assert time.monotonic() < end, f"it has not happened:\n{self.stdout}{self.stderr}"
            time.sleep(0.01)

    def until_seen(self, *keys: str) -> None:
        self.until(lambda: set(keys) <= set(self._desk.seen))

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        code = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(5)
        return code

    def kill(self) -> None:
        if self.code is None:
            self.process.kill()
        self.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def _collect(stream: Any, lines: list[str]) -> None:
    lines.extend(iter(stream.readline, ""))
