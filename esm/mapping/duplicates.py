"""Two mappings that AWS does not let be side by side: the same source for the same function.

Of Kafka, any broker and topic in common is the same source. Both texts are recorded, with the
spaces inside of the quotes. Several functions, or several qualifiers of one, may read one source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from esm.errors import MappingError
from esm.mapping.properties import EventSourceMapping
from esm.mapping.refusals import DUPLICATE
from esm.mapping.sources import service_of

_FUNCTION = re.compile(r"(?:.*:)?function:(?P<full>.+)|(?P<bare>[^:]+(?::[^:]+)?)")


@dataclass(frozen=True, slots=True)
class Reading:
    """Which function reads what; `brokers` and `topics` are Kafka's, a cluster is one broker."""

    source: str
    brokers: frozenset[str]
    topics: frozenset[str]
    function: str

    @property
    def function_name(self) -> str:
        """The function's name, with its qualifier if it has one."""
        match = _FUNCTION.fullmatch(self.function)
        return self.function if match is None else match["full"] or match["bare"]

    def is_like(self, other: Reading) -> bool:
        """Whether AWS takes only one of the two."""
        if self.function_name != other.function_name:
            return False
        if self.topics or other.topics:
            return bool(self.brokers & other.brokers and self.topics & other.topics)
        return self.source != "" and self.source == other.source


def reading_of(properties: Mapping[str, object], *, function: str | None = None) -> Reading:
    """What a request reads, by properties with AWS's names; what has no sense there is nothing.

    `function` is its name or ARN, where the request does not say it.
    """
    arn = str(properties.get("EventSourceArn", ""))
    if arn and service_of(arn) != "kafka":
        brokers, topics = [], []
    else:
        cluster = properties.get("SelfManagedEventSource")
        endpoints = cluster.get("Endpoints") if isinstance(cluster, dict) else None
        servers = endpoints.get("KAFKA_BOOTSTRAP_SERVERS") if isinstance(endpoints, dict) else None
        brokers = [arn] if arn else _texts(servers)
        topics = _texts(properties.get("Topics"))
    name = function or str(properties.get("FunctionName", ""))
    return Reading(arn or ",".join(brokers), frozenset(brokers), frozenset(topics), name)


def conflict(second: Reading, first: Reading, *, uuid: str) -> MappingError | None:
    """AWS's answer to a second mapping; `uuid` is the first one's."""
    if not second.is_like(first):
        return None
    end = f"already exists. Please update or delete the existing mapping with UUID {uuid}"
    if second.topics:
        topics = ",".join(sorted(second.topics))
        message = (
            f'An event source mapping with event source ("{second.source}"), function '
            f'("{second.function}"), topics ("{topics}") {end}'
        )
    else:
        message = (
            f'The event source arn (" {second.source} ") and function '
            f'(" {second.function_name} ") provided mapping {end}'
        )
    return DUPLICATE.error(message, fix="one mapping for both, or another function for one of them")


def refuse_duplicate(mapping: EventSourceMapping, others: Mapping[str, EventSourceMapping]) -> None:
    """Raise AWS's answer where one of the others, by their UUIDs, is like this mapping."""
    reading = _reading(mapping)
    for uuid, other in others.items():
        error = conflict(reading, _reading(other), uuid=uuid)
        if error is not None:
            raise error


def _reading(mapping: EventSourceMapping) -> Reading:
    return reading_of(mapping.model_dump(by_alias=True, exclude_unset=True))


def _texts(values: object) -> list[str]:
    return [v for v in values if isinstance(v, str)] if isinstance(values, list | tuple) else []
