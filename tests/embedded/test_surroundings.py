"""What boto3 finds when a client is made inside a Harness: nobody's credentials, no network."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from unittest import mock

import boto3
import moto
import pytest

from esm import Harness
from esm.embedded.guard import AwsGuard
from esm.embedded.surroundings import OTHER_CREDENTIALS, SURROUNDINGS
from esm.errors import EndpointError

pytest_plugins = ["pytester"]

NAMES = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
    "AWS_EC2_METADATA_DISABLED", "AWS_REGION", "AWS_DEFAULT_REGION", *sorted(OTHER_CREDENTIALS),
)  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """Nothing of AWS is set, and the home is empty."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def a_guard() -> AwsGuard:
    return AwsGuard(now=lambda: 0)


def aws() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def test_a_handlers_client_needs_no_credentials_and_asks_no_network():
    """In a process of its own, where every connection fails the test."""
    program = """
        import os, socket, sys
        def no_network(*args): sys.exit(f"connecting: {args}")
        socket.socket.connect = socket.getaddrinfo = no_network
        from esm import Harness
        before = dict(os.environ)
        esm = Harness()
        orders, published = esm.kinesis("orders"), esm.kinesis("published")
        def publish(event, context):
            import boto3
            kinesis = boto3.client("kinesis")
            assert kinesis.meta.region_name == "us-east-1"
            kinesis.put_record(StreamName="published", Data=b"hi", PartitionKey="a")
        mapping = esm.map(orders, publish)
        orders.put("one")
        esm.advance("1s")
        assert mapping.invocations[0].error is None, mapping.invocations[0].error
        assert len(published.records) == 1
        assert dict(os.environ) == before
        import boto3
        assert boto3.DEFAULT_SESSION is None
    """
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=False, env=bare, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_they_are_dummies_while_a_guard_is_entered_and_gone_afterwards():
    with a_guard():
        assert aws() == {
            "AWS_ACCESS_KEY_ID": "esm",
            "AWS_SECRET_ACCESS_KEY": "esm",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        with a_guard(), Harness():
            assert aws()["AWS_ACCESS_KEY_ID"] == "esm"
        assert aws()["AWS_ACCESS_KEY_ID"] == "esm"
    assert aws() == {}


def test_guards_that_are_left_in_any_order_keep_them_to_the_last():
    first, second = a_guard(), a_guard()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert aws()["AWS_ACCESS_KEY_ID"] == "esm"
    second.__exit__(None, None, None)
    assert aws() == {}


def test_what_the_user_has_set_stays(monkeypatch):
    mine = {
        "AWS_ACCESS_KEY_ID": "AKIAMINE",
        "AWS_SECRET_ACCESS_KEY": "mine",
        "AWS_SESSION_TOKEN": "token",
        "AWS_PROFILE": "dev",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    with a_guard():
        assert aws() == mine
    assert aws() == mine


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_one_region_stands_for_both_names(monkeypatch, name):
    monkeypatch.setenv(name, "eu-west-1")
    with a_guard():
        assert (aws()["AWS_REGION"], aws()["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")
        assert boto3.client("kinesis").meta.region_name == "eu-west-1"


def test_an_empty_variable_counts_as_missing_and_is_empty_again(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    with a_guard():
        assert aws()["AWS_ACCESS_KEY_ID"] == "esm"
    assert aws() == {"AWS_ACCESS_KEY_ID": ""}


def test_a_profile_of_the_user_is_out_of_sight(monkeypatch, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile prod]\nregion = eu-west-1\n")
    (tmp_path / ".aws" / "credentials").write_text(
        "[prod]\naws_access_key_id = AKIAREAL\naws_secret_access_key = real\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "stale")
    with a_guard():
        session = boto3.Session()
        credentials = session.get_credentials()
        assert (session.profile_name, session.available_profiles) == ("default", [])
        assert (credentials.access_key, credentials.token) == ("esm", None)
        assert session.client("kinesis").meta.region_name == "us-east-1"
    assert boto3.Session().get_credentials().access_key == "AKIAREAL"


def test_a_profile_whose_files_the_user_names_is_found_by_name(monkeypatch, tmp_path):
    file = tmp_path / "credentials"
    file.write_text("[test]\naws_access_key_id = AKIATEST\naws_secret_access_key = test\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    with a_guard():
        assert boto3.Session(profile_name="test").get_credentials().access_key == "AKIATEST"
        assert boto3.Session().get_credentials().access_key == "esm"


def test_real_credentials_lead_nowhere():
    with a_guard(), pytest.raises(EndpointError, match="E501  s3 ListBuckets"):
        boto3.client("s3", aws_access_key_id="AKIAREAL", aws_secret_access_key="r").list_buckets()


def test_the_default_session_of_boto3_does_not_keep_them():
    with a_guard():
        boto3.client("s3")
        assert boto3.DEFAULT_SESSION.get_credentials().access_key == "esm"
    assert boto3.DEFAULT_SESSION is None


def test_a_default_session_of_the_users_stays(monkeypatch):
    mine = boto3.Session(aws_access_key_id="AKIAMINE", aws_secret_access_key="mine")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", mine)
    with a_guard():
        boto3.client("s3", region_name="us-east-1")
    assert boto3.DEFAULT_SESSION is mine


@pytest.mark.parametrize("outermost", ["moto", "guard"])
def test_moto_goes_with_it(outermost):
    contexts = [moto.mock_aws(), a_guard()]
    first, second = contexts if outermost == "moto" else contexts[::-1]
    with first, second:
        assert boto3.client("s3", region_name="us-east-1").list_buckets()["Buckets"] == []
    assert aws() == {}


def test_what_a_test_changes_inside_is_its_own_affair(monkeypatch):
    with a_guard():
        os.environ["AWS_REGION"] = "eu-west-1"
    assert aws() == {"AWS_REGION": "eu-west-1"}
    del os.environ["AWS_REGION"]


def test_a_patch_of_the_environment_inside_is_undone_first():
    with a_guard():
        with mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "AKIAINNER"}):
            assert aws()["AWS_ACCESS_KEY_ID"] == "AKIAINNER"
        assert aws()["AWS_ACCESS_KEY_ID"] == "esm"
    assert aws() == {}


def test_they_are_put_back_only_when_nobody_needs_them():
    with a_guard():
        SURROUNDINGS.put_back()
        assert aws()["AWS_ACCESS_KEY_ID"] == "esm"


def test_a_monkeypatch_that_is_undone_after_the_fixture_leaves_nothing(pytester):
    pytester.makepyfile(
        """
        import os

        NAMES = ("AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_PROFILE")
        BEFORE = {name: os.environ.get(name) for name in NAMES}

        def test_one(monkeypatch, esm):
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
            monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
            monkeypatch.setenv("AWS_PROFILE", "other")

        def test_two():
            assert {name: os.environ.get(name) for name in NAMES} == BEFORE
            assert BEFORE["AWS_PROFILE"] == "mine"
        """
    )
    os.environ["AWS_PROFILE"] = "mine"
    try:
        pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=2)
    finally:
        del os.environ["AWS_PROFILE"]
