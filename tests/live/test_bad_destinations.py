"""A destination that cannot take what is given up: nobody else waits, and all is counted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
import road
from live_world import World, numbers
from road import Road
from roads import REGION

from esm.cli.live_books import LiveBooks
from esm.cli.live_lines import Problems
from esm.destinations.retrying import Retrying
from esm.destinations.sqs import SqsDestination
from esm.embedded.aws import EmbeddedAws
from esm.runner import Ended
from esm.sources.live_clients import live_client
from esm.trace import Entry

_numbers = itertools.count()
TROUBLES = (
    road.reset,
    road.throttled,
    road.broken_server,
    road.page,
    road.cut_off,
    road.half,
)


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(port=0) as aws:
        yield aws


class Post:
    """Two mappings: one fails and has a queue at the end of a road, and one is fine."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.queues = live_client("sqs", aws.url, REGION)
        name = f"failed-{next(_numbers)}"
        self.queue_url = self.queues.create_queue(QueueName=name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:{REGION}:123456789012:{name}"
        self.road = Road(aws.url)
        self.lines: list[str] = []
        self.books = LiveBooks(["mapping-0", "mapping-1"])
        problems = Problems(self.lines.append)

        def hear(entry: Entry) -> None:
            self.books.hear(entry)
            problems.hear(entry)

        self.world = World(hear=hear)
        self.fine_events: list[dict[str, Any]] = []
        self.poison, self.fine = self.world.stream("poison"), self.world.stream("fine")
        self.stopping = Event()

    def start(self, attempts: int = 1_000) -> None:
        queue = SqsDestination(self.arn, live_client("sqs", self.road.url, REGION))
        patient = Retrying(
            queue,
            attempts=attempts,
            first_ms=10,
            cap_ms=20,
            wait=lambda seconds: not self.stopping.wait(seconds),
        )
        self.pipeline = self.world.map(
            self.poison, _fail, patient, maximum_retry_attempts=0, batch_size=1
        )
        self.world.map(self.fine, self.fine_events.append)
        self.world.start()

    def stop(self) -> Any:
        self.world.live.stop()
        self.stopping.set()
        return self.world.wait()

    @property
    def dropped(self) -> int:
        return self.books.mappings["mapping-0"].dropped

    @property
    def discarded(self) -> int:
        return self.books.mappings["mapping-0"].discarded

    @property
    def checkpoint(self) -> int | None:
        saved = self.world.store.load(self.pipeline.name, self.poison.arn)
        return next((each.position for each in saved.values() if not each.pinned), None)

    def sent(self) -> list[str]:
        """The first sequence numbers of the batches in the queue, each once."""
        found: list[str] = []
        while messages := self._receive():
            for message in messages:
                batch = json.loads(message["Body"])["KinesisBatchInfo"]
                found.append(batch["startSequenceNumber"])
        return sorted(set(found))

    def _receive(self) -> list[dict[str, Any]]:
        answer = self.queues.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            self.queues.delete_message(
                QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
            )
        return list(answer.get("Messages", []))

    def require_that_others_go_on(self) -> None:
        for key in ("a", "b", "c"):
            self.fine.stream.put(key, key=key)
            self.world.until(lambda key=key: key in numbers(self.fine_events))

    def close(self) -> None:
        self.stopping.set()
        self.road.close()
        self.world.live.stop()
        self.queues.close()


@pytest.fixture
def post(aws: EmbeddedAws) -> Iterator[Post]:
    made = Post(aws)
    yield made
    made.close()


def _fail(event: dict[str, Any]) -> None:
    raise ValueError("no")


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.__name__)
def test_a_batch_waits_until_its_destination_takes_it_and_others_do_not(trouble, post: Post):
    post.road.trouble = trouble
    post.start()
    post.poison.stream.put_many(["1", "2"], key="bad")
    post.world.until(lambda: len(post.road.asked) >= 3)
    post.require_that_others_go_on()
    assert not post.discarded
    post.road.trouble = None
    post.world.until(lambda: post.discarded == 2)
    assert post.stop() is Ended.STOPPED
    records = post.poison.stream.records
    assert post.sent() == [str(each.position) for each in records]
    assert post.dropped == 0
    assert post.checkpoint == records[-1].position


def test_a_destination_that_is_away_gets_the_batch_when_it_is_back(post: Post):
    post.road.close()
    post.start()
    post.poison.stream.put("1", key="bad")
    post.require_that_others_go_on()
    assert not post.discarded
    post.road.open()
    post.world.until(lambda: post.discarded == 1)
    post.stop()
    assert len(post.sent()) == 1


@pytest.mark.parametrize("trouble", [road.denied, road.bad_request], ids=lambda t: t.__name__)
def test_a_destination_that_refuses_is_not_asked_twice_and_the_batch_is_counted(trouble, post):
    post.road.trouble = trouble
    post.start()
    post.poison.stream.put("1", key="bad")
    post.world.until(lambda: post.dropped == 1)
    assert len(post.road.asked) == 1
    require_told(post)


def test_a_destination_that_never_comes_back_is_given_up_and_the_batch_is_counted(post: Post):
    post.road.trouble = road.broken_server
    post.start(attempts=3)
    post.poison.stream.put("1", key="bad")
    post.world.until(lambda: post.dropped == 1)
    assert len(post.road.asked) == 3
    require_told(post)
    assert "(tried 3 times)" in post.lines[1]


def require_told(post: Post) -> None:
    failed, refused, gone = (line[10:] for line in post.lines)
    assert failed == "mapping-0, shard 0: 1 record: the function failed: ValueError: no"
    untaken = f"mapping-0, shard 0: the destination did not take a batch: {post.arn}: "
    assert refused.startswith(untaken)
    assert gone.endswith("1 record discarded (RetryAttemptsExhausted), kept nowhere")
    assert post.checkpoint == post.poison.stream.records[-1].position


def test_who_stops_meanwhile_finds_the_batch_in_front_of_the_checkpoint(post: Post):
    post.road.trouble = road.broken_server
    post.start()
    post.poison.stream.put("1", key="bad")
    post.world.until(lambda: len(post.road.asked) >= 3)
    assert post.stop() is Ended.STOPPED
    assert post.checkpoint is None
    assert post.dropped == 0
