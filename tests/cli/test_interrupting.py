"""Ctrl-C ends a replay, whatever its handler catches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from replay_desk import Desk

from esm.cli.interrupting import second_interrupt_ends

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

STUBBORN = """
import signal
import sys


def handler(event, context):
    caught = 0
    while caught < 9:
        try:
            print("caught", caught, file=sys.stderr)
            signal.raise_signal(signal.SIGINT)
        except BaseException:
            caught += 1
"""


def test_the_second_one_ends_a_handler_that_catches_everything(three_orders: Desk):
    three_orders.write("stubborn.py", STUBBORN)
    command = [sys.executable, "-m", "esm", "replay", "orders.json", "--handler"]
    ended = subprocess.run(
        [*command, "stubborn:handler"],
        cwd=three_orders.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stderr.splitlines()[-2:] == ["caught 0", "caught 1"]
    assert ended.returncode == -signal.SIGINT  # which a shell calls 130


def test_afterwards_ctrl_c_is_what_it_was():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), second_interrupt_ends():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_somebody_elses_way_of_interrupting_is_left_alone():
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with second_interrupt_ends():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT, signal.SIGINT]
