"""The Kinesis API over in-memory streams, for one account in one region.

`handle` takes the parameters that a botocore client was given and answers what it would return,
without ResponseMetadata: data is bytes, instants are aware datetimes. `kinesis_wire` speaks JSON.
Whatever changes a stream is done when the call returns: it is always ACTIVE.
https://docs.aws.amazon.com/kinesis/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from esm.embedded.kinesis_model import check
from esm.embedded.kinesis_operations import ON_ACCOUNT, ON_STREAM, SUBSCRIBE, SUBSCRIBE_TO_SHARD
from esm.embedded.kinesis_streams import Account, MakeStream, named_in
from esm.embedded.kinesis_subscribe import Subscription, Subscriptions
from esm.errors import EndpointError
from esm.sources.memory import KinesisStream

Params = Mapping[str, Any]
Answer = dict[str, Any]


class KinesisApi:
    """The operations over `streams`, by name; streams may be added to the mapping later.

    `make_stream` makes those of CreateStream; without it streams come from elsewhere, and neither
    they nor their consumers go away. `consumer_created_ms`: the instant that every consumer's ARN
    and description tell, where that is not its registration's.
    """

    service = "kinesis"
    checks_parameters = False

    def __init__(
        self,
        streams: MutableMapping[str, KinesisStream],
        make_stream: MakeStream | None = None,
        *,
        account: str = "123456789012",
        region: str = "us-east-1",
        consumer_created_ms: int | None = None,
    ) -> None:
        self._account = Account(streams, make_stream, account, region)
        self._subscriptions = Subscriptions(self._account)
        self._consumer_created_ms = consumer_created_ms

    @property
    def resources(self) -> list[str]:
        """The names of the streams."""
        return list(self._account.streams)

    def asked_for(self, params: Params) -> str | None:
        """The stream that a call is about, in the caller's words; None when it names none."""
        return named_in(params)

    def owns(self, operation: str, params: Params) -> bool:
        """Whether the call is about one of our streams."""
        if operation in ("ListStreams", "DescribeLimits"):
            return bool(self._account.streams)
        return self.find(params) is not None

    def find(self, params: Params) -> KinesisStream | None:
        """The stream that a call is about; None when it is none of ours."""
        asked = named_in(params)
        return None if asked is None else self._account.find(asked)

    def handle(self, operation: str, params: Params, now_ms: int) -> Answer:
        """Do one call. Raises KinesisApiError where AWS would answer an error."""
        if operation in ON_STREAM:
            return self._on_stream(operation, params, now_ms)
        known = ON_ACCOUNT.get(operation)
        if known is None:
            raise _not_emulated(operation)
        _check_parameters(operation, params, known.parameters)
        check(operation, params)
        return known.run(self._account, params, now_ms)

    def subscribe(self, params: Params, now_ms: int, on_put: Callable[[], None]) -> Subscription:
        """SubscribeToShard; `on_put` is called, by any thread, when there may be an event.

        Raises KinesisApiError where AWS would answer an error.
        """
        _check_parameters(SUBSCRIBE_TO_SHARD, params, SUBSCRIBE)
        check(SUBSCRIBE_TO_SHARD, params)
        stream = self._account.asked_for(params)
        return self._subscriptions.subscribe(stream, params, now_ms, on_put)

    def remedy(self, params: Params) -> str:
        """The line of a test that makes the stream."""
        asked = self.asked_for(params) or "stream"
        return f'esm.kinesis("{asked.rpartition("/")[2]}")'

    def _on_stream(self, operation: str, params: Params, now_ms: int) -> Answer:
        known = ON_STREAM[operation]
        _check_parameters(operation, params, known.parameters)
        if known.is_modelled:
            check(operation, params)
        stream = self._account.asked_for(params)
        if operation == "RegisterStreamConsumer" and self._consumer_created_ms is not None:
            now_ms = self._consumer_created_ms
        return known.run(stream, params, now_ms)


def _not_emulated(operation: str) -> EndpointError:
    if operation == SUBSCRIBE_TO_SHARD:
        return EndpointError(
            "E502",
            "the embedded Kinesis does not do SubscribeToShard in a Harness",
            why="it pushes for five minutes of real time",
            fix="h.map(stream.consumer(NAME), handler), or get_records",
        )
    return EndpointError(
        "E502",
        f"the embedded Kinesis does not do {operation} yet",
        why="not emulated",
        fix=f"leave {operation} out",
    )


def _check_parameters(operation: str, params: Params, known: frozenset[str]) -> None:
    for name, value in params.items():
        if name in known or (name == "DryRun" and value is False):
            continue
        raise EndpointError(
            "E502",
            f"the embedded Kinesis does not know {operation}'s parameter {name} yet",
            why="not emulated",
            fix=f"leave {name} out",
        )
