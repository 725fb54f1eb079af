"""The clients of sources behind an endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from esm.errors import EndpointError
from esm.sources.live_clients import leave_only_objects, live_client

URL = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """A machine on which nobody has set up anything for AWS."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def access_key(client: Any) -> str | None:
    credentials = client._request_signer._credentials
    return None if credentials is None else credentials.access_key


def test_this_machine_asks_for_no_credentials():
    assert access_key(live_client("kinesis", URL, "us-east-1")) == "esm"


def test_credentials_that_are_at_hand_are_used(monkeypatch):
    """LocalStack and moto tell accounts apart by them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "111111111111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert access_key(live_client("kinesis", URL, "us-east-1")) == "111111111111"


def test_credentials_that_aws_would_have_to_be_asked_for_are_not(monkeypatch, surroundings):
    role = "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
    keys = "aws_access_key_id = k\naws_secret_access_key = s\n"
    (surroundings / "config").write_text(f"[profile base]\n{keys}[profile work]\n{role}")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert access_key(live_client("kinesis", URL, "us-east-1")) == "esm"


def test_a_profile_of_the_environment_that_is_nowhere_is_none_of_this_machines(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "gone")
    assert access_key(live_client("kinesis", URL, "us-east-1")) == "esm"


def test_it_asks_once_and_waits_for_a_bounded_time():
    config = live_client("kinesis", URL, "us-east-1").meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert config.max_pool_connections == 16


def test_this_machine_is_not_asked_through_a_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert live_client("kinesis", URL, "us-east-1").meta.config.proxies == {}
    elsewhere = live_client("kinesis", "http://kinesis.test", "us-east-1")
    assert elsewhere.meta.config.proxies is None


@pytest.mark.parametrize(
    ("endpoint", "region", "profile", "message"),
    [
        ("nonsense", "us-east-1", None, "no client for kinesis: Invalid endpoint: nonsense"),
        (URL, "us east", None, "no client for kinesis: Provided region_name 'us east'"),
        (URL, "us-east-1", "gone", "no client for kinesis: The config profile (gone)"),
    ],
)
def test_what_boto3_refuses_is_the_users_to_mend(endpoint, region, profile, message):
    with pytest.raises(EndpointError) as raised:
        live_client("kinesis", endpoint, region, profile=profile)
    assert raised.value.esm_code == "E520"
    assert raised.value.message.startswith(message)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (b'{"a": 1}', b'{"a": 1}'),
        (b"[1]", b"{}"),
        (b"<html>", b"{}"),
        (b"", b"{}"),
        (b"\xff", b"{}"),
        (b"[" * 100_000, b"{}"),
    ],
)
def test_botocore_gets_objects_only(body, left):
    response = {"body": body}
    leave_only_objects(response)
    assert response["body"] == left


def test_a_stream_of_events_is_left_alone():
    events = iter([b"event"])
    response = {"body": events}
    leave_only_objects(response)
    assert response["body"] is events
