"""`esm size`: a number, and why."""

from __future__ import annotations

import json

import pytest

from esm.cli.main import main

TWENTY = """\
25 shards
bytes written: 20 MB/s + 25% = 25 MB/s, and a shard takes 1 MB/s

limit                               load             a shard    shards
bytes written                    25 MB/s              1 MB/s        25
bytes read, shared               25 MB/s              2 MB/s        13
"""


@pytest.mark.parametrize("margin", [[], ["--margin", "25%"], ["--margin", "25"]])
def test_twenty_megabytes_with_a_quarter_of_room(
    margin: list[str], capsys: pytest.CaptureFixture[str]
):
    assert main(["size", "--in", "20", *margin]) == 0
    assert capsys.readouterr() == (TWENTY, "")


def test_without_room(capsys: pytest.CaptureFixture[str]):
    assert main(["size", "--records", "0.5", "--margin", "0"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "1 shard",
        "records written: 0.5 records/s, and a shard takes 1,000 records/s",
    ]


def test_as_json(capsys: pytest.CaptureFixture[str]):
    assert main(["size", "--in", "20", "--records", "8000", "--consumers", "3", "-ojson"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["shards"], answer["decisive"]) == (38, "bytes read, shared")
    assert answer["marginPercent"] == 25
    assert [(limit["name"], limit["shards"]) for limit in answer["limits"]] == [
        ("bytes written", 25),
        ("records written", 10),
        ("bytes read, shared", 38),
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], "E480", "--in or --records must say what is written"),
        (["--in", "fast"], "E480", "it must be a number above 0, not 'fast'"),
        (["--in", "0"], "E480", "it must be a number above 0, not '0'"),
        (["--in", "-1"], "E480", "it must be a number above 0, not '-1'"),
        (["--in", "nan"], "E480", "it must be a number above 0, not 'nan'"),
        (["--in", "9" * 5_000], "E480", "it must be a number above 0"),
        (["--in", "1", "--margin", "lots"], "E480", "'lots' is not a percentage such as 25%"),
        (["--in", "1", "--consumers", "6"], "E450", "--consumers 5 --fan-out 1"),
        (["--in", "10001", "--margin", "0"], "E417", "1 to 10000 shards"),
    ],
)
def test_what_cannot_be(
    arguments: list[str], code: str, says: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["size", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(code)
    assert says in err


def test_the_environment_says_what_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("ESM_IN", "20")
    assert main(["size"]) == 0
    assert capsys.readouterr().out == TWENTY
