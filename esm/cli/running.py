"""What `esm run` does: read and check everything, bring up what is needed, run, then answer."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, BinaryIO

import msgspec

from esm.checkpoints.sqlite import SqliteCheckpoints
from esm.cli.environment import handlers_print_to_stderr, offline
from esm.cli.failures import BAD_OUTCOME, INTERRUPTED, UNSAVED
from esm.cli.interrupting import sigterm_ends_quietly
from esm.cli.live_books import CallLine, LiveBooks, LiveSummary
from esm.cli.live_endpoints import (
    Endpoints,
    account_of,
    announced,
    endpoints,
    say_where,
)
from esm.cli.live_feeding import Feeding
from esm.cli.live_feeds import Feed, feed_of
from esm.cli.live_lines import Problems, Sparing, summary_text
from esm.cli.live_mappings import Planned, plan, secrets_of, select
from esm.cli.live_parts import live_function, require_source
from esm.cli.live_standing import Standing
from esm.cli.mask import Mask
from esm.cli.options import fixes_in_flags
from esm.cli.output import write_answer
from esm.cli.reaching import Reach
from esm.cli.run import IDLE, Options
from esm.cli.trace_file import LiveTrace, require_writable, trace_errors
from esm.clock import SystemClock
from esm.embedded.guard import AwsGuard
from esm.embedded.provisioning import provide
from esm.instants import iso_ms, iso_s
from esm.invokers.named_output import named_output
from esm.live import LiveRun
from esm.live.collector import calm_collector
from esm.ports import LiveSource, StoreUnavailable
from esm.runner import Ended
from esm.settings import Settings, parse_settings
from esm.state import CHECKPOINTS, FOLDER
from esm.story.words import clean
from esm.template import Template
from esm.trace import Entry, TraceFile
from esm.wiring import destination_live, source_live

_STDERR = 2  # written to as it is: a signal may come in the middle of a print
_CHECKPOINTS = FOLDER / CHECKPOINTS
_WAY_IN = "boto3.client(…) without endpoint_url   # AWS_ENDPOINT_URL leads to the embedded one"


def run(options: Options, properties: dict[str, Any]) -> int:
    """Run, print the summary, and give the exit code."""
    with fixes_in_flags():
        settings = parse_settings(options.settings)
    reach = Reach(options.endpoint_url, options.aws, options.profile)
    reach.check_profile()
    template = replace(options.template, account=account_of(reach)).load_to_run()
    now_ms = SystemClock().now_ms()
    with Mask(template.secrets).on_errors():
        mappings, disabled = select(template, options.mappings)
        planned = plan(template, mappings, properties, options.env_vars, settings, now_ms)
    mask = Mask(secrets_of(template, planned))
    with mask.on_errors():
        feeds = [feed_of(each, planned) for each in options.feed]
        if options.trace is not None:
            captures = [each.path for each in feeds]
            require_writable(options.trace, captures, options.template, options.env_vars)
        return _Run(options, reach, settings, template, planned, feeds, mask).run(disabled)


class _Run:
    """One run, from the first line that it prints to its exit code."""

    def __init__(
        self,
        options: Options,
        reach: Reach,
        settings: Settings,
        template: Template,
        planned: list[Planned],
        feeds: list[Feed],
        mask: Mask,
    ) -> None:
        self._options = options
        self._reach = reach
        self._settings = settings
        self._template = template
        self._planned = planned
        self._feeds = feeds
        self._mask = mask
        self._signal: int | None = None
        self._lines: BinaryIO | None = None
        self._is_stopping = Event()
        self._is_saved = True
        self._standing = Standing(LiveBooks(()))

    def run(self, disabled: list[str]) -> int:
        """Bring it up, run it, and take it down."""
        for name in disabled:
            print(f"{name} is disabled: not polled", file=sys.stderr)
        options = self._options
        region = options.template.region
        with ExitStack() as stack:
            stack.enter_context(sigterm_ends_quietly())
            self._lines = stack.enter_context(_stdout_as_it_is())
            store = stack.enter_context(SqliteCheckpoints(_CHECKPOINTS))
            if not options.aws:
                stack.enter_context(offline(region, {}))
            found = stack.enter_context(
                endpoints(
                    self._reach, FOLDER, port=options.port, region=region, limits=options.limits
                )
            )
            os.environ.update(found.variables())
            if found.embedded is not None:
                provide(self._template, found.embedded, region, remark=self._write)
            if found.own is not None:
                stack.enter_context(announced(found.own, FOLDER.absolute()))
            say_where(found, (each.source_arn for each in self._planned))
            if not options.aws:
                stack.enter_context(AwsGuard(now=SystemClock().now_ms, way_in=_WAY_IN))
            stack.enter_context(handlers_print_to_stderr())
            summary = self._through(store, found, stack)
        self._answer(summary)
        return self._exit_code(summary)

    def _through(self, store: SqliteCheckpoints, found: Endpoints, stack: ExitStack) -> LiveSummary:
        options = self._options
        books = LiveBooks((each.name for each in self._planned), self._on_call)
        start_ms = SystemClock().now_ms()
        self._standing = standing = Standing(books)
        hear = [books.hear, Problems(self._write).hear, standing.hear]
        if options.trace is not None:
            with trace_errors(options.trace):
                file = TraceFile(options.trace, start_ms, self._mask.json)
            trace = LiveTrace(options.trace, file, self._write)
            hear.append(stack.enter_context(trace).hear)

        def hear_all(entry: Entry) -> None:
            for each in hear:
                each(entry)

        stack.enter_context(named_output(self._write_of_function))
        live = LiveRun(store, self._settings, hear_all, poll_interval_ms=options.poll_interval_ms)
        self._map_all(live, store, found, stack)
        feeding = Feeding(self._feeds, live, self._is_stopping, self._write)
        feeding.start(found.make_client, self._wait, options.feed_speed)
        with self._stopped_by_signals(live), standing, calm_collector():
            began_ms = live.clock.now_ms()
            ended = self._to_its_end(live, store)
        duration_ms = live.clock.now_ms() - began_ms
        feeding.tell_what_is_left()
        return books.summary(ended, iso_ms(began_ms), duration_ms, live.blocked())

    def _to_its_end(self, live: LiveRun, store: SqliteCheckpoints) -> Ended:
        """Run it; whatever ends it, other threads hear of that, and what is resolved is saved."""
        try:
            ended = live.run(self._until())
        except BaseException:
            with suppress(StoreUnavailable):  # the error that has ended the run is what is told
                store.commit()
            raise
        finally:
            self._is_stopping.set()
            live.begun.set()  # nobody is to wait for it any more
        self._is_saved = live.is_saved
        return ended

    def _until(self) -> Any:
        until_ms = self._options.until_ms
        return "idle" if until_ms == IDLE else until_ms and until_ms / 1000

    # --- what runs ---------------------------------------------------------------------------

    def _map_all(
        self, live: LiveRun, store: SqliteCheckpoints, found: Endpoints, stack: ExitStack
    ) -> None:
        functions = {e.function_arn: live_function(e, live.clock.now_ms) for e in self._planned}
        for function in functions.values():
            stack.callback(function.stop)
        for function in functions.values():
            function.warm_up()
        for each in self._planned:
            source = source_live(each.source_arn, found.make_client)
            require_source(each.name, source)
            self._claim(store, each.name, source, found)
            arn = each.properties.on_failure
            destination = None
            if arn is not None:
                destination = destination_live(
                    arn, found.make_client, wait=self._wait, tell=self._told_by(each.name)
                )
            live.map(
                each.name,
                source,
                functions[each.function_arn],
                each.function_arn,
                each.properties,
                destination,
            )

    def _claim(
        self, store: SqliteCheckpoints, name: str, source: LiveSource, found: Endpoints
    ) -> None:
        service = "dynamodbstreams" if ":dynamodb:" in source.arn else "kinesis"
        embedded = found.is_embedded(service)
        forgotten = store.forget(name, source.arn) if self._options.fresh else None
        aside = store.claim(name, source.arn, source.incarnation, embedded=embedded) or forgotten
        if aside is not None:
            self._write(str(aside))

    def _told_by(self, name: str) -> Callable[[str], None]:
        """What a mapping's destination says, in its thread, of a delivery that is tried again."""

        def tell(failure: str, now_ms: int) -> None:
            text = "the destination does not take a batch, and is tried again"
            self._write(f"{iso_s(now_ms)[11:-1]}  {name}: {text}: {clean(failure)}")

        return Sparing(tell, SystemClock().now_ms)

    def _wait(self, seconds: float) -> bool:
        """A pause of a destination's; False when there is no time for it."""
        return not self._is_stopping.wait(seconds)

    # --- the end -----------------------------------------------------------------------------

    @contextmanager
    def _stopped_by_signals(self, live: LiveRun) -> Iterator[None]:
        """The first signal stops the run, the second one ends the process."""
        if current_thread() is not main_thread():
            yield
            return

        def stop(number: int, _frame: FrameType | None) -> None:
            if self._signal is not None:
                os._exit(128 + number)
            self._signal = number
            os.write(_STDERR, b"stopping: what is in flight may end; once more ends it at once\n")
            live.stop()
            # Not before the loop has been told: a delivery that gives up now is left for later.
            self._is_stopping.set()

        before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _answer(self, summary: LiveSummary) -> None:
        if self._options.output == "text":
            write_answer(self._mask.text(summary_text(summary)))
        elif self._options.output == "json":
            document = self._mask.json(msgspec.to_builtins(summary))
            write_answer(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")

    def _exit_code(self, summary: LiveSummary) -> int:
        if not self._is_saved:
            self._write("the last checkpoints are not saved: what came after them comes again")
            return UNSAVED
        if self._signal == signal.SIGINT:
            return INTERRUPTED
        if self._signal is not None:
            return 0
        return BAD_OUTCOME if self._options.fail_on.intersection(summary.problems) else 0

    def _on_call(self, line: CallLine) -> None:
        if self._options.output == "jsonl" and self._lines is not None:
            document = self._mask.json(msgspec.to_builtins(line))
            try:
                self._lines.write(msgspec.json.encode(document) + b"\n")
                self._lines.flush()
            except BrokenPipeError:  # whoever read them has enough
                self._lines = None

    def _write_of_function(self, function: str, line: str) -> None:
        """A line of a function's; with its name, where there are several."""
        is_alone = len({each.function_arn for each in self._planned}) == 1
        self._write(line if is_alone else f"{function} | {line}")

    def _write(self, line: str) -> None:
        self._standing.write(self._mask.text(line))


@contextmanager
def _stdout_as_it_is() -> Iterator[BinaryIO]:
    """What stdout is now, also where handlers' prints have its place."""
    with os.fdopen(os.dup(1), "wb") as stdout:
        yield stdout
