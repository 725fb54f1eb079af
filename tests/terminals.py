"""Terminals that a page of the documentation shows side by side, and that a test types into.

A block of ```console NAME``` is what happens in the terminal NAME of its page, from its last block
on. A line that starts with "$ " is typed, as is what belongs to it; "^C" is Ctrl-C; all else is
printed, at the beginning of a block by what still runs there. Terminals of a page share a folder.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Thread

from console import INTERRUPT, Shown, commands_of

BLOCK = re.compile(r"^```console (\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORT = re.compile(r"(?<=http://127\.0\.0\.1:)\d+")
SHOWN_PORT = "4577"
SHOWN_SEQUENCE_NUMBER = "49590338271490256608559692538361571095921575989136588898"
SHOWN_ID = "00000000-0000-0000-0000-000000000000"
PATIENCE_S = 40
QUIET_S = 4
_MARK = "---- end of a command ----"
_END = f"\n{_MARK}\n".encode()

# What is another in each run, and what the pages show of it.
_OTHERS = (
    (re.compile(r"^running: .*\n", re.MULTILINE), ""),  # every 10 s, when the machine is slow
    (re.compile(r"^.*line \d+: +\d+ Killed .*$", re.MULTILINE), "Killed"),
    (PORT, SHOWN_PORT),
    (re.compile(r"^\d\d:\d\d:\d\d(?=  )", re.MULTILINE), "12:00:00"),
    (re.compile(r"(?<=after )[\d.]+m?s"), "2s"),
    (re.compile(r"(?<=saved    )\d+m?s ago|(?<=set aside )\d+m?s ago"), "2s ago"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "2026-03-02T09:15:00.000Z"),
    (re.compile(r"\b49\d{54}\b"), SHOWN_SEQUENCE_NUMBER),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), SHOWN_ID),
)


@dataclass(frozen=True)
class Step:
    """Something that happens in a terminal. What `stays` still runs when the next one does."""

    terminal: str
    shown: Shown
    stays: bool = False

    @property
    def is_command(self) -> bool:
        """Whether a command is typed; else it is Ctrl-C, or nothing is."""
        return bool(self.shown.lines) and not self.is_interrupt

    @property
    def is_interrupt(self) -> bool:
        """Whether it is Ctrl-C."""
        return self.shown.lines == (INTERRUPT,)


def steps_of(page: str) -> list[list[Step]]:
    """The steps of each block of a page."""
    blocks = [_steps(match[1], match[2]) for match in BLOCK.finditer(page)]
    steps = [step for block in blocks for step in block]
    return [[replace(step, stays=_stays(step, steps)) for step in block] for block in blocks]


def _steps(terminal: str, block: str) -> list[Step]:
    return [Step(terminal, shown) for shown in commands_of(block)]


def _stays(step: Step, steps: list[Step]) -> bool:
    place = next(number for number, each in enumerate(steps) if each is step)
    behind = (each for each in steps[place + 1 :] if each.terminal == step.terminal)
    follower = next(behind, None)
    return follower is not None and not follower.is_command


def play(page: str, folder: Path, environment: Mapping[str, str], *, anew: bool) -> list[list[str]]:
    """What the steps of each block print; `anew` where the page does not know it yet."""
    port = SHOWN_PORT
    terminals: dict[str, Terminal] = {}
    printed: list[list[str]] = []
    with ExitStack() as stack:
        for block in steps_of(page):
            printed.append([])
            for step in block:
                if step.terminal not in terminals:
                    terminals[step.terminal] = terminal = Terminal(folder, environment)
                    stack.callback(terminal.close)
                output = _take(terminals[step.terminal], step, port, anew=anew)
                port = (PORT.findall(output) or [port])[0]
                printed[-1].append(shown_of(output))
    return printed


def _take(terminal: Terminal, step: Step, port: str, *, anew: bool) -> str:
    if step.is_interrupt:
        terminal.interrupt()
    elif step.is_command:
        terminal.type(PORT.sub(port, step.shown.typed))
    if not step.stays:
        return terminal.rest_of_command()
    if anew:
        return terminal.until(lambda _: False, QUIET_S)
    return terminal.until(lambda text: shown_of(text) == step.shown.output, PATIENCE_S)


def shown_of(printed: str) -> str:
    """Output as pages show it: what is another in each run is the same there."""
    for pattern, shown in _OTHERS:
        printed = pattern.sub(shown, printed)
    return printed.strip("\n")


class Terminal:
    """A shell that is typed into; what it prints, on stdout and stderr, is kept."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash"],
            bufsize=0,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._printed = b""
        self._news = Condition()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send("trap : INT")  # it ends what runs, not the shell

    def type(self, command: str) -> None:
        """Enter a command; $? is its own again after the mark."""
        self._send(f"{command}\nstatus=$?; echo; echo '{_MARK}'; (exit $status)")

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self._shell.pid, signal.SIGINT)

    def rest_of_command(self) -> str:
        """What is printed up to the end of the command that runs."""
        return self.until(lambda _: False, PATIENCE_S)

    def until(self, is_enough: Callable[[str], bool], patience_s: float) -> str:
        """What is printed until that is enough, the command has ended, or patience has."""
        end = time.monotonic() + patience_s
        with self._news:
            while _END not in self._printed and not is_enough(self._printed.decode()):
                left_s = end - time.monotonic()
                if left_s <= 0 or not self._news.wait(left_s):
                    break
            taken, _, self._printed = self._printed.partition(_END)
        return taken.decode()

    def close(self) -> None:
        """End the shell and all that it has started."""
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        self._reader.join()
        for stream in (self._shell.stdin, self._shell.stdout):
            assert stream is not None
            stream.close()

    def _send(self, text: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{text}\n".encode())
        self._shell.stdin.flush()

    def _read(self) -> None:
        assert self._shell.stdout is not None
        while chunk := os.read(self._shell.stdout.fileno(), 65536):
            with self._news:
                self._printed += chunk
                self._news.notify_all()
