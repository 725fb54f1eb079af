"""`esm replay --as-is`: captured events, unchanged and once."""

from __future__ import annotations

import json

from replay_desk import Desk, event


def test_events_as_they_are(three_orders: Desk):
    odd = event(8, 9) | {"extra": "kept"}
    three_orders.write("more.jsonl", json.dumps(odd) + "\n" + json.dumps(event(7)))
    ended = three_orders.replay(
        "more.jsonl", "orders.json", "--handler", "orders_app:keeps_event", "--as-is"
    )
    assert (ended.code, ended.out) == (0, "events       3 sent as they are, 0 failed\n")
    seen = (three_orders.folder / "seen.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in seen] == [event(1, 2, 3), event(7), odd]


def test_events_as_they_are_can_be_published(three_orders: Desk):
    ended = three_orders.replay(
        "orders.json", "--handler=orders_app:publishes", "--as-is", "--stream=copies"
    )
    assert ended.code == 0
    assert ended.out.endswith("\npublished    3 records on copies\n")


def test_an_event_that_fails_as_it_is(three_orders: Desk):
    ended = three_orders.replay("orders.json", "--handler", "orders_app:failing", "--as-is")
    assert ended.code == 1
    assert ended.out == (
        "events       1 sent as they are, 1 failed\n"
        "             orders.json:1  ValueError: no such order\n"
    )


def test_events_as_they_are_in_json(three_orders: Desk):
    run = ["orders.json", "--handler", "orders_app:fine", "--as-is", "-o"]
    answer = {
        "place": "orders.json:1",
        "at": "2026-03-02T09:40:03.000Z",
        "records": 3,
        "durationMs": 0,
        "error": None,
        "response": {"batchItemFailures": []},
    }
    whole = three_orders.replay(*run, "json").json
    assert whole == {"events": [answer], "streams": [], "problems": []}
    assert three_orders.replay(*run, "jsonl").json == answer


def test_records_alone_cannot_go_as_they_are(three_orders: Desk):
    three_orders.write("records.jsonl", json.dumps(event(1)["Records"][0]))
    ended = three_orders.replay("records.jsonl", "--handler", "orders_app:fine", "--as-is")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("records.jsonl:1  E485  --as-is needs whole events")


def test_as_it_is_leaves_no_place_for_a_mapping(three_orders: Desk):
    ended = three_orders.replay(
        "orders.json", "--handler", "orders_app:fine", "--as-is", "--batch-size", "5"
    )
    assert ended.code == 2
    assert ended.err == (
        "E480  --as-is has no mapping, so no --batch-size\nfix    esm replay --help\n"
    )


def test_an_object_from_a_bucket_as_it_is(three_orders: Desk):
    info = {"KinesisBatchInfo": {"shardId": "shardId-000000000000"}}
    three_orders.write("object.json", {**info, "payload": json.dumps(event(4, 5))})
    three_orders.replay("object.json", "--handler", "orders_app:keeps_event", "--as-is")
    seen = (three_orders.folder / "seen.jsonl").read_text()
    assert json.loads(seen) == event(4, 5)
