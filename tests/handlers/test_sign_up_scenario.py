"""An evening hour of sign-ups: what is readable goes out, the rest is put aside."""

from __future__ import annotations

import json
import random
from typing import Any

from sign_up_world import World

from esm import Harness
from esm.instants import parse_instant
from esm.scenarios import internet_provider

START = "2026-03-02T19:00:00Z"
HOUR_MS = 3_600_000


def is_spoilt(data: Any) -> bool:
    return isinstance(data, bytes) or "location" not in data


def test_every_sign_up_of_an_hour_that_can_be_read_goes_out():
    start_ms = parse_instant(START)
    sent = list(internet_provider.records(random.Random(8), start_ms, HOUR_MS, 0.4))
    with Harness(start=START) as h:
        world = World(h)
        mapping = world.mapping
        sound, spoilt = {}, set()
        for record in sent:
            h.advance((record.at_ms - h.instant_ms()) / 1_000)
            event_id = world.put(record.data, key=record.key)
            if is_spoilt(record.data):
                spoilt.add(event_id)
            else:
                sound[event_id] = record.data
        assert h.drain() == "idle"

        ages_ms = [age_ms for _, age_ms in mapping.metrics["IteratorAge"]]
        published = world.published

    assert len(sent) > 2_000
    assert len(spoilt) >= 5
    notes = [message["KinesisBatchInfo"] for message in world.failed.messages]
    assert {note["batchSize"] for note in notes} == {1}
    assert {f"{note['shardId']}:{note['startSequenceNumber']}" for note in notes} == spoilt
    assert published.keys() == sound.keys()
    users = {event_id: data["user"]["id"] for event_id, data in sound.items()}
    assert users == {
        event_id: json.loads(copies[0])["sign_up"]["user"]["id"]
        for event_id, copies in published.items()
    }
    assert max(ages_ms) < 120_000, "the alarm of the template is silent"
