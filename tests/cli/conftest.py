"""Captures and handlers as users have them in a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from replay_desk import Desk, event


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    """An empty folder that is the current one; modules imported from it are forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield Desk(tmp_path, capsys)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def three_orders(desk: Desk) -> Desk:
    """One captured event with three records, and handlers for them in handlers.py."""
    desk.write("orders.json", event(1, 2, 3))
    desk.write(
        "orders_app.py",
        """
import base64, json, os, sys, time
from pathlib import Path


def numbers(event):
    return [json.loads(base64.b64decode(r["kinesis"]["data"]))["id"] for r in event["Records"]]


def fine(event, context):
    return {"batchItemFailures": []}


def chatty(event, context):
    print("handler says", numbers(event))


def failing(event, context):
    raise ValueError("no such order")


def second_is_poison(event, context):
    if 2 in numbers(event):
        raise ValueError("no such order")


def once_bitten(event, context, tries=[]):
    tries.append(1)
    if len(tries) == 1:
        raise ValueError("not yet")


def publishes(event, context):
    import boto3

    boto3.client("kinesis").put_records(
        StreamName="copies",
        Records=[{"Data": b"x", "PartitionKey": str(n)} for n in numbers(event)],
    )


def keeps_event(event, context):
    with Path("seen.jsonl").open("a") as file:
        file.write(json.dumps(event) + "\\n")


def keeps_environment(event, context):
    Path("environment.json").write_text(json.dumps(dict(os.environ)))


def tells_secret(event, context):
    raise PermissionError("password " + os.environ["PASSWORD"] + " refused")


def sleeps(event, context):
    time.sleep(2)


def context_text(event, context):
    raise ValueError(f"{context.function_name} {context.memory_limit_in_mb}")
""",
    )
    return desk
