"""InternetProvider in a Harness, as `template.yaml` has it, and what its tests ask of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from esm import Harness
from esm.assembly import function_of, load_handler_of
from esm.destinations.memory import Queue
from esm.sources.memory import KinesisStream
from esm.view import Mapping

ROOT = Path(__file__).parent.parent.parent
MAPPING, FUNCTION = "BandwidthEnrichmentSignups", "BandwidthEnrichment"
OF_THE_HARNESS = {"event_source_arn", "function_name"}


def sign_up(number: int, user: str = "", **location: str) -> dict[str, Any]:
    """A sign-up as the application sends it; each of another person unless told."""
    return {
        "user": {
            "id": user or f"user-{number}",
            "name": "Ada Costa",
            "email": f"user{number}@example.com",
        },
        "location": {"country": "DE", "postal_code": "10115", "city": "Berlin", **location},
        "signed_up_at": "2026-01-01T00:00:00Z",
    }


class World:
    """The application: its two streams, its mapping, and the queue of what was put aside."""

    def __init__(self, h: Harness, **parameters: str) -> None:
        self.h = h
        self.app = h.template(ROOT / "template.yaml", {"LogLevel": "CRITICAL", **parameters})
        self.sign_ups = self._stream("SignUps")
        self.enriched = self._stream("EnrichedSignUps")
        queue = h.destinations[self.app.template.queues["FailedSignUps"].arn]
        assert isinstance(queue, Queue)
        self.failed = queue

    @property
    def mapping(self) -> Mapping:
        """The template's, which begins when it is asked for."""
        return self.app[MAPPING]

    def another(self, name: str, enriched: str | None = None, **changed: Any) -> Mapping:
        """One more mapping of the same stream, like the template's but for what is told."""
        resource = self.app.template.functions[FUNCTION]
        if enriched is not None:
            resource = resource.with_variables({"ENRICHED_STREAM_NAME": enriched})
        properties = self.app.template.mappings[MAPPING].properties
        given = {key: value for key, value in properties.items() if key not in OF_THE_HARNESS}
        with self.h.guarded():
            handler = load_handler_of(resource)
        return self.h.map(
            self.sign_ups,
            handler,
            name=name,
            function=replace(function_of(resource), name=name),
            **{**given, **changed},
        )

    def put(self, data: dict[str, Any] | bytes, key: str = "unreadable") -> str:
        """Put a sign-up into the first stream, under its user; the event id that it gets."""
        if isinstance(data, dict):
            key = data["user"]["id"]
        record = self.sign_ups.put(data, key=key)
        return f"{record.shard_id}:{record.sequence_number}"

    @property
    def published(self) -> dict[str, list[bytes]]:
        """What came out on the second stream: all copies by their event id."""
        return copies_on(self.enriched)

    def _stream(self, logical_id: str) -> KinesisStream:
        return self.h.streams[self.app.template.streams[logical_id].name]


def copies_on(stream: KinesisStream) -> dict[str, list[bytes]]:
    """What a consumer that keeps the ids it has seen makes of a stream."""
    messages: dict[str, list[bytes]] = defaultdict(list)
    for record in stream.records:
        messages[record.json["event_id"]].append(record.data)
    return dict(messages)
