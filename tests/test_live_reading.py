"""A live source read for its own sake, shard after shard, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import pytest

from esm.clock import VirtualClock
from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, Latest, Position, Shard, TrimHorizon
from esm.payloads.kinesis import KinesisRecord, make_record
from esm.ports import SourceUnavailable
from esm.reading import Read, Reading

Answer = RecordsArrived | PollFailed
END = RecordsArrived((), end_of_shard=True)
NOTHING = RecordsArrived(())


def record(number: int) -> KinesisRecord:
    return make_record(
        position=number, key="k", arrived_ms=0, base64="eA==", shard_id="one", ordinal=0
    )


class Reader:
    """Answers what it is told to, then nothing, and remembers from where it was asked."""

    must_poll = True

    def __init__(self, shard_id: str, source: Source) -> None:
        self._shard_id = shard_id
        self._source = source

    def read(self, position: Position, limit: int, now_ms: int) -> Answer:
        self._source.asked.append((self._shard_id, position, now_ms))
        answers = self._source.answers[self._shard_id]
        return answers.pop(0) if answers else NOTHING

    def ready_ms(self, position: Position, now_ms: int) -> int | None:
        return now_ms

    def idle_until(self, instant_ms: int) -> None:
        raise AssertionError("nothing is skipped")

    def close(self) -> None:
        self._source.closed.append(self._shard_id)


class Source:
    """Shards with their parents, and what reads of each of them give."""

    arn, retention_ms, incarnation = "arn:aws:kinesis:us-east-1:123456789012:stream/s", None, "1"

    def __init__(self, parents: dict[str, tuple[str, ...]], **answers: Sequence[Answer]) -> None:
        self.parents = parents
        self.answers = {shard_id: list(answers.get(shard_id, ())) for shard_id in parents}
        self.asked: list[tuple[str, Position, int]] = []
        self.closed: list[str] = []
        self.pinned: list[str] = []

    def describe(self) -> None:
        """It is there."""

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        return [Shard(shard_id, parents) for shard_id, parents in self.parents.items()]

    def pin(self, shard_id: str, position: Position, now_ms: int) -> Position:
        self.pinned.append(shard_id)
        return After(100) if isinstance(position, Latest) else position

    def beginning(self, shard_id: str) -> Position:
        return TrimHorizon()

    def whole_before(self, shard_id: str, position: int) -> int | None:
        return position

    def sequence_number_of(self, position: int) -> str:
        return str(position)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> Reader:
        return Reader(shard_id, self)


def reading(
    source: Source,
    start: Position | None = None,
    *,
    only: Sequence[str] = (),
    patience_ms: int = 5_000,
) -> Reading:
    clock = VirtualClock(0)

    def wait(seconds: float) -> bool:
        clock.wait_until(clock.now_ms() + round(seconds * 1000))
        return clock.now_ms() < patience_ms

    return Reading(source, start or TrimHorizon(), only=only, now=clock.now_ms, wait=wait)


def test_each_read_goes_on_where_the_one_before_has_ended():
    source = Source({"one": ()}, one=[RecordsArrived([record(1), record(2)]), NOTHING])
    reads = list(islice(reading(source).reads(), 3))

    assert [[each.position for each in read.records] for read in reads] == [[1, 2], [], []]
    places = [position for _, position, _ in source.asked]
    assert places == [TrimHorizon(), After(2), After(2)]


def test_it_reads_once_a_second_and_more_often_when_it_is_behind():
    behind = RecordsArrived([record(1)], millis_behind=1)
    source = Source({"one": ()}, one=[behind, behind])
    assert len(list(reading(source).reads())) == 7

    assert [at for *_, at in source.asked] == [0, 250, 500, 1_500, 2_500, 3_500, 4_500]


def test_a_read_that_fails_is_told_and_made_again():
    trouble = PollFailed(PollFailure.THROTTLED, "Rate exceeded")
    source = Source({"one": ()}, one=[trouble, RecordsArrived([record(1)])])

    first, second = islice(reading(source).reads(), 2)

    assert first == Read("one", problem="Rate exceeded")
    assert [each.position for each in second.records] == [1]
    assert [at for *_, at in source.asked] == [0, 1_000]


def test_a_failure_without_words_is_told_by_its_kind():
    source = Source({"one": ()}, one=[PollFailed(PollFailure.UNAVAILABLE)])
    (read,) = islice(reading(source).reads(), 1)
    assert read.problem == "Unavailable"


def test_what_was_lost_is_told():
    source = Source({"one": ()}, one=[RecordsArrived([record(9)], trimmed=True)])
    (read,) = islice(reading(source).reads(), 1)
    assert read.trimmed


def test_children_are_read_behind_their_parents_and_then_it_is_over():
    parents: dict[str, tuple[str, ...]] = {"old": (), "left": ("old",), "right": ("old",)}
    source = Source(parents, old=[NOTHING, END], left=[END], right=[END])
    reads = list(reading(source).reads())

    assert [read.shard_id for read in reads] == ["old", "old", "left", "right"]
    assert source.closed == ["old", "left", "right"]


def test_every_place_is_taken_before_the_first_read():
    parents: dict[str, tuple[str, ...]] = {"old": (), "new": ("old",)}
    source = Source(parents, old=[END])
    list(islice(reading(source, Latest()).reads(), 2))

    assert source.pinned == ["old", "new"]
    assert source.asked == [("old", After(100), 0), ("new", After(100), 0)]


def test_shards_that_come_later_are_read_from_their_beginning():
    class Splitting(Source):
        """The first listing does not have the child yet."""

        def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
            shards = super().list_shards(now_ms, since_ms)
            return shards if self.asked else shards[:1]

    source = Splitting({"old": (), "new": ("old",)}, old=[END])
    list(islice(reading(source, Latest()).reads(), 2))

    assert source.asked == [("old", After(100), 0), ("new", TrimHorizon(), 0)]


class Lagging(Source):
    """Its listings have a child only from the given instant on."""

    def __init__(self, from_ms: int) -> None:
        super().__init__({"old": (), "new": ("old",)}, old=[END], new=[END])
        self.from_ms = from_ms
        self.listed: list[int] = []

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        self.listed.append(now_ms)
        shards = super().list_shards(now_ms, since_ms)
        return shards if now_ms >= self.from_ms else shards[:1]


def test_a_child_that_is_listed_late_is_read_all_the_same():
    source = Lagging(from_ms=2_500)
    assert [read.shard_id for read in reading(source).reads()] == ["old", "new"]
    assert source.listed[:4] == [0, 0, 1_000, 3_000]
    assert source.asked[-1] == ("new", TrimHorizon(), 3_000)


def test_children_that_do_not_come_are_looked_for_a_few_times():
    source = Lagging(from_ms=1_000_000)
    assert [read.shard_id for read in reading(source, patience_ms=60_000).reads()] == ["old"]
    assert source.listed == [0, 0, 1_000, 3_000, 7_000]


def test_who_has_enough_need_not_wait_for_children():
    source = Lagging(from_ms=1_000_000)
    assert [read.shard_id for read in reading(source, patience_ms=500).reads()] == ["old"]
    assert source.listed == [0, 0]


def test_nobody_waits_for_children_that_nobody_wants():
    source = Lagging(from_ms=1_000_000)
    assert [read.shard_id for read in reading(source, only=["old"]).reads()] == ["old"]
    assert source.listed == [0, 0]


def test_other_shards_are_read_while_a_child_is_to_come():
    source = Lagging(from_ms=0)
    source.parents = {"old": (), "other": ()}  # no child ever
    source.answers["other"] = []
    list(reading(source).reads())
    others = [at for shard_id, _, at in source.asked if shard_id == "other"]
    assert others == [0, 1_000, 2_000, 3_000, 4_000]
    assert source.listed == [0, 0, 1_000, 3_000]


class Throttled(Source):
    """Refuses so many listings behind the first one."""

    def __init__(self, times: int, *, fatal: bool = False) -> None:
        last = RecordsArrived([record(1)], end_of_shard=True)
        super().__init__({"old": (), "new": ("old",)}, old=[last], new=[END])
        self.times, self.fatal = times, fatal

    def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
        if self.asked and self.times > 0:
            self.times -= 1
            raise SourceUnavailable("Rate exceeded", fatal=self.fatal)
        return super().list_shards(now_ms, since_ms)


def test_a_listing_that_is_throttled_is_made_again():
    reads = list(reading(Throttled(2)).reads())
    assert [read.shard_id for read in reads] == ["old", "new"]


@pytest.mark.parametrize("source", [Throttled(4), Throttled(1, fatal=True)])
def test_the_last_records_are_there_before_a_listing_that_fails_for_good(source: Throttled):
    reads = reading(source, patience_ms=60_000).reads()
    assert [each.position for each in next(reads).records] == [1]
    with pytest.raises(SourceUnavailable, match="Rate exceeded"):
        next(reads)
    assert source.times == 0


def test_only_what_is_wanted_is_read():
    parents: dict[str, tuple[str, ...]] = {"old": (), "left": ("old",), "right": ("old",)}
    source = Source(parents, left=[END])
    assert [read.shard_id for read in reading(source, only=["left"]).reads()] == ["left"]


def test_who_has_enough_leaves_nothing_open():
    source = Source({"one": (), "two": ()})
    reads = reading(source).reads()
    next(reads)
    reads.close()
    assert sorted(source.closed) == ["one", "two"]


def test_a_source_that_is_gone_is_told():
    class Gone(Source):
        def list_shards(self, now_ms: int, since_ms: int | None = None) -> Sequence[Shard]:
            raise SourceUnavailable("no such stream", fatal=True)

    with pytest.raises(SourceUnavailable, match="no such stream"):
        list(reading(Gone({})).reads())
