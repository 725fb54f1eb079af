"""`esm checkpoints reset`: a plan first, then the deed, and the way back."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from checkpoint_desk import CONSUMER, FIRST, NOW_MS, NUMBER, SECOND, SIGNUPS, WINDOW, Desk

from esm.cli.checkpoints_places import position_of, sequence_number_of
from esm.payloads.kpl import PART_BITS, WHOLE
from esm.ports import Checkpoint

HOUR_MS = 3_600_000
PLAN = f"""\
Enrich reads stream/signups
  {FIRST}
    now      after {NUMBER}
    then     TRIM_HORIZON
  {SECOND}
    now      after {NUMBER + 7}
    then     TRIM_HORIZON
    gives up what was counted in window 23:59:00-00:00:00
"""


def at(instant_ms: int) -> Checkpoint:
    """The place of an instant."""
    return Checkpoint(0, pinned=True, pinned_at_ms=instant_ms)


def undo_line(ended_out: str) -> list[str]:
    """The arguments of the line that undoes a reset."""
    line = ended_out.splitlines()[-1]
    assert line.startswith("esm checkpoints reset ")
    return line.split()[2:]


# --- a dry run, the deed, and back ----------------------------------------------------------------


def test_nothing_is_changed_without_execute(ran: Desk):
    before = ran.path.read_bytes()
    ended = ran.reset("Enrich", "--to-earliest")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == PLAN + "nothing was changed: --execute does it\n"
    assert ran.path.read_bytes() == before


def test_execute_does_it_and_says_what_undoes_it(ran: Desk):
    ended = ran.reset("Enrich", "--to-earliest", "--execute")
    assert ended.out == (
        PLAN + "done, and this undoes it:\n"
        "esm checkpoints reset --from-file .esm/undo-20260101T000000.000Z.json --execute\n"
    )
    assert ran.checkpoints() == {FIRST: at(0), SECOND: at(0)}
    assert ran.checkpoints("Alert", CONSUMER) == {FIRST: Checkpoint(NUMBER << 20 | 3)}


def test_the_undo_file_brings_everything_back(ran: Desk):
    before = ran.checkpoints()
    ended = ran.reset("--all-mappings", "--to-latest", "--execute")
    assert ran.checkpoints("Alert", CONSUMER) == {FIRST: at(NOW_MS)}
    (undo,) = ran.folder.glob(".esm/undo-*.json")
    assert undo.stat().st_mode & 0o077 == 0 or sys.platform == "win32"
    undo.rename(undo.with_name("mine.json"))
    arguments = [word.replace(undo.name, "mine.json") for word in undo_line(ended.out)]
    assert ran.run(*arguments).code == 0
    assert ran.checkpoints() == before
    assert ran.checkpoints("Alert", CONSUMER) == {FIRST: Checkpoint(NUMBER << 20 | 3)}


def test_a_shard_that_was_not_there_before_is_taken_away_again(ran: Desk):
    new = {"mapping": "Enrich", "stream": SIGNUPS, "shardId": "new", "sequenceNumber": "7"}
    Path("mine.json").write_text(json.dumps({"version": 1, "checkpoints": [new]}))
    done = ran.reset("--from-file", "mine.json", "--execute")
    assert "    now      the starting position of the mapping\n" in done.out
    assert ran.checkpoints()["new"] == Checkpoint(7)
    for undo in ran.folder.glob(".esm/undo-*.json"):
        undo.rename("undo.json")
    assert ran.reset("--from-file", "undo.json", "--execute").code == 0
    assert "new" not in ran.checkpoints()


def test_where_nothing_changes_nothing_is_written(ran: Desk):
    ended = ran.reset("Enrich", "--to-current", "--execute")
    assert ended.out.count("    stays    after ") == 2
    assert ended.out.endswith("there is nothing to change\n")
    assert not list(ran.folder.glob(".esm/undo-*"))


def test_two_resets_at_one_instant_do_not_share_an_undo_file(ran: Desk):
    assert ran.reset("Enrich", "--to-earliest", "--execute").code == 0
    ended = ran.reset("Enrich", "--to-latest", "--execute")
    assert ended.code == 6
    assert "undo-20260101T000000.000Z.json cannot be used: File exists" in ended.err
    assert ran.checkpoints() == {FIRST: at(0), SECOND: at(0)}


# --- where to -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["--to-earliest"], at(0)),
        (["--to-latest"], at(NOW_MS)),
        (["--to-datetime", "2025-12-31T23:00:00Z"], at(NOW_MS - HOUR_MS)),
        (["--to-datetime", "2026-01-01T00:00:00+01:00"], at(NOW_MS - HOUR_MS)),
        (["--to-datetime", "1969-01-01T00:00:00Z"], at(0)),
        (["--by-duration", "PT1H"], at(NOW_MS - HOUR_MS)),
        (["--by-duration", "P1DT1M0.5S"], at(NOW_MS - 24 * HOUR_MS - 60_500)),
        (["--by-duration", "1h30m"], at(NOW_MS - HOUR_MS * 3 // 2)),
        (["--by-duration", "99999d"], at(0)),
        (["--to-sequence-number", "7"], Checkpoint(7)),
        (["--to-current"], Checkpoint(NUMBER)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_all_the_places(ran: Desk, arguments: list[str], place: Checkpoint):
    assert ran.reset("Enrich", "--shard", FIRST, *arguments, "--execute").code == 0
    second = Checkpoint(NUMBER + 7, window=WINDOW)
    assert ran.checkpoints() == {FIRST: place, SECOND: second}


def test_a_sequence_number_of_a_consumer_is_that_of_the_whole_record(ran: Desk):
    assert ran.reset("Alert", "--to-sequence-number", "7", "--execute").code == 0
    assert ran.checkpoints("Alert", CONSUMER) == {FIRST: Checkpoint(position_of(CONSUMER, "7"))}
    assert (
        f"after {NUMBER}/3\n"
        in ran.reset("Alert", "--to-current").out
        + ran.reset("--from-file", str(next(ran.folder.glob(".esm/undo-*")))).out
    )


def test_parts_of_an_aggregate_are_counted_as_the_source_counts_them():
    assert position_of(CONSUMER, "7") == 7 << PART_BITS | WHOLE
    assert sequence_number_of(CONSUMER, 7 << PART_BITS | WHOLE) == ("7", None)
    assert sequence_number_of(CONSUMER, 7 << PART_BITS | 3) == ("7", 3)
    assert sequence_number_of(SIGNUPS, 7) == ("7", None)


def test_a_run_goes_on_from_there(ran: Desk):
    assert ran.reset("Enrich", "--to-earliest", "--execute").code == 0
    with ran.store() as store:
        assert store.claim("Enrich", SIGNUPS, "Monday", embedded=True) is None
        store.save("Enrich", SIGNUPS, FIRST, Checkpoint(5))
        store.commit()
    assert ran.checkpoints() == {FIRST: Checkpoint(5), SECOND: at(0)}


def test_fresh_can_be_undone(ran: Desk):
    before = ran.checkpoints()
    with ran.store() as store:
        store.forget("Enrich", SIGNUPS)
        store.claim("Enrich", SIGNUPS, "Monday", embedded=True)
        store.save("Enrich", SIGNUPS, FIRST, Checkpoint(3))
        store.commit()
    assert ran.reset("Enrich", "--undo-fresh", "--execute").code == 0
    assert ran.checkpoints() == before


def test_there_may_be_no_fresh_to_undo(ran: Desk):
    assert ran.reset("Enrich", "--undo-fresh").out == "no checkpoints here to reset\n"


# --- files ----------------------------------------------------------------------------------------


def test_what_is_exported_can_be_read_again(ran: Desk, monkeypatch: pytest.MonkeyPatch):
    exported = ran.reset("--all-mappings", "--export").out
    before = ran.checkpoints()
    assert [each["shardId"] for each in json.loads(exported)["checkpoints"]] == [
        FIRST, FIRST, SECOND,
    ]  # fmt: skip
    assert ran.reset("--all-mappings", "--to-earliest", "--execute").code == 0
    for undo in ran.folder.glob(".esm/undo-*"):
        undo.unlink()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(exported.encode())))
    assert ran.reset("--from-file", "-", "--execute").code == 0
    assert ran.checkpoints() == before
    assert ran.reset("--all-mappings", "--export").out == exported


def test_a_plan_can_be_exported(ran: Desk):
    plan = json.loads(ran.reset("Alert", "--to-latest", "--export").out)
    assert plan == {
        "version": 1,
        "checkpoints": [
            {
                "mapping": "Alert",
                "stream": CONSUMER,
                "shardId": FIRST,
                "incarnation": "Monday",
                "startingAt": "2026-01-01T00:00:00.000Z",
            }
        ],
    }


def test_a_scope_takes_its_part_of_a_file(ran: Desk):
    Path("mine.json").write_text(ran.reset("--all-mappings", "--to-earliest", "--export").out)
    scope = ["Enrich", "--shard", SECOND]
    assert ran.reset(*scope, "--from-file", "mine.json", "--execute").code == 0
    assert ran.checkpoints() == {FIRST: Checkpoint(NUMBER), SECOND: at(0)}
    assert ran.checkpoints("Alert", CONSUMER) == {FIRST: Checkpoint(NUMBER << 20 | 3)}


ROW = {"mapping": "Enrich", "stream": SIGNUPS, "shardId": FIRST}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "Input data was truncated"),
        ("\xff", "invalid character"),
        ('{"version": 1, "checkpoints": [{"mapping": "\xff"}]}', "can't decode byte 0xff"),
        ("[]", "Expected `object`, got `array`"),
        ({"version": 2, "checkpoints": []}, "its version is 2, not 1"),
        ([{**ROW, "sequenceNumber": 7}], "Expected `str | null`, got `int`"),
        ([{**ROW, "sequenceNumber": "x"}], "$.checkpoints[0].sequenceNumber"),
        ([{**ROW, "sequenceNumer": "7"}], "unknown field `sequenceNumer`"),
        ([{**ROW, "sequenceNumber": "7", "startingAt": "TRIM_HORIZON"}], "has both"),
        ([{**ROW, "startingAt": "LATEST"}], "checkpoints[0]: 'LATEST' is not an instant"),
        ([{**ROW, "sequenceNumber": "7"}] * 2, f"checkpoints[1]: {FIRST} is there twice"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isascii() else "",
)
def test_a_file_that_is_no_export(ran: Desk, content: object, says: str):
    if isinstance(content, list):
        content = {"version": 1, "checkpoints": content}
    text = content if isinstance(content, str) else json.dumps(content)
    Path("mine.json").write_text(text, encoding="latin-1")
    ended = ran.reset("--from-file", "mine.json", "--execute")
    assert (ended.code, ended.out) == (6, "")
    assert ended.err.startswith("mine.json  E607  these are not checkpoints as --export writes")
    assert says in ended.err


@pytest.mark.parametrize("other", [{"incarnation": "Tuesday"}, {"stream": f"{SIGNUPS}-2"}])
def test_a_file_of_another_stream(ran: Desk, other: dict[str, str]):
    row = ROW | {"sequenceNumber": "7"} | other
    Path("mine.json").write_text(json.dumps({"version": 1, "checkpoints": [row]}))
    ended = ran.reset("--from-file", "mine.json", "--execute")
    assert (ended.code, ended.out) == (6, "")
    assert ended.err == (
        "E609  the file's checkpoints of Enrich are of another stream than it reads now\n"
        "why    it was made anew since, or is another one;"
        " its places mean other records there\n"
        "fix    esm checkpoints reset Enrich --to-earliest\n"
    )


# --- what is refused ------------------------------------------------------------------------------


def test_not_while_a_run_goes_on(ran: Desk):
    with ran.store():
        before = ran.checkpoints()
        ended = ran.reset("Enrich", "--to-earliest", "--execute")
        assert (ended.code, ended.out) == (6, "")
        assert ended.err.startswith("E601  the checkpoints in .esm are in use by process ")
        assert ran.checkpoints() == before
        assert ran.reset("Enrich", "--to-earliest").code == 0
        assert ran.reset("Enrich", "--export").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Enrch", "--to-latest"], "E606", "of a mapping Enrch\nfix    Enrich"),
        (["Enrich", "--shard", "0", "--to-latest"], "E606", "of a shard 0\nfix    shardId-0000"),
        (["Enrich", "--to-sequence-number", "7"], "E608", f"fix    --shard {FIRST}"),
        (["Enrich", "--shift-by", "-5"], "E608", "sequence numbers have gaps"),
        (["Enrich"], "E480", "where to? For example --to-earliest"),
        (["--to-latest"], "E480", "of which mapping? Its name, or --all-mappings"),
        (["Enrich", "--all-mappings", "--to-latest"], "E480", "two different things"),
        (["--shard", FIRST, "--to-latest"], "E480", "--shard needs the name of its mapping"),
        (["Enrich", "--to-latest", "--to-earliest"], "E480", "are two places"),
        (["Enrich", "--to-latest", "--export", "--execute"], "E480", "one of the two"),
        (["Enrich", "--to-datetime", "soon"], "E480", "'soon' is not an instant"),
        (["Enrich", "--to-datetime", "2026-01-01T00:00:01Z"], "E480", "lies in the future"),
        (["Enrich", "--by-duration", "P"], "E480", "'P' is not a duration: write PT1H30M"),
        (["Enrich", "--by-duration", "PT"], "E480", "'PT' is not a duration"),
        (["Enrich", "--by-duration", "-1h"], "E480", "'-1h' is not a duration"),
        (["Enrich", "--to-sequence-number", "-7"], "E480", "'-7' is not a sequence number"),
        (["Enrich", "--to-sequence-number", "7" * 130], "E480", "is not a sequence number"),
        (["--from-file", "nowhere.json"], "E480", "nowhere.json"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_what_cannot_be(ran: Desk, arguments: list[str], code: str, says: str):
    before = ran.checkpoints()
    ended = ran.reset(*arguments)
    assert (ended.code, ended.out) == (2 if code == "E480" else 6, "")
    assert ended.err.startswith(code)
    assert says in ended.err
    assert len(ended.err.splitlines()) <= 5
    assert ran.checkpoints() == before


def test_before_anything_has_run(empty: Desk):
    ended = empty.reset("Enrich", "--to-earliest", "--execute")
    assert ended.code == 6
    assert ended.err == (
        "E606  there are no checkpoints of a mapping Enrich\n"
        "why    nothing has run in this folder yet\n"
        "fix    esm run\n"
    )
    assert empty.reset("--all-mappings", "--to-latest").out == "no checkpoints here to reset\n"
    assert list(empty.folder.iterdir()) == []


def test_the_commands_explain_themselves(empty: Desk):
    assert "reset" in empty.run("--help").out
    shown = empty.reset("--help").out
    assert all(f"--{way}" in shown for way in ("to-earliest", "by-duration", "from-file", "export"))
