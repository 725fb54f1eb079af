"""What a handler finds around it in `esm replay`, and where its words and records go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from replay_desk import Desk, all_at_once

import esm.cli.replaying

# --- the handler and what is around it -----------------------------------------------------------


def test_what_handlers_print_is_not_the_answer(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("chatty", "-o", "json"))
    assert ended.json["records"]["delivered"] == 3
    assert ended.err == "handler says [1, 2, 3]\n"


def test_what_their_child_processes_print_is_not_the_answer(three_orders: Desk):
    three_orders.write("parent.py", "import os\nhandler = lambda e, c: os.system('echo child')\n")
    script = "import sys; from esm.cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", script, "replay", "orders.json", "--handler=parent:handler"],
        cwd=three_orders.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("records      3 captured: 3 delivered\n")
    assert done.stderr == "child\n" * 3


def test_streams_take_what_handlers_publish(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("publishes", "--stream", "copies:2"))
    assert ended.code == 0
    assert "published    3 records on copies (2 shards)\n" in ended.out


def test_published_records_as_json(three_orders: Desk):
    answer = three_orders.replay(*all_at_once("publishes", "--stream", "copies", "-ojson")).json
    [stream] = answer["streams"]
    assert (stream["name"], stream["shards"]) == ("copies", 1)
    assert [r["partitionKey"] for r in stream["records"]] == ["1", "2", "3"]
    assert {r["data"] for r in stream["records"]} == {"eA=="}


def test_a_stream_that_is_not_there_ends_the_run(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("publishes"))
    assert ended.code == 5
    assert ended.out == ""
    place, _, err = ended.err.partition("  ")
    assert place == "orders_app.py:36"
    assert err == (
        'E501  kinesis PutRecords on "copies" would have gone to '
        "https://kinesis.eu-central-1.amazonaws.com\n"
        '     36 | boto3.client("kinesis").put_records(\n'
        "why    nothing here reaches AWS; --stream names streams that the handler may put to\n"
        "fix    --stream copies\n"
    )


def test_handlers_get_no_way_to_aws(three_orders: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
    three_orders.replay(*all_at_once("keeps_environment"))
    seen = json.loads((three_orders.folder / "environment.json").read_text())
    assert seen.keys().isdisjoint({"AWS_PROFILE", "AWS_SESSION_TOKEN"})
    assert seen["AWS_ACCESS_KEY_ID"] == seen["AWS_SECRET_ACCESS_KEY"] == "esm"
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == seen["AWS_CONFIG_FILE"] == os.devnull
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert os.environ["AWS_PROFILE"] == "production"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "real"


@pytest.mark.parametrize("key", ["Parameters", "Orders"])
def test_variables_come_from_a_file_as_sam_has_it(three_orders: Desk, key: str):
    three_orders.write("variables.json", {key: {"TABLE": "orders", "SIZE": 3, "QUIET": True}})
    three_orders.replay(
        *all_at_once("keeps_environment", "-n", "variables.json", "--function-name", "Orders")
    )
    seen = json.loads((three_orders.folder / "environment.json").read_text())
    assert (seen["TABLE"], seen["SIZE"], seen["QUIET"]) == ("orders", "3", "true")
    assert "TABLE" not in os.environ


@pytest.mark.parametrize("output", ["text", "json", "jsonl"])
def test_values_of_variables_are_hidden(three_orders: Desk, output: str):
    three_orders.write("variables.json", {"Parameters": {"PASSWORD": "hunter22"}})
    ended = three_orders.replay(
        *all_at_once("tells_secret", "--env-vars", "variables.json", "-o", output),
        *("--maximum-retry-attempts", "0", "--trace", "trace.jsonl"),
    )
    assert "PermissionError: password **** refused" in ended.out
    trace = (three_orders.folder / "trace.jsonl").read_text()
    assert "PermissionError: password **** refused" in trace
    assert "hunter22" not in ended.out + trace


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "variables.json:1:2  E483  not JSON: expecting property name enclosed in double "),
        ("[]", "variables.json  E484  variables must be an object"),
        ({"Parameters": 3}, 'variables.json  E484  "Parameters" must be an object'),
        ({"Parameters": {"AB": None}}, "variables.json  E484  AB must be text, a number, true or"),
        ({"Parameters": {"AB": "\0"}}, "variables.json  E484  AB must be text, a number, true or"),
        ({"Parameters": {"A-B": ""}}, "variables.json  E484  'A-B' is no name of a variable\nwhy "),
        ({"Parameters": {"A": ""}}, "variables.json  E484  'A' is no name of a variable\nwhy    A"),
        ({"Other": {}}, "variables.json  E484  no variables for fine; functions of this file: Ot"),
    ],
    ids=["no JSON", "a list", "a number", "null", "NUL", "hyphen", "short", "another function"],
)
def test_a_file_of_variables_that_is_none(three_orders: Desk, content: object, message: str):
    three_orders.write("variables.json", content)
    ended = three_orders.replay(*all_at_once("fine", "-n", "variables.json"))
    assert ended.code == 2
    assert ended.err.startswith(message)


def test_no_file_of_variables(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fine", "-n", "missing.json"))
    assert (ended.code, ended.err) == (
        2,
        "missing.json  E483  cannot be read: No such file or directory\n",
    )


def test_the_function_is_configured_as_on_aws(three_orders: Desk):
    ended = three_orders.replay(
        *all_at_once("context_text", "--function-name", "Orders", "--memory-size", "512"),
        *("--maximum-retry-attempts", "0", "-o", "jsonl"),
    )
    assert ended.json["error"] == "ValueError: Orders 512"


def test_a_sleep_beyond_the_timeout_is_a_timeout(three_orders: Desk):
    ended = three_orders.replay(
        *all_at_once("sleeps", "--timeout", "1", "--maximum-retry-attempts", "0", "-o", "jsonl")
    )
    assert ended.json["error"] == "TaskTimedOut: Task timed out after 1.00 seconds"
    assert ended.json["durationMs"] == 1000


def test_code_in_another_folder(three_orders: Desk):
    (three_orders.folder / "code").mkdir()
    three_orders.write("code/elsewhere.py", "from helper import handler")
    three_orders.write("code/helper.py", "def handler(event, context): return None")
    ended = three_orders.replay("orders.json", "--handler=elsewhere:handler", "--code-uri=code")
    assert (ended.code, ended.err) == (0, "")


# --- what the answer is written to ----------------------------------------------------------------

SCRIPT = "import sys; from esm.cli.main import main; sys.exit(main())"


def in_a_shell(desk: Desk, line: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A command line with `esm` as it is installed, in the folder of the desk."""
    return subprocess.run(
        ["bash", "-c", f'esm() {{ "{sys.executable}" -c "{SCRIPT}" "$@"; }}\n{line}'],
        cwd=desk.folder,
        capture_output=True,
        env=os.environ | variables,
        check=False,
    )


@pytest.mark.parametrize("output", ["text", "json", "jsonl"])
def test_a_reader_that_has_enough_changes_nothing(three_orders: Desk, output: str):
    done = in_a_shell(
        three_orders,
        f"esm replay orders.json --handler orders_app:fine -o {output} | exec true\n"
        "echo ${PIPESTATUS[0]}",
    )
    assert (done.stdout, done.stderr) == (b"0\n", b"")


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_terminal_without_unicode(three_orders: Desk, output: str):
    done = in_a_shell(
        three_orders,
        f"esm replay orders.json --handler orders_app:failing --limit 1m -o {output}",
        PYTHONIOENCODING="ascii",
    )
    assert (done.returncode, done.stderr) == (1, b"")
    if output == "json":
        assert "…" in json.loads(done.stdout)["story"]
    else:
        assert b"#1 ? not resolved after " in done.stdout


def test_a_closed_stdout_and_stdin(three_orders: Desk):
    closed = in_a_shell(three_orders, "esm replay orders.json --handler orders_app:chatty >&- <&-")
    assert (closed.returncode, closed.stderr[:12]) == (0, b"handler says")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk(three_orders: Desk):
    full = in_a_shell(three_orders, "esm replay orders.json --handler orders_app:fine >/dev/full")
    assert full.returncode == 2
    assert full.stderr == (
        b"E487  the answer cannot be written to stdout: No space left on device\n"
    )


# --- progress ------------------------------------------------------------------------------------


def test_long_work_tells_how_far_it_is(three_orders: Desk, monkeypatch: pytest.MonkeyPatch):
    class Impatient(esm.cli.replaying.Progress):
        def is_due(self) -> bool:
            return True

    monkeypatch.setattr(esm.cli.replaying, "Progress", Impatient)
    ended = three_orders.replay(*all_at_once("fine"))
    lines = ended.err.splitlines()
    assert lines[0] == "reading: 3 records"
    assert lines[-1] == "replaying: 3 of 3 records"
    assert ended.out.startswith("records      3 captured: 3 delivered\n")
