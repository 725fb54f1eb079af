"""Makes what a template declares in the embedded AWS, over HTTP, as a deployment would.

What is there already stays as it is, so that an `esm serve` may outlive many runs of a template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

from boto3.session import Session

from esm.aws_failures import AWS_FAILURES, code_of, text_of
from esm.embedded.declarations import Declared, Step
from esm.embedded.declared import declared_in
from esm.embedded.own_resources import TELLING_FAILURES, call_by, tell
from esm.embedded.surroundings import DEFAULT_REGION
from esm.errors import EndpointError, EsmError, Place, TemplateError
from esm.sources.live_clients import live_client
from esm.template import SourceKind, StreamResource, Template

Complain = Callable[[EsmError], None]
Remark = Callable[[str], None]

_CREATES = {
    "sqs": "create_queue",
    "sns": "create_topic",
    "s3": "create_bucket",
    "dynamodb": "create_table",
}
_NAMED = {"sqs": "QueueName", "sns": "Name", "s3": "Bucket"}
# What to ask where creating twice is no error, and the parameter that names the resource.
_LOOK_UP = {
    "sqs": ("get_queue_url", "QueueName"),
    "sns": ("get_topic_attributes", "TopicArn"),
    "s3": ("head_bucket", "Bucket"),
}
_THERE = "ResourceInUseException"
# What is made of a table of which only the stream's ARN is known.
_KEYS: Mapping[str, Any] = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
}
_HOURS = 24


def provide(
    template: Template,
    url: str,
    region: str,
    complain: Complain | None = None,
    remark: Remark | None = None,
) -> list[str]:
    """Make all that the template declares; gives the ARNs of what was not there before.

    `complain` is told what cannot be read in the template, which is then left out; without it the
    first such mistake is raised. `remark` is told, in a line, of a stream that is there already and
    differs from the template. Raises EndpointError E537 for what the server refuses.
    """
    with closing(_Provider(url, region)) as provider:
        provider.provide(template, complain or _raise, remark or _ignore)
    return provider.made


def _raise(error: EsmError) -> None:
    raise error


def _ignore(_line: str) -> None:
    pass


class _Provider:
    """One run of it; `made` are the ARNs of what was not there before."""

    def __init__(self, url: str, region: str) -> None:
        self.made: list[str] = []
        self._url = url
        self._region = region
        self._clients: dict[tuple[str, str], Any] = {}
        # One for all clients, because making one takes its time; nobody checks who it is.
        self._session = Session("esm", "esm")

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()

    def provide(self, template: Template, complain: Complain, remark: Remark) -> None:
        """Everything, in an order in which nothing is missing."""
        for stream in template.streams.values():
            is_new = self._stream(stream.arn, stream.shards, stream.retention_hours, stream.place)
            if not is_new:
                self._compare(stream, remark)
        for consumer in template.consumers.values():
            self._named(consumer.arn, consumer.place)
        self._surroundings(template, complain)
        for arn, place in _named_by_mappings(template):
            self._named(arn, place)
        models = "the models and warehouses of the template"
        self.made += _asked(partial(tell, self._url, template), models, None)

    # --- what there may be -----------------------------------------------------------------------

    def _stream(self, arn: str, shards: int, hours: int, place: Place) -> bool:
        """Whether it was not there before."""
        kinesis, name = self._at(arn), arn.rpartition("/")[2]
        create = partial(kinesis.create_stream, StreamName=name, ShardCount=shards)
        if not self._make(arn, create, place):
            return False
        if hours > _HOURS:
            longer = kinesis.increase_stream_retention_period
            _asked(partial(longer, StreamName=name, RetentionPeriodHours=hours), arn, place)
        return True

    def _compare(self, stream: StreamResource, remark: Remark) -> None:
        """Tell what the template has otherwise than a stream that is there."""
        describe = partial(self._at(stream.arn).describe_stream_summary, StreamARN=stream.arn)
        found = _asked(describe, stream.arn, stream.place)["StreamDescriptionSummary"]
        name = stream.arn.rpartition(":")[2]
        for what, has, wanted in (
            ("ShardCount", found["OpenShardCount"], stream.shards),
            ("RetentionPeriodHours", found["RetentionPeriodHours"], stream.retention_hours),
        ):
            if has != wanted:
                remark(f"{name} keeps its {what} of {has}: {stream.place} has {wanted}")

    def _consumer(self, arn: str, place: Place) -> None:
        stream_arn, _, consumer = arn.partition("/consumer/")
        name = consumer.partition(":")[0]
        register = self._at(arn).register_stream_consumer
        self._make(arn, partial(register, StreamARN=stream_arn, ConsumerName=name), place)

    def _surroundings(self, template: Template, complain: Complain) -> None:
        """Queues, topics, buckets and tables first, then what leads from one to the other."""
        places = _places(template)
        steps: list[tuple[str, Declared, Step]] = []
        left_out: set[str] = set()
        for service, declared in declared_in(template):
            try:
                params, following = declared.creation(), declared.steps()
            except TemplateError as error:
                complain(error)
                left_out.add(declared.arn)
                continue
            place = places[declared.arn]
            self._declared(service, declared.arn, params, place)
            if declared.stream_arn is not None:
                self._check_stream(declared, place)
            steps += [(service, declared, step) for step in following]
        for service, declared, step in steps:
            if left_out.isdisjoint(step.needs):
                self._step(service, declared.arn, step, places[declared.arn])

    def _declared(self, service: str, arn: str, params: Mapping[str, Any], place: Place) -> None:
        client = self._at(arn)
        if service == "s3" and self._region != DEFAULT_REGION:
            where = {"LocationConstraint": self._region}
            params = {**params, "CreateBucketConfiguration": where}
        if not _is_there(client, service, arn):
            self._make(arn, partial(getattr(client, _CREATES[service]), **params), place)

    def _check_stream(self, table: Declared, place: Place) -> None:
        """One that is there from another template may be without a stream."""
        describe = partial(self._at(table.arn).describe_table, TableName=table.name)
        if _asked(describe, table.arn, place)["Table"].get("LatestStreamArn") is None:
            raise _refused(table.arn, "it is there, and has no stream", place)

    def _step(self, service: str, arn: str, step: Step, place: Place) -> None:
        client = self._at(arn)
        if not _is_done(client, step):
            method = _METHODS[step.operation]
            _asked(partial(getattr(client, method), **step.params), arn, place)

    def _named(self, arn: str, place: Place) -> None:
        """What is named by its ARN, and the stream of a consumer, if it is not there."""
        service, name = arn.split(":")[2], arn.replace(":", "/").rpartition("/")[2]
        if service == "kinesis":
            stream_arn, _, consumer = arn.partition("/consumer/")
            self._stream(stream_arn, 1, _HOURS, place)
            _asked(partial(call_by, self._url, stream_arn), stream_arn, place)
            if consumer:
                self._consumer(arn, place)
                _asked(partial(call_by, self._url, arn), arn, place)
        elif service == "dynamodb":
            table_arn = arn.partition("/stream/")[0]
            params = {"TableName": table_arn.rpartition("/")[2], **_KEYS}
            self._declared(service, table_arn, params, place)
            _asked(partial(call_by, self._url, arn), arn, place)
        elif service in _NAMED:
            self._declared(service, arn, {_NAMED[service]: name}, place)

    # --- how it is made --------------------------------------------------------------------------

    def _at(self, arn: str) -> Any:
        """The client for the service and region of an ARN; a bucket's does not tell its region."""
        _, _, service, region, *_ = arn.split(":")
        site = service, region or self._region
        if site not in self._clients:
            self._clients[site] = live_client(service, self._url, site[1], session=self._session)
        return self._clients[site]

    def _make(self, arn: str, create: Callable[[], Any], place: Place) -> bool:
        """Whether it was not there before."""
        try:
            create()
        except AWS_FAILURES as error:
            if code_of(error) != _THERE:
                raise _refused(arn, text_of(error), place) from error
            return False
        self.made.append(arn)
        return True


_METHODS = {
    "SetQueueAttributes": "set_queue_attributes",
    "Subscribe": "subscribe",
    "PutBucketNotificationConfiguration": "put_bucket_notification_configuration",
    "UpdateTimeToLive": "update_time_to_live",
}


def _is_there(client: Any, service: str, arn: str) -> bool:
    """Whether a queue, topic or bucket is there; creating a table or stream twice is an error."""
    if service not in _LOOK_UP:
        return False
    method, parameter = _LOOK_UP[service]
    name = arn if parameter == "TopicArn" else arn.rpartition(":")[2]
    try:
        getattr(client, method)(**{parameter: name})
    except AWS_FAILURES:
        return False  # whatever it is, it is told when the resource is made
    return True


def _is_done(client: Any, step: Step) -> bool:
    """Whether a step that cannot be done twice, or would tell somebody so, was done before."""
    match step.operation:
        case "UpdateTimeToLive":
            table = step.params["TableName"]
            found = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
            return bool(found["TimeToLiveStatus"] == "ENABLED")
        case "PutBucketNotificationConfiguration":
            bucket = step.params["Bucket"]
            found = client.get_bucket_notification_configuration(Bucket=bucket)
            wanted = step.params["NotificationConfiguration"]
            return _targets(found) == _targets(wanted)
    return False


def _targets(notifications: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Where notifications go, and for which events."""
    return {
        (kind, str(entry.get("QueueArn") or entry.get("TopicArn")), *entry["Events"])
        for kind in ("QueueConfigurations", "TopicConfigurations")
        for entry in notifications.get(kind, ())
    }


def _asked(call: Callable[[], Any], arn: str, place: Place | None) -> Any:
    try:
        return call()
    except (*AWS_FAILURES, *TELLING_FAILURES) as error:
        raise _refused(arn, text_of(error), place) from error


def _refused(arn: str, what: str, place: Place | None) -> EndpointError:
    return EndpointError(
        "E537",
        f"the embedded AWS cannot have {arn}: {what}",
        place=place,
        why="what is there already stays as it is, and AWS's limits hold",
        fix="esm serve   # a new one has nothing",
    )


def _places(template: Template) -> dict[str, Place]:
    groups = (template.queues, template.topics, template.buckets, template.tables)
    return {each.arn: each.place for group in groups for each in group.values()}


def _named_by_mappings(template: Template) -> Iterator[tuple[str, Place]]:
    """The sources and destinations of sound mappings that the template does not make."""
    made = {*_places(template), *(s.arn for s in template.streams.values())}
    made |= {consumer.arn for consumer in template.consumers.values()}
    made |= {str(table.stream_arn) for table in template.tables.values()}
    for mapping in template.mappings.values():
        if mapping.problems or mapping.kind not in (SourceKind.KINESIS, SourceKind.DYNAMODB):
            continue
        source = str(mapping.properties["event_source_arn"])
        for arn in (mapping.consumer_arn or source, _destination(mapping.properties)):
            if arn is None or arn in made:
                continue
            if any(_differ_by_account(arn, other) for other in made):
                raise _refused(arn, "one of that name belongs to another account", mapping.place)
            made.add(arn)
            yield arn, mapping.place


def _differ_by_account(one: str, other: str) -> bool:
    """Whether these are two resources for which the embedded AWS, of one account, has one place."""
    *service, account, resource = _whole(one).split(":", 5)[2:]
    *same, other_account, name = _whole(other).split(":", 5)[2:]
    return (service, resource) == (same, name) and account != other_account


def _whole(arn: str) -> str:
    """The stream of a consumer, the table of a stream."""
    return arn.partition("/consumer/")[0].partition("/stream/")[0]


def _destination(properties: Mapping[str, object]) -> str | None:
    config = properties.get("destination_config")
    failed = config.get("OnFailure") if isinstance(config, dict) else None
    arn = failed.get("Destination") if isinstance(failed, dict) else None
    return arn if isinstance(arn, str) and arn.startswith("arn:") else None
