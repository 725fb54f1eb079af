"""What a mapping of a live run is made of: its function, and a source that is there."""

from __future__ import annotations

from collections.abc import Callable

from esm.assembly import function_of, load_handler_of
from esm.cli.live_mappings import Planned
from esm.errors import EndpointError
from esm.invokers.live import LiveFunction
from esm.ports import LiveSource, SourceUnavailable


def live_function(planned: Planned, now: Callable[[], int]) -> LiveFunction:
    """The function in real time; nothing of the user's is imported yet."""
    resource = planned.function.from_anywhere()  # a handler may go to /tmp, and time out there
    return LiveFunction(
        resource.logical_id,
        lambda: load_handler_of(resource),
        function_of(resource, planned.qualifier),
        planned.function_arn,
        now,
    )


def require_source(name: str, source: LiveSource) -> None:
    """Have the stream described. Raises EndpointError E544 where it cannot be read."""
    try:
        source.describe()
    except SourceUnavailable as error:
        raise EndpointError(
            "E544",
            f"{name} cannot read {source.arn}: {error}",
            why="the endpoint was asked for the stream",
            fix="look whether it is up, and whether the stream is there",
        ) from error
