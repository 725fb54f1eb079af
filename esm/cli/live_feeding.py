"""Captures that are put while a run goes on, in a thread, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Thread

from esm.cli.live_feeds import Feed
from esm.cli.text import counted
from esm.feeding import MakeClient, feed
from esm.live import LiveRun
from esm.patience import Wait

_LAST_CALL_S = 2.0
"""How long a call that is under way when the run is over may take to be counted."""


class _RunIsOver(Exception):
    """Nobody reads what would be put now."""


class Feeding:
    """Puts captures one after another; `write` gets a line for what did not go as it was meant."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        live: LiveRun,
        is_stopping: Event,
        write: Callable[[str], None],
    ) -> None:
        self._feeds = feeds
        self._done = [0] * len(feeds)
        self._live = live
        self._is_stopping = is_stopping
        self._write = write
        self._thread: Thread | None = None

    def start(self, make_client: MakeClient, wait: Wait, speed: float | None) -> None:
        """Begin, once all mappings know where they begin; the run is not idle before the end."""
        if self._feeds:
            self._live.keep_busy(+1)
            self._thread = Thread(
                target=self._put_all, args=(make_client, wait, speed), name="esm feed", daemon=True
            )
            self._thread.start()

    def tell_what_is_left(self) -> None:
        """Once the run is over: which captures were cut short."""
        if self._thread is not None:
            self._thread.join(_LAST_CALL_S)
        for each, done in zip(self._feeds, self._done, strict=True):
            total = sum(map(len, each.capture.shards.values()))
            if done < total:
                records = counted(total, "record")
                self._write(f"{each.path}: {done:,} of {records} put: the run ended first")

    def _put_all(self, make_client: MakeClient, wait: Wait, speed: float | None) -> None:
        try:
            self._live.begun.wait()
            for index in range(len(self._feeds)):
                self._put(index, make_client, wait, speed)
        except _RunIsOver:
            return
        except Exception as error:
            if not self._is_stopping.is_set():
                self._live.fail(error)
        finally:
            self._live.keep_busy(-1)

    def _put(self, index: int, make_client: MakeClient, wait: Wait, speed: float | None) -> None:
        def on_progress(done: int) -> None:
            self._done[index] = done
            self._require_a_run()

        self._require_a_run()
        each = self._feeds[index]
        fed = feed(
            each.capture, make_client, each.arn, wait=wait, speed=speed, on_progress=on_progress
        )
        if fed.overtaken:
            records = counted(fed.overtaken, "record")
            self._write(
                f"{each.path}: {records} behind later ones of the same key: the stream refused"
                " them at first"
            )

    def _require_a_run(self) -> None:
        if self._is_stopping.is_set():
            raise _RunIsOver
