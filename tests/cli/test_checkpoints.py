"""`esm checkpoints`: where each shard is, and how far behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import boto3
import pytest
from checkpoint_desk import CONSUMER, FIRST, NOW_MS, NUMBER, SECOND, SIGNUPS, Desk

from esm.checkpoints.sqlite_file import Incarnation, Saved
from esm.cli.checkpoints_behind import Lag, Next, lags_of
from esm.cli.checkpoints_places import position_of
from esm.core.messages import PollFailed, PollFailure, RecordsArrived
from esm.core.model import After, AtTimestamp, Position, TrimHorizon
from esm.embedded.aws import EmbeddedAws
from esm.payloads.kinesis import make_record
from esm.ports import Checkpoint, SourceUnavailable
from esm.sources.kinesis import KinesisSource

EVERYTHING = f"""\
Alert reads stream/signups/consumer/alerts:1767225600
  {FIRST}
    reads on after {NUMBER}/3
    saved    12s ago
Enrich reads stream/signups
  {FIRST}
    reads on after {NUMBER}
    saved    12s ago
  {SECOND}
    reads on after {NUMBER + 7}
    saved    12s ago
    open     window 23:59:00-00:00:00
"""
NOT_RUNNING = "not running, so how far behind is not known\n"


def test_everything_that_is_known_while_nothing_runs(ran: Desk):
    assert ran.run() == ran.run("-o", "text")
    assert ran.run().out == EVERYTHING + NOT_RUNNING


def test_a_look_changes_nothing(ran: Desk):
    before = ran.path.read_bytes()
    assert ran.run().code == 0
    assert ran.path.read_bytes() == before


def test_a_run_may_go_on_meanwhile(ran: Desk):
    with ran.store() as store:
        store.save("Enrich", SIGNUPS, FIRST, Checkpoint(NUMBER + 1))
        store.commit()
        assert f"after {NUMBER + 1}\n" in ran.run().out


def test_before_anything_has_run(empty: Desk):
    assert empty.run() == (ended := empty.run())
    assert (ended.code, ended.out) == (0, "no checkpoints here yet: esm run makes them\n")
    assert list(empty.folder.iterdir()) == []


def test_a_mapping_that_has_resolved_nothing(empty: Desk):
    with empty.store() as store:
        store.claim("Enrich", SIGNUPS, "Monday", embedded=True)
    assert empty.run().out == (
        "Enrich reads stream/signups\n  nothing is resolved yet\n" + NOT_RUNNING
    )


def test_places_that_are_instants(empty: Desk):
    with empty.store(ago_ms=3_600_000) as store:
        store.claim("Enrich", SIGNUPS, "Monday", embedded=True)
        pinned = {FIRST: 0, SECOND: NOW_MS}
        for shard_id, instant_ms in pinned.items():
            place = Checkpoint(0, pinned=True, pinned_at_ms=instant_ms)
            store.save("Enrich", SIGNUPS, shard_id, place)
        store.commit()
    out = empty.run().out
    assert "    reads on TRIM_HORIZON\n    saved    1h ago\n" in out
    assert "    reads on AT_TIMESTAMP 2026-01-01T00:00:00.000Z\n" in out


def test_what_is_set_aside_is_told(ran: Desk):
    with ran.store(ago_ms=5_000) as store:
        store.claim("Enrich", SIGNUPS, "Tuesday", embedded=True)
        store.forget("Alert", CONSUMER)
    assert ran.run().out.splitlines()[-3:] == [
        "set aside 5s ago: Alert, 1 shard, by --fresh",
        "set aside 5s ago: Enrich, 2 shards, for an earlier stream of that name",
        NOT_RUNNING.strip(),
    ]


def test_as_json(ran: Desk):
    with ran.store(ago_ms=5_000) as store:
        store.forget("Alert", CONSUMER)
    answer = json.loads(ran.run("-o", "json").out)
    assert answer["checkpoints"][1] == {
        "mapping": "Enrich",
        "stream": SIGNUPS,
        "incarnation": "Monday",
        "shardId": SECOND,
        "sequenceNumber": str(NUMBER + 7),
        "window": {
            "start": "2025-12-31T23:59:00.000Z",
            "end": "2026-01-01T00:00:00.000Z",
            "state": '{"count": 1}',
        },
        "savedAt": "2025-12-31T23:59:48.000Z",
    }
    (aside,) = answer["setAside"]
    assert (aside["mapping"], aside["subSequenceNumber"], aside["fresh"]) == ("Alert", 3, True)
    assert aside["setAsideAt"] == "2025-12-31T23:59:55.000Z"


@pytest.mark.parametrize("arguments", [[], ["-o", "json"], ["reset", "Enrich", "--to-earliest"]])
def test_a_file_that_is_none(ran: Desk, arguments: list[str]):
    ran.path.write_text("no database")
    ended = ran.run(*arguments)
    assert (ended.code, ended.out) == (6, "")
    assert "it is no SQLite database" in ended.err
    assert ran.path.read_text() == "no database"


@pytest.mark.parametrize(
    ("option", "value"), [("-o", "json"), ("--endpoint-url", "http://127.0.0.1:1"), ("--aws", "")]
)
def test_options_of_the_list_do_nothing_for_reset(ran: Desk, option: str, value: str):
    arguments = [each for each in (option, value) if each]
    refused = ran.run(*arguments, "reset", "Enrich", "--to-earliest", "--execute")
    assert refused.code == 2
    name = "--output" if option == "-o" else option
    assert "E480" in refused.err
    assert f"{name} is of the list, not of reset" in refused.err
    assert set(ran.checkpoints()) == {FIRST, SECOND}


def test_an_endpoint_elsewhere_is_not_asked(ran: Desk):
    ended = ran.run("--endpoint-url", "http://192.0.2.1:4566")
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("E541")


# --- how far behind, from the embedded AWS --------------------------------------------------------


def client(aws: EmbeddedAws):
    return boto3.client(
        "kinesis",
        endpoint_url=aws.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_how_far_behind_and_which_record_is_next(empty: Desk, aws: EmbeddedAws):
    kinesis = client(aws)
    kinesis.create_stream(StreamName="behind", ShardCount=1)
    puts = [
        kinesis.put_record(StreamName="behind", Data=b"{}", PartitionKey=f"key-{n}")
        for n in range(3)
    ]
    numbers = [put["SequenceNumber"] for put in puts]
    arn = SIGNUPS.replace("signups", "behind")
    source = KinesisSource(arn, kinesis)
    source.describe()
    with empty.store() as store:
        for mapping, number in {"Behind": numbers[0], "Done": numbers[2]}.items():
            store.claim(mapping, arn, source.incarnation, embedded=True)
            store.save(mapping, arn, FIRST, Checkpoint(int(number)))
        store.commit()

    behind, done = empty.run("--endpoint-url", aws.url).out.split("Done reads")

    assert behind.splitlines()[-2] == f"    next     {numbers[1]}"
    assert behind.endswith(", key key-1\n")
    assert done.endswith("\n    behind   nothing is left to read\n")
    first, second = json.loads(empty.run("--endpoint-url", aws.url, "-o", "json").out)[
        "checkpoints"
    ]
    assert first["behindMs"] > 0
    assert (first["next"]["sequenceNumber"], first["next"]["key"]) == (numbers[1], "key-1")
    assert (second["behindMs"], second["trimmed"]) == (0, False)


def test_a_stream_that_was_made_again(ran: Desk, aws: EmbeddedAws):
    out = ran.run("--endpoint-url", aws.url).out
    assert "    behind   not known: " in out
    answer = json.loads(ran.run("--endpoint-url", aws.url, "-o", "json").out)
    assert {"behindUnknown", "behindMs"} & answer["checkpoints"][0].keys() == {"behindUnknown"}


# --- how far behind, from any source --------------------------------------------------------------


@dataclass
class Scripted:
    """A live source and its reader, which answers what it is told to."""

    answers: list[RecordsArrived | PollFailed]
    arn: str = SIGNUPS
    incarnation: str = "Monday"
    retention_ms: int | None = None
    read_from: list[Position] = field(default_factory=list)
    is_open: bool = False

    def describe(self) -> None:
        if not self.answers:
            raise SourceUnavailable("no such stream", fatal=True)

    def open(self, shard_id: str, on_put: Callable[[], None]) -> Scripted:
        self.is_open = True
        return self

    def close(self) -> None:
        self.is_open = False

    def read(self, position: Position, limit: int, now_ms: int) -> RecordsArrived | PollFailed:
        assert limit == 2  # the checkpoint's own record and the next
        self.read_from.append(position)
        return self.answers[min(len(self.read_from), len(self.answers)) - 1]

    def sequence_number_of(self, position: int) -> str:
        return str(position)


def record(number: int, arrived_ms: int) -> RecordsArrived:
    """A read that brings one record."""
    found = make_record(
        position=number, key="key-7", arrived_ms=arrived_ms, base64="", shard_id=FIRST, ordinal=0
    )
    return RecordsArrived([found])


def lag(source: Scripted, checkpoint: Checkpoint, stream: str = SIGNUPS) -> Lag:
    """What is found out of one shard."""
    shards = {FIRST: Saved(checkpoint, 0)}
    kept = Incarnation(1, "Enrich", stream, "Monday", True, None, False, shards)
    found = lags_of(kept, lambda arn: source, NOW_MS)[FIRST]
    assert not source.is_open
    return found


def test_the_age_of_the_next_record_is_how_far_behind_a_shard_is():
    source = Scripted([record(8, NOW_MS - 90_000)])
    assert lag(source, Checkpoint(7)) == Lag(90_000, Next("8", "key-7", NOW_MS - 90_000))


@pytest.mark.parametrize(
    ("checkpoint", "stream", "read_from"),
    [
        (Checkpoint(7), SIGNUPS, After(7)),
        (Checkpoint(0, pinned=True, pinned_at_ms=0), SIGNUPS, TrimHorizon()),
        (Checkpoint(0, pinned=True, pinned_at_ms=5), SIGNUPS, AtTimestamp(5)),
        (Checkpoint(position_of(CONSUMER, "7")), CONSUMER, After(7)),
    ],
)
def test_the_stream_is_asked_from_the_checkpoint_on(
    checkpoint: Checkpoint, stream: str, read_from: Position
):
    source = Scripted([RecordsArrived([])])
    assert lag(source, checkpoint, stream) == Lag()
    assert source.read_from == [read_from]


def test_a_consumer_does_not_disturb_the_subscription_of_the_run():
    asked = []

    def connect(arn: str) -> Scripted:
        asked.append(arn)
        return Scripted([RecordsArrived([])])

    kept = Incarnation(1, "Alert", CONSUMER, "Monday", True, None, False, {})
    assert lags_of(kept, connect, NOW_MS) == {}
    assert asked == [SIGNUPS]


def test_times_without_records_are_read_through():
    gap = RecordsArrived([], millis_behind=60_000)
    assert lag(Scripted([gap, record(8, NOW_MS - 1_000)]), Checkpoint(7)).behind_ms == 1_000
    endless = Scripted([gap])
    assert lag(endless, Checkpoint(7)) == Lag(60_000)
    assert len(endless.read_from) == 10


@pytest.mark.parametrize(
    ("answers", "unknown"),
    [
        ([], "no such stream"),
        ([PollFailed(PollFailure.UNAVAILABLE, "connection refused")], "connection refused"),
        ([PollFailed(PollFailure.THROTTLED)], "ProvisionedThroughputExceededException"),
    ],
)
def test_a_stream_that_cannot_be_asked(answers: list[PollFailed | RecordsArrived], unknown: str):
    assert lag(Scripted(answers), Checkpoint(7)) == Lag(unknown=unknown)


def test_records_that_the_stream_has_lost():
    (found,) = record(90, NOW_MS - 1).records
    trimmed = lag(Scripted([RecordsArrived([found], trimmed=True)]), Checkpoint(7))
    assert trimmed == Lag(1, Next("90", "key-7", NOW_MS - 1), trimmed=True)


def test_a_closed_shard_that_is_read_to_its_end():
    closed = RecordsArrived([], millis_behind=5, end_of_shard=True)
    assert lag(Scripted([closed]), Checkpoint(7)) == Lag()


def test_another_incarnation_says_nothing_of_the_checkpoint():
    source = Scripted([record(8, NOW_MS)], incarnation="Tuesday")
    assert lag(source, Checkpoint(7)) == Lag(unknown="the stream there is another one")


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (Lag(90_000, Next("8", "a\x1b[31mb", NOW_MS)), [
            "    behind   1m30s",
            "    next     8",
            "             came 2026-01-01T00:00:00.000Z, key a\ufffd[31mb",
        ]),
        (Lag(2, trimmed=True), [
            "    behind   0.1s",
            "    lost     the records between: the stream does not keep them any more",
        ]),
        (Lag(unknown="Could not connect to the endpoint URL: \"http://127.0.0.1:4577/\" again"), [
            "    behind   not known: Could not connect to the endpoint URL:",
            '             "http://127.0.0.1:4577/" again',
        ]),
    ],
    ids=["a record", "lost", "a long reason"],
)  # fmt: skip
def test_how_it_is_said(ran: Desk, monkeypatch: pytest.MonkeyPatch, found: Lag, lines: list[str]):
    monkeypatch.setattr(
        "esm.cli.checkpoints_list.lags_of", lambda kept, *_: dict.fromkeys(kept.shards, found)
    )
    out = ran.run("--endpoint-url", "http://127.0.0.1:1").out
    assert out.splitlines()[4 : 4 + len(lines)] == lines
    assert NOT_RUNNING not in out
