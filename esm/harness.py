"""`Harness`: streams, functions and mappings in virtual time. What the pytest fixture `esm` gives.

Nothing here decides what a mapping does; it wires ports to pipelines and tells the loop how far to
run. No threads, no ports, no files.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from esm.checkpoints.memory import MemoryCheckpoints
from esm.clock import VirtualClock
from esm.destinations.memory import Bucket, Queue, Topic
from esm.embedded.declarations import Declared
from esm.embedded.dynamodb_streams import DynamoDbStreamsApi
from esm.embedded.guard import AwsGuard
from esm.embedded.kinesis_api import KinesisApi
from esm.embedded.moto_api import Around, MotoApi
from esm.embedded.moto_tables import MotoTables, declaration_of
from esm.embedded.moto_topics import MotoTopics
from esm.embedded.moto_world import MotoWorld
from esm.errors import InputError, RunError
from esm.faults import Latency
from esm.instants import Duration, duration_ms, from_ms, parse_instant
from esm.invokers.event_loop import no_event_loop
from esm.invokers.inline import Function
from esm.invokers.virtual_time import VirtualTime, real_types
from esm.runner import Ended, Runner
from esm.services import Services
from esm.settings import Settings
from esm.sources.dynamodb_table import DynamoDbTable
from esm.sources.memory import KinesisStream
from esm.trace import Trace

if TYPE_CHECKING:
    from esm.assembly import TemplateMappings
    from esm.embedded.redshift_warehouse import Warehouse
    from esm.embedded.sagemaker import Predict, SageMakerEndpoint
    from esm.sources.capture import CaptureSource
    from esm.sources.memory_consumer import KinesisConsumer
    from esm.view import Mapping

DEFAULT_START = "2026-01-01T00:00:00Z"
REGION, ACCOUNT = "us-east-1", "123456789012"

# A trace that is cut keeps about as much as tells of the invocations that are kept.
TRACE_ENTRIES_PER_INVOCATION = 20

AnyDestination = Queue | Topic | Bucket
Place = TypeVar("Place", Queue, Topic, Bucket)


class Harness:
    """A world of its own in virtual time.

    `start`: ISO-8601 text or an aware datetime; else freezegun's time where that is frozen, else
    2026-01-01T00:00:00Z. `freeze`: whether handlers see virtual time in `datetime` and `time`.
    `latency`: how long invocations take. `keep_invocations`: keep only the newest so many
    invocations of each mapping, and a trace to match.
    """

    def __init__(
        self,
        seed: int = 0,
        start: str | datetime | None = None,
        freeze: bool = True,  # noqa: FBT001, FBT002  (part of the users' contract)
        latency: Latency = "0s",
        keep_invocations: int | None = None,
        settings: Settings = Settings(),  # noqa: B008  (frozen)
    ) -> None:
        start_ms = parse_instant(DEFAULT_START if start is None else start)
        keep = None if keep_invocations is None else keep_invocations * TRACE_ENTRIES_PER_INVOCATION
        self.seed = seed
        self.settings = settings
        self.latency = latency
        self.region, self.account = REGION, ACCOUNT
        self.keep_invocations = keep_invocations
        self.clock = VirtualClock(start_ms)
        self.trace = Trace(start_ms, keep)
        self.rng = random.Random(seed)  # noqa: S311  (the run's own chance, not a secret)
        self.checkpoints = MemoryCheckpoints()
        self.time = VirtualTime(freeze=freeze)
        self.streams: dict[str, KinesisStream] = {}
        self.tables: dict[str, DynamoDbTable] = {}
        self.destinations: dict[str, AnyDestination] = {}
        self.mappings: dict[str, Mapping] = {}
        self.runner = Runner(
            self.clock, self.trace, self._session, skip_idle_polls=settings.skip_idle_polls
        )
        self._guard = AwsGuard(
            KinesisApi(self.streams), now=self.instant_ms, wait=self._wait, chance=self.rng
        )
        self.services = Services(
            self._guard, self.instant_ms, self.rng, self.region, self.account, self._kept
        )
        self._moto = MotoWorld(real_types)
        self._moto_apis: dict[str, MotoApi] = {}
        self._templates: dict[Path, tuple[dict[str, str], TemplateMappings]] = {}
        self._start_is_open = start is None and not self._begin_frozen()
        self._held: ExitStack | None = None
        self._is_running = False
        self._was_asked = False

    def __enter__(self) -> Self:
        self._held = ExitStack()
        self._held.enter_context(self._guard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of boto3, where `with` or the fixture holds it; a Harness can be left unclosed."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def __repr__(self) -> str:
        names = ", ".join(self.mappings) or "no mappings"
        return f"<Harness seed={self.seed} at {self.now.isoformat()}: {names}>"

    # --- sources and destinations ----------------------------------------------------------------

    def kinesis(
        self,
        name: str = "stream",
        shards: int = 1,
        retention: Duration = "24h",
        limits: bool = False,  # noqa: FBT001, FBT002  (part of the users' contract)
    ) -> KinesisStream:
        """A new Kinesis data stream."""
        if name in self.streams:
            raise _taken("stream", name)
        stream = KinesisStream(
            name,
            shards,
            retention,
            limits,
            now=self.instant_ms,
            region=self.region,
            account=self.account,
            fan_out_delay_ms=duration_ms(self.settings.fan_out_delay),
        )
        self.streams[name] = stream
        return stream

    def dynamodb(
        self,
        name: str = "table",
        keys: Iterable[str] = ("pk",),
        view: str = "NEW_AND_OLD_IMAGES",
    ) -> DynamoDbTable:
        """A new DynamoDB table with a stream; `keys`: partition key, and sort key if any.

        `keys={"pk": "N"}` declares types too; else boto3 takes keys of the type of the first item.
        """
        types = keys if isinstance(keys, dict) else None
        table = DynamoDbTable(
            name, keys, view, now=self.instant_ms, region=self.region, account=self.account,
            key_types=types,
        )  # fmt: skip
        self.adopt(table, declaration_of(table))
        return table

    def adopt(self, table: DynamoDbTable, declared: Declared) -> None:
        """Have a table by its name; boto3 finds it as it is declared."""
        if table.name in self.tables:
            raise _taken("table", table.name)
        if not self.tables:
            self._guard.add(DynamoDbStreamsApi(self.tables))
        self.tables[table.name] = table
        self.embedded("dynamodb").declare(declared)

    def queue(self, name: str) -> Queue:
        """A new SQS queue, to be an on-failure destination."""
        return self._add(Queue(name))

    def topic(self, name: str) -> Topic:
        """A new SNS topic, to be an on-failure destination, and for boto3 to publish to."""
        topic = self._add(Topic(name))
        self.embedded("sns").declare(
            Declared(name, topic.arn, creation=partial(dict, Name=topic.name))
        )
        return topic

    def bucket(self, name: str) -> Bucket:
        """A new S3 bucket, to be an on-failure destination."""
        return self._add(Bucket(name))

    def sagemaker(
        self, name: str = "endpoint", model: str | Path | Predict | None = None
    ) -> SageMakerEndpoint:
        """A new SageMaker endpoint; `model` is a model file, or a function of a parsed request.

        An endpoint of a template that has no model of its own gets this one.
        """
        return self.services.endpoint(name, model)

    def redshift(self, name: str = "warehouse", database: str = "dev") -> Warehouse:
        """A new Redshift warehouse behind the Data API, as a cluster and as a workgroup."""
        return self.services.warehouse(name, database)

    def _kept(self, bucket: str) -> list[tuple[str, bytes]] | None:
        """What a bucket of the test has, where boto3 does not find it by itself."""
        kept = self.destinations.get(f"arn:aws:s3:::{bucket}")
        s3 = self._moto_apis.get("s3")
        is_found = s3 is not None and bucket in s3.resources
        return kept.since(0) if isinstance(kept, Bucket) and not is_found else None

    def _wait(self, seconds: float) -> None:
        """Let a call of boto3 take virtual time, where a handler makes it."""
        if self.time.runs_here():
            self.time.sleep(seconds)

    def _add(self, place: Place) -> Place:
        if place.arn in self.destinations:
            raise _taken(type(place).__name__.lower(), place.name)
        self.destinations[place.arn] = place
        return place

    # --- mappings --------------------------------------------------------------------------------

    def map(
        self,
        source: KinesisStream | KinesisConsumer | DynamoDbTable | CaptureSource,
        handler: Callable[..., Any] | str,
        *,
        name: str | None = None,
        on_failure: AnyDestination | None = None,
        function: Function | None = None,
        **aws_properties: Any,
    ) -> Mapping:
        """Map a source to a handler, or to "module:function"; properties are AWS's in snake_case.

        Raises MappingError with AWS's code and message where AWS refuses, TypeError for a name
        that is no property.
        """
        with real_types():
            from esm.view import Mapping  # pydantic takes its time to import

        mapping = Mapping.create(self, source, handler, name, on_failure, function, aws_properties)
        self.mappings[mapping.name] = mapping
        mapping.start()
        return mapping

    def replay(
        self,
        handler_or_name: Callable[..., Any] | str,
        path_or_glob: str | Path,
        *,
        at_once: bool = False,
        **aws_properties: Any,
    ) -> Mapping:
        """Map captured records to a handler; `at_once`: all of them are there at the start.

        A Harness in which nothing has happened yet begins with the earliest record.
        """
        from esm.sources.capture import CaptureSource, read_captures

        source = CaptureSource(read_captures([path_or_glob]), at_once=at_once)
        if self._is_untouched():
            self._begin(source.start_ms)
            for each in self._sources():
                each.restart(source.start_ms)
        return self.map(source, handler_or_name, **aws_properties)

    def _begin(self, start_ms: int) -> None:
        self._start_is_open = False
        self.clock.restart(start_ms)
        self.trace.start_ms = start_ms

    def _begin_frozen(self) -> bool:
        """Begin at freezegun's time, where that is frozen."""
        freezegun = sys.modules.get("freezegun.api")
        if freezegun is None or not freezegun.freeze_factories:
            return False
        self._begin(parse_instant(freezegun.freeze_factories[-1]().isoformat()))
        return True

    def template(
        self, path: str | Path, parameter_overrides: dict[str, str] | None = None
    ) -> TemplateMappings:
        """The mappings of a SAM or CloudFormation template, by name.

        Its streams, tables, queues, topics and buckets are in memory; a mapping begins, and its
        handler is imported, when it is asked for. The same template is there once, however often
        it is asked for. Raises TemplateError with file, line and column.
        """
        with real_types():
            from esm.assembly import TemplateMappings
            from esm.template import load

        place, overrides = Path(path).resolve(), dict(parameter_overrides or {})
        if place in self._templates:
            known, mappings = self._templates[place]
            if known != overrides:
                raise _other_parameters(path)
            return mappings
        template = load(path, parameters=overrides)
        template.require_parameters()
        mappings = TemplateMappings(self, template)
        self._templates[place] = overrides, mappings
        return mappings

    def embedded(self, service: str) -> MotoApi:
        """What answers boto3 for tables and topics, and for a template's queues and buckets."""
        if service not in self._moto_apis:
            api = self._moto_apis[service] = MotoApi(service, self._moto, *self._around(service))
            self._guard.add(api)
        return self._moto_apis[service]

    def _around(self, service: str) -> list[Around]:
        """What of ours hears of a service's calls."""
        match service:
            case "dynamodb":
                return [MotoTables(self.tables).following]
            case "sns":
                return [MotoTopics(self._topic, self.instant_ms).following]
        return []

    def _topic(self, arn: str) -> Topic | None:
        found = self.destinations.get(arn)
        return found if isinstance(found, Topic) else None

    def written(self) -> dict[str, int]:
        """How many items, objects and messages boto3 wrote, by the ARN of the table or place."""
        apis = (self._moto_apis[service] for service in sorted(self._moto_apis))
        return {arn: count for api in apis for arn, count in sorted(api.written.items()) if count}

    def guarded(self) -> AbstractContextManager[object]:
        """Inside, no call of boto3 leaves the Harness."""
        return self._guard

    def _sources(self) -> list[KinesisStream | DynamoDbTable]:
        return [*self.streams.values(), *self.tables.values()]

    def _is_untouched(self) -> bool:
        has_records = any(source.record_count for source in self._sources())
        has_run = self.clock.now_ms() != self.trace.start_ms
        return not (self.mappings or has_records or has_run)

    # --- time ------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """Virtual time; within a handler the instant that the handler sees."""
        return from_ms(self.instant_ms())

    def instant_ms(self) -> int:
        """`now` in epoch milliseconds."""
        self._was_asked = True
        if self._start_is_open:
            # A fixture is made before `@freeze_time` freezes its test: the first use tells.
            self._start_is_open = False
            self._begin_frozen()
        return self.time.now_ms if self.time.runs_here() else self.clock.now_ms()

    def advance(self, duration: Duration) -> None:
        """Let so much time pass, and run what is due in it, its last instant included."""
        self._run(self.instant_ms() + duration_ms(duration), to_idle=False)

    def drain(self, limit: Duration = "8d") -> str:
        """Run until nothing but empty polls would follow: "idle"; or for `limit`: "limit"."""
        return str(self._run(self.instant_ms() + duration_ms(limit), to_idle=True))

    def until(self, predicate: Callable[[], Any], limit: Duration = "8d") -> bool:
        """Run until the predicate is true, for at most `limit`, and say whether it became so.

        It is asked after each step. When nothing but empty polls is left, it is asked at each
        second if it looks at `now`; if not, it has no more reason to change, and time stands still.
        """
        limit_ms = self.clock.now_ms() + duration_ms(limit)
        ended = self._run(limit_ms, to_idle=True, done=lambda: bool(predicate()))
        while ended is Ended.IDLE and self.clock.now_ms() < limit_ms:
            self._was_asked = False
            if predicate() or not self._was_asked:
                break
            self._run(min(self.clock.now_ms() + 1_000, limit_ms), to_idle=False)
        return ended is Ended.DONE or bool(predicate())

    def restart(self) -> None:
        """Throw every machine away, as a crash does, and go on from the saved checkpoints."""
        for mapping in self.mappings.values():
            mapping.crash()

    def _run(
        self, until_ms: int, *, to_idle: bool, done: Callable[[], bool] | None = None
    ) -> Ended:
        if self._is_running:
            raise RunError(
                "E702",
                "advance, drain and until cannot be called from a handler",
                why="the run that called the handler is still going on",
                fix='time.sleep(…) in the handler, or mapping.inject.latency("2s")',
            )
        self._is_running = True
        try:
            return self.runner.run(until_ms, to_idle=to_idle, done=done)
        finally:
            self._is_running = False

    @contextmanager
    def _session(self) -> Iterator[None]:
        with self.time, self._guard, no_event_loop():
            yield


def _other_parameters(path: str | Path) -> InputError:
    return InputError(
        "E435",
        f"this Harness has {path} already, with other values of parameter_overrides",
        why="one Harness has one of each resource",
        fix="Harness().template(…)   # for the other values",
    )


def _taken(what: str, name: str) -> InputError:
    return InputError(
        "E430", f"this Harness has a {what} {name!r} already", fix="another name, or the first one"
    )
