"""The functions of handlers/ all at once, as template.yaml has them: each as if it were alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from living import Living

from esm import Harness
from esm.assembly import TemplateMappings, function_of, load_handler_of

ROOT = Path(__file__).parent.parent.parent
EVENTS = {
    "BandwidthEnrichment": "bandwidth_enrichment/batch.json",
    "BadgeLoad": "abc2badge/batch.json",
    "BadgeWindows": "abc2badge/batch.json",
    "SneakerFeatures": "fast_sneakers/clicks.json",
    "SneakerPricing": "fast_sneakers/inference-inputs.json",
    "TruckAlerts": "abc4logistics/deviations.json",
    "TruckArchive": "abc4logistics/readings.jsonl",
    "TruckDetection": "abc4logistics/readings.jsonl",
}
WINDOW = {
    "window": {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:01:00Z"},
    "state": {},
    "shardId": "shardId-000000000001",
    "eventSourceARN": "arn:aws:kinesis:eu-central-1:123456789012:stream/s",
    "isFinalInvokeForWindow": True,
    "isWindowTerminatedEarly": False,
}
TIMES = 3


def event_of(function: str) -> Any:
    text = (ROOT / "events" / EVENTS[function]).read_text()
    if EVENTS[function].endswith(".jsonl"):
        event = {"Records": [json.loads(line) for line in text.splitlines()[:20]]}
    else:
        event = json.loads(text)
    return {**event, **WINDOW} if function in {"BadgeWindows", "TruckDetection"} else event


@pytest.fixture
def app() -> Iterator[TemplateMappings]:
    """The template's resources in a Harness, with no way to AWS."""
    h = Harness()
    made = h.template(ROOT / "template.yaml", {"LogLevel": "CRITICAL"})
    with h.guarded():
        yield made


def test_all_of_them_at_once_answer_as_each_does_alone(app: TemplateMappings, living: Living):
    alone = {name: app.invoke(name, event_of(name)) for name in EVENTS}
    functions = {}
    for name in EVENTS:
        resource = app.template.functions[name]
        functions[name] = living.loaded_by(
            partial(load_handler_of, resource),
            name=resource.function_name,
            timeout=60,
            environment=function_of(resource).environment,
        )
    asked = [
        (name, living.ask(function, event_of(name)))
        for _ in range(TIMES)
        for name, function in functions.items()
    ]
    for name, answer in asked:
        assert answer.payload == alone[name]
    assert [function.cold_starts for function in functions.values()] == [1] * len(EVENTS)
