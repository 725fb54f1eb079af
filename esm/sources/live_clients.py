"""boto3's clients for sources behind an endpoint: one for each service, for all threads.

They ask once: what to do about a failure is decided by the machine that reads the shard.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
"""

from __future__ import annotations

from typing import Any

import boto3
import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from esm.errors import EndpointError
from esm.hosts import is_loopback

# As many as the threads that poll.
_CONNECTIONS = 16
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30

# Where credentials are looked for when nobody is going to check them: nothing that asks a host.
_NEAR = frozenset({"env", "shared-credentials-file", "config-file"})
_PLACEHOLDERS = ("esm", "esm")
# In place of AWS_PROFILE; the four are a configuration's name, variables, default and conversion.
_NO_PROFILE: Any = {"profile": (None, None, None, None)}


def live_client(
    service: str,
    endpoint_url: str | None,
    region: str,
    *,
    session: boto3.Session | None = None,
    profile: str | None = None,
) -> Any:
    """A client that asks once, and whose broken answers never look like whole ones.

    `endpoint_url` None: where botocore finds it, AWS unless the environment says otherwise. A
    loopback endpoint is asked without a proxy, and needs no credentials.
    """
    near = endpoint_url is not None and is_loopback(endpoint_url)
    try:
        client = (session or _session(near=near, profile=profile)).client(
            service, region_name=region, endpoint_url=endpoint_url, config=_config(near=near)
        )
    except (BotoCoreError, ValueError) as error:
        raise EndpointError(
            "E520",
            f"no client for {service}: {error}",
            why="boto3 refuses its region, its endpoint, or the profile",
            fix="mend what the message names",
        ) from error
    guard_parsing(client)
    return client


def guard_parsing(client: Any) -> None:
    """Let a client raise what botocore has errors for, whatever it is answered.

    SNS and S3 answer in XML, which is nobody's object.
    """
    if client.meta.service_model.resolved_protocol != "json":
        return
    client.meta.events.register(
        f"before-parse.{service_id(client)}", leave_only_objects, unique_id="esm-only-objects"
    )


def service_id(client: Any) -> str:
    """The service as the events of botocore call it."""
    return str(client.meta.service_model.service_id.hyphenize())


def leave_only_objects(response_dict: dict[str, Any], **_: object) -> None:
    """A `before-parse` hook: a body that is no JSON object becomes an empty one.

    botocore's parser raises AttributeError for a list or a text, where a status says enough.
    """
    body = response_dict["body"]
    if isinstance(body, bytes) and not _is_object(body):
        response_dict["body"] = b"{}"


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(body), dict)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False


def _config(*, near: bool) -> Config:
    return Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": 1},
        # Emulators know no hosts by account.
        account_id_endpoint_mode="disabled",
        proxies={} if near else None,
    )


def _session(*, near: bool, profile: str | None) -> boto3.Session:
    """A session of its own; near it takes what credentials are at hand, or placeholders."""
    session = botocore.session.Session(profile=profile)
    if near:
        if profile is None and session.profile not in (None, *session.available_profiles):
            session = botocore.session.Session(_NO_PROFILE)
        resolver = session.get_component("credential_provider")
        for provider in list(resolver.providers):
            if provider.METHOD not in _NEAR:
                resolver.remove(provider.METHOD)
        if session.get_credentials() is None:
            session.set_credentials(*_PLACEHOLDERS)
    return boto3.Session(botocore_session=session)
