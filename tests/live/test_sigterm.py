"""SIGTERM in the middle of each trouble: the run ends soon, and its checkpoints are right."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from time import monotonic

import pytest
import road
from full_disk import fill_disk, put_until_it_is_noticed
from live_desk import HANDLER, Desk, Running
from road import Road, Traveller, pass_on

FAST = ("--poll-interval", "0.02", "--set", "backoff_first=10ms")
SOON_S = 5
_ON_BAD = f"{HANDLER}    if 'bad' in lines:\n        "
FAILING = f"{_ON_BAD}raise ValueError('bad')\n"
HANGING = f"{_ON_BAD}import time; time.sleep(60)\n"


class Scene:
    """A run that reads the stream of an `esm serve` over a road, and has delivered a record."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.served = desk.serve()
        self.road = Road(self.served.url)
        self.running = self._start()
        self.places = self.served.put("good")
        self.running.until_seen("good")
        self.running.until(lambda: self.saved == self.places)

    def _start(self) -> Running:
        return self.desk.start("run", "--endpoint-url", self.road.url, *FAST)

    @property
    def saved(self) -> list[int]:
        return list(self.desk.checkpoints.values())

    def until_told(self, text: str) -> None:
        self.running.until(lambda: text in self.running.stderr)

    def end(self, code: int = 0) -> None:
        """SIGTERM; and afterwards the next run begins behind what was delivered."""
        began = monotonic()
        self.running.signal(signal.SIGTERM)
        assert self.running.wait() == code, self.running.stderr
        assert monotonic() - began < SOON_S, self.running.stderr
        assert "Traceback" not in self.running.stderr
        assert self.saved == self.places

    def go_on(self) -> None:
        """All is well again: nothing is lost, and what was saved does not come again."""
        self.road.trouble = None
        self.desk.write()
        self.places = self.served.put("next")
        self.running = self._start()
        self.running.until_seen("next")
        self.end()
        assert self.desk.seen.count("good") == 1


@pytest.fixture
def scene(desk: Desk, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """With what a test says of its function."""
    desk.write(**getattr(request, "param", {}))
    made = Scene(desk)
    yield made
    made.road.close()


@pytest.mark.parametrize("trouble", [road.broken_server, road.reset, road.page])
def test_while_the_stream_cannot_be_read(trouble, scene: Scene):
    scene.road.trouble = trouble
    scene.until_told("cannot be read")
    scene.end()
    scene.go_on()


def test_while_the_endpoint_is_down(scene: Scene):
    scene.road.close()
    scene.until_told("cannot be read")
    scene.end()
    scene.road.open()
    scene.go_on()


def test_while_a_read_hangs(scene: Scene):
    scene.road.trouble = road.black_hole
    scene.running.until(lambda: scene.road.held)
    scene.end()


@pytest.mark.parametrize("scene", [{"handler": FAILING, "retries": -1}], indirect=True)
def test_while_a_batch_fails_again_and_again(scene: Scene):
    scene.served.put("bad")
    scene.until_told("attempt 4")
    scene.end()
    scene.go_on()
    assert scene.desk.seen[-2:] == ["bad", "next"]


@pytest.mark.parametrize("scene", [{"handler": HANGING, "timeout": 2}], indirect=True)
def test_while_a_function_hangs_it_has_its_timeout(scene: Scene):
    scene.served.put("bad")
    scene.running.until_seen("bad")
    scene.end()
    assert "timed out after 2.00 seconds" in scene.running.stderr
    scene.go_on()


@pytest.mark.parametrize("trouble", [road.black_hole, road.broken_server])
@pytest.mark.parametrize("scene", [{"handler": FAILING, "retries": 0}], indirect=True)
def test_while_the_destination_does_not_answer(trouble, scene: Scene):
    def for_queues(traveller: Traveller) -> None:
        is_send = traveller.operation == "SendMessage"
        (trouble if is_send else pass_on)(traveller)

    scene.road.trouble = for_queues
    scene.served.put("bad")
    scene.running.until(lambda: "SendMessage" in scene.road.asked)
    scene.end()  # the batch is not given up: the next run begins with it
    scene.go_on()
    assert scene.desk.seen[-2:] == ["bad", "next"]


def test_while_the_disk_is_full(scene: Scene):
    fill_disk(scene.desk, scene.running)
    put_until_it_is_noticed(scene.desk, scene.served, scene.running)
    scene.places = scene.saved  # what was delivered since then is delivered again
    scene.end(code=6)
    assert "the last checkpoints are not saved" in scene.running.stderr
    scene.go_on()


def test_while_the_disk_was_full_a_moment_ago(scene: Scene):
    """What could not be saved is tried once more at the end."""
    make_room = fill_disk(scene.desk, scene.running)
    put_until_it_is_noticed(scene.desk, scene.served, scene.running)
    make_room()
    scene.running.signal(signal.SIGTERM)
    assert scene.running.wait() == 0
    scene.go_on()
    assert len(scene.desk.seen) == len(set(scene.desk.seen))
