"""`esm generate scenario`: an application's data, as `esm replay` takes it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from replay_desk import Desk, Ended

from esm.cli.main import main

SHORT = ("internet_provider", "--duration", "10m", "--rate", "2")


def generate(desk: Desk, *arguments: str) -> Ended:
    code = main(["generate", "scenario", *arguments])
    out, err = desk.capsys.readouterr()
    return Ended(code, out, err)


def lines(ended: Ended) -> list[Any]:
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def test_replay_takes_what_was_generated(desk: Desk):
    desk.write("app.py", "def handler(event, context):\n    pass\n")
    assert generate(desk, *SHORT, "--shards", "2", "--out", "sign-ups.jsonl") == Ended(0, "", "")
    ended = desk.replay("sign-ups.jsonl", "--handler", "app:handler")
    first = ended.out.splitlines()[0]
    count = first.split()[1]
    assert (ended.code, first) == (0, f"records      {count} captured: {count} delivered")
    assert 1_000 < int(count.replace(",", "")) < 1_600


def test_records_have_their_keys_and_data(desk: Desk):
    made = lines(generate(desk, *SHORT, "--start", "2026-03-02T09:15:00Z", "--stream", "sign-ups"))
    assert made[0]["eventSourceARN"].endswith(":stream/sign-ups")
    assert made[0]["kinesis"]["approximateArrivalTimestamp"] >= 1772442900
    data = json.loads(base64.b64decode(made[0]["kinesis"]["data"]))
    assert data["user"]["id"] == made[0]["kinesis"]["partitionKey"]


def test_they_can_come_in_events(desk: Desk):
    events = lines(generate(desk, *SHORT, "-o", "events"))
    alone = lines(generate(desk, *SHORT))
    assert max(len(event["Records"]) for event in events) == 100
    assert [record for event in events for record in event["Records"]] == alone


def test_the_seed_decides(desk: Desk):
    first = generate(desk, *SHORT, "--seed", "7")
    assert first == generate(desk, *SHORT, "--seed", "7")
    assert first != generate(desk, *SHORT, "--seed", "8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nope",), "E480", "'nope' is not one of"),
        ((), "E480", "Choose from: abc2badge, abc4logistics, "),
        (("internet_provider", "--duration", "1x"), "E480", "'1x' is not a duration"),
        (("internet_provider", "--duration", "1ms"), "E457", "nothing happens in so short a time"),
        (("internet_provider", "--start", "9999-12-31T23:59:00Z"), "E455", "between 1970 and 9999"),
        (("internet_provider", "--shards", "0"), "E417", "0"),
    ],
)
def test_a_mistake_is_told(desk: Desk, arguments: tuple[str, ...], code: str, message: str):
    ended = generate(desk, *arguments)
    assert ended.code != 0
    assert ended.err.startswith(code)
    assert message in ended.err
