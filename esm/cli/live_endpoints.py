"""Where a live run finds AWS: what is named, a running `esm serve`, or an AWS of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esm.aws_failures import AWS_FAILURES, text_of
from esm.cli.given import is_typed
from esm.cli.reaching import Reach
from esm.embedded.aws import EmbeddedAws
from esm.embedded.endpoint_file import (
    find_running,
    is_embedded,
    put_back,
    remove,
    running_in,
    write,
)
from esm.embedded.moto_world import INTERNAL
from esm.embedded.surroundings import DEFAULT_REGION
from esm.errors import EndpointError, InputError

SERVICES = ("kinesis", "dynamodb", "dynamodbstreams", "sqs", "sns", "s3")
_EMULATORS = {
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # they know no hosts by account
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
}
_NO_PROXY = ("NO_PROXY", "no_proxy")
_NEAR = "127.0.0.1,localhost,::1"
_FOR_ALL = "AWS_ENDPOINT_URL"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is named, and for all else `embedded`, the URL of ours; None: AWS itself.

    `own`: the server behind that, where it is this run's.
    """

    reach: Reach
    embedded: str | None
    own: EmbeddedAws | None = None

    def url(self, service: str) -> str | None:
        """Where a service is."""
        return self.reach.named(service) or self.embedded

    def is_embedded(self, service: str) -> bool:
        """Whether that is an embedded AWS, whose streams live as long as it does."""
        url = self.url(service)
        return url is not None and (url == self.embedded or is_embedded(url))

    def make_client(self, service: str, region: str) -> Any:
        """boto3's client of a service, which no guard of handlers looks at."""
        from esm.sources.live_clients import live_client  # boto3 takes its time

        profile = self.reach.profile if self.reach.aws else None
        client = live_client(service, self.url(service), region, profile=profile)
        setattr(client, INTERNAL, True)
        return client

    def variables(self) -> dict[str, str]:
        """What leads handlers' own clients to where ours go."""
        default = self.reach.endpoint_url or os.environ.get(_FOR_ALL) or self.embedded
        return {} if default is None else {_FOR_ALL: default, **_EMULATORS, **_without_proxy()}


@contextmanager
def endpoints(
    reach: Reach, state: Path, *, port: int | None, region: str, limits: bool
) -> Iterator[Endpoints]:
    """Those of a run; an AWS of its own lasts as long as this.

    Raises InputError E480 for what is typed of an AWS that this run does not start.
    """
    is_named = reach.aws or all(reach.named(service) for service in SERVICES)
    if is_named:
        _refuse("port", "all is read at endpoints that are named", fix="leave it out")
        _refuse("limits", "all is read at endpoints that are named", fix="leave it out")
        yield Endpoints(reach, None)
        return
    running = find_running(state) if port is None else None
    if running is not None:
        _refuse("limits", f"{running} runs already", fix="esm serve --limits")
        yield Endpoints(reach, running)
        return
    with EmbeddedAws(port=port, region=region, limits=limits) as aws:
        yield Endpoints(reach, aws.url, aws)


def _refuse(option: str, instead: str, *, fix: str) -> None:
    if is_typed(option):
        raise InputError(
            "E480",
            f"--{option} is of an AWS that this run starts, and {instead}",
            why="what is there already stays as it was started",
            fix=fix,
        )


@contextmanager
def announced(aws: EmbeddedAws, state: Path) -> Iterator[None]:
    """Meanwhile, other commands in this folder find it, and afterwards what they found before."""
    earlier = running_in(state)
    write(state, aws.url, aws.incarnation)
    try:
        yield
    finally:
        remove(state, aws.incarnation)
        put_back(state, earlier)


def _without_proxy() -> dict[str, str]:
    """No proxy knows what listens on this machine; what goes around one already still does."""
    said = (os.environ.get(name, "") for name in _NO_PROXY)
    hosts = ",".join(dict.fromkeys(filter(None, (*said, _NEAR))))
    return dict.fromkeys(_NO_PROXY, hosts)


def say_where(found: Endpoints, arns: Iterable[str]) -> None:
    """One line on what is read, and how long it lives; of a real account also what it is."""
    url = found.url("kinesis")
    if found.own is not None:
        where = f"{found.embedded}, embedded, ends with this run; esm serve lasts"
    elif found.embedded is not None:
        where = f"{found.embedded}, the esm serve that is running"
    elif found.reach.aws:
        parts = [arn.split(":") for arn in arns]
        places = sorted({f"account {part[4]}, {part[3]}" for part in parts})
        streams = ", ".join(dict.fromkeys(part[5] for part in parts))
        where = f"{url or 'AWS'}, {'; '.join(places)}: {streams}"
    else:
        where = str(url)
    print(f"aws    {where}", file=sys.stderr)


def account_of(reach: Reach) -> str | None:
    """The account that the credentials belong to, with --aws. Raises EndpointError E548."""
    if not reach.aws:
        return None
    try:
        answer = reach.make_client("sts", DEFAULT_REGION).get_caller_identity()
    except AWS_FAILURES as error:
        raise EndpointError(
            "E548",
            f"AWS does not say whose credentials these are: {text_of(error)}",
            why="what is read and written with --aws is in the account of the credentials",
            fix="--profile NAME, or aws sso login",
        ) from error
    return str(answer["Account"])
