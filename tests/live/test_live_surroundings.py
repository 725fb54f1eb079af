"""What functions do to the process that they share with the run costs no record."""

from __future__ import annotations

import os
import subprocess

from live_desk import ESM, PATIENCE_S, Desk

FAST = ("--port", "0", "--poll-interval", "0.01", "--set", "backoff_first=10ms")

GOES_AWAY = """\
import os
import time

def handler(event, context):
    for record in event["Records"]:
        key = record["kinesis"]["partitionKey"]
        if key == "leave":
            os.chdir("/")
            while not os.path.exists(os.environ["SEEN"]):
                with open(os.environ["SEEN"], "w"):
                    pass
                time.sleep(60)
        with open(os.environ["SEEN"], "a") as file:
            file.write(key + "\\n")
"""

PRINTS = """\
import os
import time

def handler(event, context):
    while not os.path.exists(os.environ["BEGIN"]):
        time.sleep(0.01)
    for record in event["Records"]:
        print("a line", flush=True)
        with open(os.environ["SEEN"], "a") as file:
            file.write(record["kinesis"]["partitionKey"] + "\\n")
    print("and half a line", end="")
"""


def test_a_cold_start_finds_the_code_when_the_handler_has_gone_to_another_folder(desk: Desk):
    """On Lambda each environment begins where its code is, and only /tmp can be written to."""
    desk.write(GOES_AWAY, timeout=1, batch=1)
    desk.capture("orders.jsonl", "leave", "1", "2")
    done = desk.run("run", *FAST, "--feed", "orders.jsonl", "--until", "idle")
    assert done.code == 0, done.stdout + done.stderr
    assert desk.seen == ["leave", "1", "2"]
    assert {file.name for file in (desk.folder / ".esm").iterdir()} == {
        ".gitignore", "checkpoints.db", "checkpoints.db.lock"
    }  # fmt: skip


def test_functions_may_print_though_nobody_reads_it_any_more(desk: Desk):
    desk.write(PRINTS, batch=1)
    desk.capture("orders.jsonl", *"123")
    may_begin = desk.folder / "begin"
    running = subprocess.Popen(
        [str(ESM), "run", *FAST, "--feed", "orders.jsonl", "--until", "idle"],
        cwd=desk.folder,
        env=os.environ | {"SEEN": str(desk.seen_file), "BEGIN": str(may_begin)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert running.stderr is not None
        assert running.stderr.readline()
        running.stderr.close()
        may_begin.touch()
        running.wait(PATIENCE_S)
    finally:
        running.kill()
        running.wait()
    assert desk.seen == ["1", "2", "3"]
