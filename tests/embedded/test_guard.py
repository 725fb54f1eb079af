"""No call of a botocore client leaves a Harness by accident, whenever the client was made."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from unittest import mock

import boto3
import botocore.client
import botocore.credentials
import botocore.httpsession
import moto
import moto.core
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.stub import Stubber

from esm.embedded.guard import AwsGuard
from esm.embedded.kinesis_api import KinesisApi
from esm.errors import EndpointError
from esm.sources.memory import KinesisStream

START_MS = 1_767_225_600_000
REGION = {"region_name": "us-east-1"}
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whatever comes as far as the network fails the test; no keys are lying around."""

    def send(self, request):
        pytest.fail(f"a request left for {request.url}")

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", send)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def _restored():
    """Each test leaves botocore as it found it."""
    before = vars(botocore.client.BaseClient)["_make_api_call"]
    yield
    assert vars(botocore.client.BaseClient)["_make_api_call"] is before


def a_stream(name="orders", **options) -> KinesisStream:
    return KinesisStream(name, now=lambda: START_MS, **options)


def a_guard(*streams: KinesisStream) -> AwsGuard:
    return AwsGuard(KinesisApi({s.name: s for s in streams}), now=lambda: START_MS)


def client(service="kinesis", **options):
    return boto3.session.Session().client(service, **(REGION | options))


def put(kinesis, stream="orders"):
    return kinesis.put_record(StreamName=stream, Data=b"hi", PartitionKey="a")


# --- what is ours --------------------------------------------------------------------------------


def test_a_put_reaches_the_stream_without_credentials():
    orders = a_stream()
    with a_guard(orders):
        answer = put(client())
    assert [r.data for r in orders.records] == [b"hi"]
    assert answer["SequenceNumber"] == orders.records[0].sequence_number
    assert answer["ResponseMetadata"] == {
        "RequestId": "00000000-0000-4000-8000-000000000001",
        "HTTPStatusCode": 200,
        "HTTPHeaders": {"x-amzn-requestid": "00000000-0000-4000-8000-000000000001"},
        "RetryAttempts": 0,
    }


def test_request_ids_count_up():
    with a_guard(a_stream()):
        ids = [put(client())["ResponseMetadata"]["RequestId"][-2:] for _ in range(2)]
    assert ids == ["01", "02"]


def test_resources_and_paginators_come_the_same_way():
    with a_guard(a_stream(shards=3)):
        pages = (
            client()
            .get_paginator("describe_stream")
            .paginate(StreamName="orders", PaginationConfig={"PageSize": 2})
        )
        shards = [s for page in pages for s in page["StreamDescription"]["Shards"]]
    assert len(shards) == 3


def test_an_error_is_the_modelled_exception_of_the_client():
    kinesis = client()
    orders = a_stream(limits=True)
    orders.put(b"x" * 1024 * 1024)
    with a_guard(orders), pytest.raises(ClientError) as refusal:
        put(kinesis)
    assert isinstance(refusal.value, kinesis.exceptions.ProvisionedThroughputExceededException)
    assert refusal.value.operation_name == "PutRecord"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_wrong_parameters_fail_as_botocore_fails_them():
    orders = a_stream()
    with a_guard(orders), pytest.raises(ParamValidationError, match=r'required .* "Data"'):
        client().put_record(StreamName="orders", PartitionKey="a")
    assert orders.records == []


def test_a_stream_that_is_added_later_is_ours_too():
    streams: dict[str, KinesisStream] = {}
    with AwsGuard(KinesisApi(streams), now=lambda: START_MS):
        kinesis = client()
        with pytest.raises(EndpointError):
            put(kinesis)
        streams["orders"] = a_stream()
        assert put(kinesis)["ShardId"] == "shardId-000000000000"


# --- what is refused -----------------------------------------------------------------------------


def test_a_stream_that_nobody_has_is_refused_with_the_line_that_makes_it():
    kinesis = client()
    with a_guard(a_stream("signups"), a_stream("published")), pytest.raises(EndpointError) as no:
        put(kinesis)
    assert str(no.value) == (
        'E501  kinesis PutRecord on "orders" would have gone to '
        "https://kinesis.us-east-1.amazonaws.com\n"
        "why    nothing here reaches AWS by accident; of kinesis there is: signups, published\n"
        'fix    esm.kinesis("orders")'
    )


def test_another_service_is_refused_with_the_mocks_to_use():
    s3 = client("s3")
    with a_guard(), pytest.raises(EndpointError) as no:
        s3.list_buckets()
    assert str(no.value) == (
        "E501  s3 ListBuckets would have gone to https://s3.amazonaws.com\n"
        "why    nothing here reaches AWS by accident; of s3 there is: nothing\n"
        "fix    with moto.mock_aws():   # or a botocore Stubber, or a loopback endpoint_url"
    )


def test_a_refusal_looks_for_no_credentials(monkeypatch):
    dynamodb = client("dynamodb", **KEYS)
    looked = mock.Mock(side_effect=AssertionError("credentials were looked up"))
    monkeypatch.setattr(botocore.credentials.Credentials, "get_frozen_credentials", looked)
    with a_guard(), pytest.raises(EndpointError):
        dynamodb.list_tables()
    assert not looked.called


@pytest.mark.parametrize(
    "url", ["http://localstack:4566", "http://10.0.0.1:4566", "https://127.0.0.1.example.com"]
)
def test_an_endpoint_off_loopback_is_refused(url):
    with a_guard(), pytest.raises(EndpointError, match="would have gone to " + url):
        put(client(endpoint_url=url))


# --- what is left alone --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:4566",
        "http://127.0.0.1:4566",
        "http://127.1.2.3",
        "http://[::1]:4566",
        "http://kinesis.localhost:4566",
    ],
)
def test_a_loopback_endpoint_is_let_through(url, monkeypatch):
    sent = mock.Mock(side_effect=ZeroDivisionError("sent"))
    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", sent)
    config = Config(retries={"total_max_attempts": 1})
    with a_guard(), pytest.raises(ZeroDivisionError):
        put(client(endpoint_url=url, config=config, **KEYS))
    assert sent.called


def test_ours_comes_before_a_loopback_endpoint():
    orders = a_stream()
    with a_guard(orders):
        put(client(endpoint_url="http://localhost:4566"))
    assert len(orders.records) == 1


def test_moto_keeps_what_is_not_ours():
    orders = a_stream()
    with moto.mock_aws(), a_guard(orders):
        s3 = client("s3")
        s3.create_bucket(Bucket="results")
        put(client())
        names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert names == ["results"]
    assert len(orders.records) == 1


def test_moto_may_begin_inside():
    with a_guard(), moto.mock_aws():
        assert client("s3").list_buckets()["Buckets"] == []


def test_a_client_that_moto_does_not_know_is_refused_with_the_way_out(monkeypatch):
    """Moto answers only for clients that were made after it was imported."""
    handlers = [h for h in botocore.handlers.BUILTIN_HANDLERS if h[0] != "before-send"]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    old = client("s3", **KEYS)
    with moto.mock_aws(), a_guard():
        with pytest.raises(EndpointError, match=r"moto.core.patch_client\(client\)"):
            old.list_buckets()
        moto.core.patch_client(old)
        assert old.list_buckets()["Buckets"] == []


def test_a_stubber_answers_for_its_client_alone():
    stubbed, other = client(**KEYS), client()
    with Stubber(stubbed) as stub, a_guard():
        stub.add_response("list_streams", {"StreamNames": ["stub"], "HasMoreStreams": False})
        assert stubbed.list_streams()["StreamNames"] == ["stub"]
        with pytest.raises(EndpointError):
            other.list_streams()
    with a_guard(), pytest.raises(EndpointError):
        stubbed.list_streams()


@pytest.mark.parametrize("autospec", [False, True])
def test_a_patch_made_before_answers_what_is_not_ours(autospec):
    orders = a_stream()
    target = mock.patch.object(
        botocore.client.BaseClient, "_make_api_call", autospec=autospec, return_value={"ok": 1}
    )
    with target as patched:
        with a_guard(orders):
            s3 = client("s3")
            assert s3.list_buckets() == {"ok": 1}
            put(client())
        expected = mock.call("ListBuckets", {})
        if autospec:
            expected = mock.call(s3, "ListBuckets", {})
        assert patched.mock_calls == [expected]
    assert len(orders.records) == 1


@pytest.mark.parametrize("autospec", [False, True])
def test_a_patch_made_inside_answers_everything(autospec):
    target = mock.patch.object(
        botocore.client.BaseClient, "_make_api_call", autospec=autospec, return_value={"ok": 1}
    )
    orders = a_stream()
    with a_guard(orders):
        with target:
            assert put(client()) == {"ok": 1}
        put(client())
    assert len(orders.records) == 1


def test_a_patch_made_inside_may_fall_through_to_us():
    """The pattern of botocore's own mocking recipe."""
    orders = a_stream()
    with a_guard(orders):
        original = botocore.client.BaseClient._make_api_call

        def fake(self, operation, params):
            return {} if operation == "ListBuckets" else original(self, operation, params)

        with mock.patch.object(botocore.client.BaseClient, "_make_api_call", new=fake):
            assert client("s3").list_buckets() == {}
            put(client())
            with pytest.raises(EndpointError):
                client("s3").head_bucket(Bucket="b")
    assert len(orders.records) == 1


def traced(function, seen):
    """As X-Ray and OpenTelemetry wrap it: `__wrapped__` says what is inside."""

    def wrapper(self, operation, params):
        seen.append(operation)
        return function(self, operation, params)

    wrapper.__wrapped__ = function
    return wrapper


def test_a_tracer_is_no_mock():
    seen: list[str] = []
    wrapper = traced(botocore.client.BaseClient._make_api_call, seen)
    with (
        mock.patch.object(botocore.client.BaseClient, "_make_api_call", new=wrapper),
        a_guard(),
        pytest.raises(EndpointError),
    ):
        client("s3").list_buckets()
    assert seen == []


def test_a_tracer_that_stays_keeps_an_inert_hook(monkeypatch):
    """A handler's module may call patch_all() when it is imported inside a Harness."""
    seen: list[str] = []
    base, orders = botocore.client.BaseClient, a_stream()
    before = vars(base)["_make_api_call"]
    first, second = a_guard(orders), a_guard(orders)
    with first:
        base._make_api_call = traced(vars(base)["_make_api_call"], seen)
        put(client())
    try:
        with second:
            put(client())
            with pytest.raises(EndpointError):
                client("s3").list_buckets()
        assert seen == ["PutRecord"]
        assert len(orders.records) == 2
        with Stubber(client("s3", **KEYS)) as stub:
            stub.add_response("list_buckets", {"Buckets": []})
            assert stub.client.list_buckets()["Buckets"] == []
    finally:
        base._make_api_call = before


# --- nesting -------------------------------------------------------------------------------------


def test_a_guard_may_be_entered_again():
    orders = a_stream()
    guard = a_guard(orders)
    with guard:
        with guard:
            put(client())
        put(client())
    assert len(orders.records) == 2
    assert not guard.is_active


def test_an_inner_guard_leaves_to_the_outer_what_is_not_its_own():
    inner, outer = a_stream("inner"), a_stream("outer")
    with a_guard(outer), a_guard(inner):
        put(client(), "inner")
        put(client(), "outer")
        with pytest.raises(EndpointError, match="of kinesis there is: outer"):
            put(client(), "nobody's")
    assert (len(inner.records), len(outer.records)) == (1, 1)


def test_guards_may_be_left_in_any_order():
    first, second = a_guard(a_stream("first")), a_guard(a_stream("second"))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with pytest.raises(EndpointError, match=r"of kinesis there is: second\n"):
        put(client(), "first")
    put(client(), "second")
    second.__exit__(None, None, None)


def test_a_guard_is_left_by_an_exception_too():
    with pytest.raises(ZeroDivisionError), a_guard():
        raise ZeroDivisionError
    with mock.patch.object(botocore.client.BaseClient, "_make_api_call", return_value={}) as real:
        client("s3").list_buckets()
    assert real.called


# --- imports -------------------------------------------------------------------------------------

PRELUDE = """
import os, sys
os.environ.update(AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s", AWS_DEFAULT_REGION="us-east-1")

def put(kinesis, stream):
    return kinesis.put_record(StreamName=stream, Data=b"hi", PartitionKey="a")

def guarded():
    from esm.embedded.guard import AwsGuard
    from esm.embedded.kinesis_api import KinesisApi
    from esm.sources.memory import KinesisStream
    stream = KinesisStream("orders", now=lambda: 0)
    return stream, AwsGuard(KinesisApi({"orders": stream}), now=lambda: 0)
"""


def run(script: str) -> None:
    """Run it in a process of its own, where nothing is imported yet."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_client_made_before_anything_of_ours_is_imported_is_caught():
    run("""
        import boto3
        kinesis, s3 = boto3.client("kinesis"), boto3.client("s3")
        assert not any(name.partition(".")[0] == "esm" for name in sys.modules)
        stream, guard = guarded()
        with guard:
            put(kinesis, "orders")
            try:
                s3.list_buckets()
            except Exception as error:
                assert error.esm_code == "E501"
            else:
                raise SystemExit("not refused")
        assert len(stream.records) == 1
    """)


def test_botocore_is_not_imported_for_it_and_is_caught_when_it_comes():
    run("""
        stream, guard = guarded()
        with guard:
            assert "botocore" not in sys.modules
            [finder] = [f for f in sys.meta_path if type(f).__name__ == "ModuleFinder"]
            import boto3
            import botocore.client
            put(boto3.client("kinesis"), "orders")
            try:
                boto3.client("s3").list_buckets()
            except Exception as error:
                assert error.esm_code == "E501"
            else:
                raise SystemExit("not refused")
            assert finder not in sys.meta_path
        assert len(stream.records) == 1
        assert not hasattr(botocore.client.BaseClient._make_api_call, "esm_guard")
        assert type(botocore.client.__loader__).__name__ == "SourceFileLoader"
        assert botocore.client.__spec__.loader is botocore.client.__loader__
    """)


def test_two_guards_wait_for_botocore_and_are_both_let_go():
    run("""
        (one, outer), (two, inner) = guarded(), guarded()
        with outer, inner:
            import boto3
            put(boto3.client("kinesis"), "orders")
        assert (len(one.records), len(two.records)) == (0, 1)
        import botocore.client
        assert not hasattr(botocore.client.BaseClient._make_api_call, "esm_guard")
        assert not [f for f in sys.meta_path if type(f).__name__ == "ModuleFinder"]
    """)


def test_without_botocore_nothing_is_left_behind():
    run("""
        before = list(sys.meta_path)
        stream, guard = guarded()
        with guard:
            assert len(sys.meta_path) == len(before) + 1
        assert sys.meta_path == before
        assert "botocore" not in sys.modules
    """)
