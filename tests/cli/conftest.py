"""Captures and handlers as users have them in a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import checkpoint_desk
import pytest
from replay_desk import Desk, event

from esm.clock import VirtualClock

if TYPE_CHECKING:
    from aws_desk import LiveDesk

    from esm.embedded.aws import EmbeddedAws


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


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS that the tests of a module share: each makes streams of its own."""
    from esm.embedded.aws import EmbeddedAws

    with EmbeddedAws(port=0) as server:
        yield server


@pytest.fixture
def live(
    desk: Desk,
    aws: EmbeddedAws,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> LiveDesk:
    """An empty folder and that AWS, and nobody's variables that name another."""
    from aws_desk import LiveDesk

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return LiveDesk(desk, aws, capsys)


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


@pytest.fixture
def empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> checkpoint_desk.Desk:
    """A folder in which nothing has run yet; it is 2026-01-01T00:00:00Z."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for module in ("list", "reset"):
        clock = VirtualClock(checkpoint_desk.NOW_MS)
        monkeypatch.setattr(f"esm.cli.checkpoints_{module}.SystemClock", lambda c=clock: c)
    return checkpoint_desk.Desk(tmp_path, capsys)


@pytest.fixture
def ran(empty: checkpoint_desk.Desk) -> checkpoint_desk.Desk:
    """The same, 12 seconds after two mappings have run."""
    with empty.store() as store:
        checkpoint_desk.seed(store)
    return empty
