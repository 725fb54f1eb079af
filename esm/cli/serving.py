"""What `esm serve` does: it listens until it is told to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from threading import Event
from types import FrameType

from esm.cli.failures import INTERRUPTED
from esm.cli.live_endpoints import announced
from esm.cli.mask import Mask
from esm.cli.output import write_answer
from esm.cli.template_options import TemplateOptions
from esm.embedded.aws import EmbeddedAws
from esm.embedded.endpoint_file import find_running
from esm.embedded.provisioning import provide
from esm.errors import EndpointError, TemplateError
from esm.state import FOLDER

_MOST_SHOWN = 8


def serve(options: TemplateOptions, port: int | None, *, limits: bool) -> int:
    """Listen, print the address, and give the exit code when a signal ends it."""
    template = None if _has_no_template(options) else options.load_to_run()
    running = find_running(FOLDER)
    if running is not None and port is None:
        raise EndpointError(
            "E538",
            f"this folder has an embedded AWS already, at {running}",
            why="esm run in this folder would not know which one is meant",
            fix="--port 0, for one more",
        )
    with EmbeddedAws(port=port, region=options.region, limits=limits) as aws:
        made = [] if template is None else provide(template, aws.url, options.region)
        with announced(aws, FOLDER):
            write_answer(f"{aws.url}\n")
            mask = Mask(() if template is None else template.secrets)
            for line in _told(made):
                print(mask.text(line), file=sys.stderr)
            number = _wait_for_signal()
    return INTERRUPTED if number == signal.SIGINT else 0


def _has_no_template(options: TemplateOptions) -> bool:
    if options.file is not None:
        return False
    try:
        return not options.path.exists()
    except TemplateError:
        return True


def _told(made: list[str]) -> list[str]:
    shown = ", ".join(map(_shown, made[:_MOST_SHOWN]))
    more = f" and {len(made) - _MOST_SHOWN} more" if len(made) > _MOST_SHOWN else ""
    have = [f"made   {shown}{more}"] if made else []
    return [*have, "all of it is in memory, and gone when this ends: Ctrl-C"]


def _shown(arn: str) -> str:
    """What an ARN names; that of a consumer ends with when it was made."""
    stream, consumer, rest = arn.partition("/consumer/")
    return stream.rpartition(":")[2] + consumer + rest.partition(":")[0]


def _wait_for_signal() -> int:
    told: list[int] = []
    stop = Event()

    def heard(number: int, _frame: FrameType | None) -> None:
        told.append(number)
        stop.set()

    before: dict[int, Callable[..., object] | int | None] = {}
    for each in (signal.SIGINT, signal.SIGTERM):
        before[each] = signal.signal(each, heard)
    try:
        stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return told[0]
