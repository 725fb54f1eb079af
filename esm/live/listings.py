"""What is asked of sources beside records: their shards, and how long they keep records.

Threads ask; everything else happens in the loop's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from esm.core.failure import backoff_ms
from esm.core.model import Position, Shard
from esm.lineage import lacks_children
from esm.live.clock import LiveClock
from esm.live.workers import Workers
from esm.pipeline import Pipeline
from esm.ports import Checkpoint, LiveSource, SourceUnavailable

_RETRY_MS = (1_000, 30_000)
_SOON = 2
"""After so many listings without its children, a shard is taken for the last of its line."""
_RETENTION_MS = 300_000
"""How often a source is asked how long it keeps records, which somebody may have changed."""

Places = dict[str, Position]
"""Where shards begin, by shard id."""


class Listener(Protocol):
    """Hears what came out."""

    def listed(self, pipeline: Pipeline, places: Places | None, shards: Sequence[Shard]) -> None:
        """These shards there are; the first time also where they begin."""

    def not_listed(self, pipeline: Pipeline, error: SourceUnavailable) -> None:
        """The source could not be asked, and will be again."""

    def retention_seen(self, pipeline: Pipeline) -> None:
        """The source has said how long it keeps records now."""

    def do_at(self, instant_ms: int, what: Callable[[], None]) -> None:
        """Have something done at an instant, unless the run is being stopped."""

    def pollers(self, pipeline: Pipeline) -> Workers:
        """The threads that ask a mapping's source."""


class Listings:
    """Asks for shards, again after a failure, and as long as one that has ended has no child."""

    def __init__(self, clock: LiveClock, listener: Listener) -> None:
        self._clock = clock
        self._listener = listener
        self._asked: Counter[Pipeline] = Counter()
        self._waiting: dict[Pipeline, bool] = {}
        """Who is asked again later, and whether that may show something new."""

    @property
    def is_busy(self) -> bool:
        """Whether news of shards is under way."""
        return any(self._asked.values()) or any(self._waiting.values())

    def ask(self, pipeline: Pipeline, failures: int = 0) -> None:
        """Have the listener told of the shards, the first time also of where they begin."""
        self._asked[pipeline] += 1
        saved = pipeline.saved() if pipeline.begun_ms is None else None
        workers = self._listener.pollers(pipeline)
        workers.submit(partial(self._look, pipeline, saved, failures))

    def watch_retention(self, pipeline: Pipeline) -> None:
        """Keep looking how long the source keeps records."""
        due_ms = self._clock.now_ms() + _RETENTION_MS
        self._listener.do_at(due_ms, partial(self._look_at_retention, pipeline))

    def _look(
        self, pipeline: Pipeline, saved: Mapping[str, Checkpoint] | None, failures: int
    ) -> None:
        """In a thread."""
        now_ms = self._clock.now_ms()
        try:
            places = None if saved is None else pipeline.survey(saved, now_ms)
            shards = pipeline.list_shards(now_ms)
        except SourceUnavailable as error:
            self._clock.post(partial(self._not_listed, pipeline, error, failures + 1))
        else:
            self._clock.post(partial(self._listed, pipeline, places, shards, failures + 1))

    def _not_listed(self, pipeline: Pipeline, error: SourceUnavailable, times: int) -> None:
        self._asked[pipeline] -= 1
        self._listener.not_listed(pipeline, error)
        self._ask_again(pipeline, times, may_be_news=True)

    def _listed(
        self, pipeline: Pipeline, places: Places | None, shards: Sequence[Shard], times: int
    ) -> None:
        self._asked[pipeline] -= 1
        self._listener.listed(pipeline, places, shards)
        assert pipeline.stream is not None
        if lacks_children(pipeline.stream.done, shards):
            # A listing may lag behind the end of a shard; of a stream that was turned off there
            # will be none.
            self._ask_again(pipeline, times, may_be_news=times <= _SOON)

    def _ask_again(self, pipeline: Pipeline, times: int, *, may_be_news: bool) -> None:
        is_planned = pipeline in self._waiting
        self._waiting[pipeline] = may_be_news or self._waiting.get(pipeline, False)
        if not is_planned:
            due_ms = self._clock.now_ms() + backoff_ms(times, *_RETRY_MS)
            self._listener.do_at(due_ms, partial(self._go_on, pipeline, times))

    def _go_on(self, pipeline: Pipeline, times: int) -> None:
        del self._waiting[pipeline]
        self.ask(pipeline, times)

    def _look_at_retention(self, pipeline: Pipeline) -> None:
        source: LiveSource = pipeline.source  # type: ignore[assignment]  # of a live run

        def look() -> None:
            with suppress(SourceUnavailable):  # what is known holds; reads tell that it is away
                source.look_at_retention()
            self._clock.post(seen)

        def seen() -> None:
            self._listener.retention_seen(pipeline)
            self.watch_retention(pipeline)

        self._listener.pollers(pipeline).submit(look)
