"""What is declared of a resource that moto makes when it is needed first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from esm.embedded.moto_world import Site
from esm.embedded.surroundings import DEFAULT_REGION

Params = Mapping[str, Any]
_ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class Step:
    """A call that completes a resource; `needs` are the ARNs of what has to be there before."""

    operation: str
    params: Params
    needs: tuple[str, ...] = ()


def _nothing() -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource with its name and ARN; `creation` gives the parameters that make it.

    `steps` complete it. `feeders` are the ARNs of what sends to it by itself. `arrivals` gives key
    and JSON of what mappings have delivered to it since it was asked last, and `look` hears that
    somebody reads it. A table's stream has the ARN that the template gives it.
    """

    name: str
    arn: str
    creation: Callable[[], Params]
    steps: Callable[[], Sequence[Step]] = _nothing
    feeders: Callable[[], Sequence[str]] = _nothing
    arrivals: Callable[[], Sequence[tuple[str, bytes]]] = _nothing
    look: Callable[[], object] = _nothing
    stream_arn: str | None = None

    @property
    def site(self) -> Site:
        """Where it is."""
        return site_of(self.arn)


def site_of(arn: str) -> Site:
    """Where something is; a bucket's ARN does not tell."""
    _, _, _, region, account, *_ = arn.split(":")
    return Site(account or _ACCOUNT, region or DEFAULT_REGION)
