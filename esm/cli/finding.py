"""Which live stream or table a word of the command line means."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from esm.aws_failures import AWS_FAILURES, code_of, text_of
from esm.cli.reaching import MakeClient
from esm.cli.template_options import TemplateOptions
from esm.errors import EndpointError, TemplateError
from esm.template import Template

_NOT_THERE = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class Found:
    """A stream or table as its server describes it; `source_arn` is what a mapping would name."""

    name: str
    source_arn: str
    service: str

    @property
    def region(self) -> str:
        """The region in its ARN."""
        return self.source_arn.split(":")[3]


def find(word: str, template: TemplateOptions, make_client: MakeClient, *, says_so: bool) -> Found:
    """A stream or table by its ARN, its name, or what the template calls it or its mapping.

    `says_so`: on stderr, before anything is done to it. Raises EndpointError E540 where it is not
    there, E543 where nobody can be asked.
    """
    asked = _in_template(word, template) or word
    found = _Asking(make_client, template.region).find(asked)
    if says_so:
        print(f"using {found.source_arn}", file=sys.stderr)
    return found


def _in_template(word: str, options: TemplateOptions) -> str | None:
    """The name, or the ARN of another's, of what the template calls so."""
    template = _load(options)
    if template is None:
        return None
    for resources in (template.streams, template.tables):
        if word in resources:
            return resources[word].name
    mapping = template.mappings.get(word)
    if mapping is None:
        return None
    mapping.require()
    arn = str(mapping.properties["event_source_arn"]).partition("/consumer/")[0]
    made_here = {stream.arn: stream.name for stream in template.streams.values()}
    made_here |= {t.stream_arn: t.name for t in template.tables.values() if t.stream_arn}
    return made_here.get(arn, arn)


def _load(options: TemplateOptions) -> Template | None:
    """The template that was named, or the one that happens to be in this folder."""
    try:
        path = options.path
    except TemplateError:
        if options.file is not None:
            raise
        return None
    return options.load_to_run() if path.exists() or options.file is not None else None


class _Asking:
    """Asks Kinesis and DynamoDB, in this order, what they have."""

    def __init__(self, make_client: MakeClient, region: str) -> None:
        self._make_client = make_client
        self._region = region

    def find(self, word: str) -> Found:
        """What has this name or ARN."""
        if not word.startswith("arn:"):
            found = self._stream(StreamName=word) or self._table(word)
        else:
            found = self._of_arn(word)
        if found is None:
            raise self._absent(word)
        return found

    def _of_arn(self, arn: str) -> Found | None:
        service, self._region = [*arn.split(":"), ""][2:4]
        match service:
            case "kinesis":
                return self._stream(StreamARN=arn.partition("/consumer/")[0])
            case "dynamodb":
                return self._table(arn.split("/")[1])
            case _:
                return None

    def _stream(self, **params: str) -> Found | None:
        client = self._make_client("kinesis", self._region)
        answer = _asked(client.describe_stream_summary, **params)
        if answer is None:
            return None
        summary = answer["StreamDescriptionSummary"]
        return Found(summary["StreamName"], summary["StreamARN"], "kinesis")

    def _table(self, name: str) -> Found | None:
        client = self._make_client("dynamodb", self._region)
        answer = _asked(client.describe_table, TableName=name)
        if answer is None:
            return None
        table = answer["Table"]
        return Found(name, table.get("LatestStreamArn") or table["TableArn"], "dynamodb")

    def _absent(self, word: str) -> EndpointError:
        asked = word.rpartition(":")[2].rpartition("/")[2]
        names = list(self._names())
        near = difflib.get_close_matches(asked, names, n=1)
        there = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        return EndpointError(
            "E540",
            f"there is no stream and no table {asked}",
            why=f"there are {there}" if names else "there is none at all",
            fix=(near or names or ["mappings of esm run make their streams"])[0],
        )

    def _names(self) -> Iterator[str]:
        """What there is, as far as one answer tells."""
        streams = _asked(self._make_client("kinesis", self._region).list_streams)
        tables = _asked(self._make_client("dynamodb", self._region).list_tables)
        yield from (streams or {}).get("StreamNames", [])
        yield from (tables or {}).get("TableNames", [])


def _asked(operation: Callable[..., Any], **params: str) -> dict[str, Any] | None:
    """The answer; None for what is not there."""
    try:
        answer: dict[str, Any] = operation(**params)
    except AWS_FAILURES as error:
        if code_of(error) == _NOT_THERE:
            return None
        raise EndpointError(
            "E543",
            text_of(error),
            why="the endpoint was asked for the stream",
            fix="look whether it is up, and whether these are its credentials",
        ) from error
    return answer
