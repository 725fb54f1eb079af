"""Options that say where live streams and tables are, and the clients that find them there.

Never AWS unasked: neither a profile nor a key or an endpoint in the environment leads there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from esm.cli.given import is_typed
from esm.errors import EndpointError, InputError
from esm.state import FOLDER

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
_VARIABLE = "AWS_ENDPOINT_URL"
_OF_SERVICES = {
    "kinesis": f"{_VARIABLE}_KINESIS",
    "dynamodb": f"{_VARIABLE}_DYNAMODB",
    "dynamodbstreams": f"{_VARIABLE}_DYNAMODB_STREAMS",
    "s3": f"{_VARIABLE}_S3",
    "sns": f"{_VARIABLE}_SNS",
    "sqs": f"{_VARIABLE}_SQS",
}

_URL = re.compile(r"https?://([^][/?#\s]+|\[[0-9a-f:.]+\](:\d+)?)(/|$)", re.IGNORECASE)

Command = TypeVar("Command", bound=Callable[..., object])
MakeClient = Callable[[str, str], Any]
"""Makes boto3's client of a service in a region."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the command line says of where AWS's services are."""

    endpoint_url: str | None
    aws: bool
    profile: str | None

    def check_profile(self) -> None:
        """Raise E480 for a profile on the command line that nothing would come of."""
        if self.profile is None or self.aws:
            return
        if is_typed("profile"):  # one in samconfig.toml is for sam as well
            raise InputError(
                "E480",
                "--profile is for --aws",
                why="real streams are used only where that is asked for",
                fix=f"--aws --profile {self.profile}",
            )

    def make_client(self, service: str, region: str) -> Any:
        """A client that asks once. Raises EndpointError E539 and E541."""
        from esm.sources.live_clients import live_client  # boto3 takes its time

        profile = self.profile if self.aws else None
        return live_client(service, self._url(service), region, profile=profile)

    def named(self, service: str) -> str | None:
        """The endpoint that is named for a service, here or in the environment; raises E541."""
        named = self.endpoint_url or _in_environment(service)
        if named is not None:
            _check(named, aws=self.aws)
        return named

    def _url(self, service: str) -> str | None:
        """The endpoint of a service; None: AWS itself."""
        return self.named(service) or (None if self.aws else _running())


def _in_environment(service: str) -> str | None:
    return os.environ.get(_OF_SERVICES.get(service, "")) or os.environ.get(_VARIABLE) or None


def _check(url: str, *, aws: bool) -> None:
    from esm.hosts import is_loopback

    if _URL.match(url) is None:
        raise InputError(
            "E480",
            f"{url} is no endpoint",
            why="an endpoint is a whole URL",
            fix="--endpoint-url http://127.0.0.1:4577",
        )
    if not aws and not is_loopback(url):
        raise EndpointError(
            "E541",
            f"{url} is not on this machine",
            why="real streams are used only where that is asked for",
            fix="--aws, or an endpoint like http://127.0.0.1:4577",
        )


def _running() -> str:
    """The endpoint of the `esm run` or `esm serve` of this folder."""
    from esm.embedded.endpoint_file import find_running

    url = find_running(FOLDER)
    if url is None:
        raise EndpointError(
            "E539",
            "nothing is running in this folder",
            why="streams are those of a running esm run or esm serve, or of --endpoint-url",
            fix="esm serve",
        )
    return url


def reach_options(command: Command) -> Command:
    """Give a command the options from which `take_reach` makes a `Reach`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_reach(values: dict[str, Any]) -> Reach:
    """Take the options that say where things are out of a command's values."""
    reach = Reach(values.pop("endpoint_url"), values.pop("aws"), values.pop("profile"))
    reach.check_profile()
    return reach


_OPTIONS = (
    click.option(
        "--endpoint-url",
        metavar="URL",
        help="Where the stream is.  [the esm run or esm serve of this folder]",
    ),
    click.option("--aws", is_flag=True, help="Use real AWS, or an endpoint on another machine."),
    click.option("--profile", metavar="NAME", help="Of the AWS CLI's files, with --aws."),
)
