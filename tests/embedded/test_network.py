"""No request leaves a Harness for AWS, whoever sends it."""

from __future__ import annotations

import _socket
import asyncio
import http.client
import socket
import threading
import urllib.request
from unittest import mock

import boto3
import pytest
import requests
import urllib3

from esm import Harness
from esm.errors import EndpointError

URL = "https://orders.s3.us-east-1.amazonaws.com/1.json"


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """The hosts that the network is asked for; each of them is this machine. No proxy is set."""
    hosts = []

    def look_up(host, port, *args, **kwargs):
        hosts.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

    monkeypatch.setattr(_socket, "getaddrinfo", look_up)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return hosts


def by_connection(url):
    http.client.HTTPSConnection(url.split("/")[2]).request("GET", "/")


def by_asyncio(url):
    async def main():
        await asyncio.open_connection(url.split("/")[2], 443)

    asyncio.run(main())


@pytest.mark.parametrize(
    "send",
    [
        urllib.request.urlopen,
        requests.get,
        lambda url: urllib3.PoolManager().request("GET", url),
        by_connection,
        by_asyncio,
    ],
    ids=["urllib", "requests", "urllib3", "http.client", "asyncio"],
)
def test_a_handlers_request_to_aws_is_refused(esm, asked, send):
    orders = esm.kinesis("orders")
    mapping = esm.map(orders, lambda event, context: send(URL), maximum_retry_attempts=0)
    orders.put("one")
    esm.drain()
    assert str(mapping.invocations[0].error) == (
        "E501  a request without boto3 would have gone to orders.s3.us-east-1.amazonaws.com\n"
        "why    nothing here reaches AWS by accident\n"
        'fix    with mock.patch("urllib.request.urlopen"):   # or what else sends the request'
    )
    assert mapping.discarded
    assert not asked


@pytest.mark.parametrize(
    "host",
    [
        "SQS.us-east-1.amazonaws.com",
        "sqs.cn-north-1.amazonaws.com.cn",
        "lambda.us-east-1.api.aws.",
        b"s3.amazonaws.com",
    ],
)
def test_every_host_of_aws_is_one(host):
    with Harness(), pytest.raises(EndpointError, match="E501"):
        socket.getaddrinfo(host, 443)


@pytest.mark.parametrize("host", ["example.com", "amazonaws.com.example", "localhost", None])
def test_other_hosts_are_looked_up(host, asked):
    with Harness():
        assert socket.getaddrinfo(host, 443)
    assert asked == [host]


def test_a_presigned_url_is_made_and_not_fetched():
    with Harness():
        s3 = boto3.session.Session().client("s3", region_name="us-east-1")
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "orders", "Key": "1"})
        with pytest.raises(EndpointError, match=r"gone to orders\.s3\.amazonaws\.com"):
            urllib.request.urlopen(url)


def test_a_thread_is_refused_as_well():
    told = []

    def fetch():
        try:
            urllib.request.urlopen(URL)
        except EndpointError as error:
            told.append(error.esm_code)

    with Harness():
        thread = threading.Thread(target=fetch)
        thread.start()
        thread.join()
    assert told == ["E501"]


def test_the_tests_own_mock_answers_before():
    with Harness(), mock.patch("socket.getaddrinfo", return_value=["mine"]):
        assert socket.getaddrinfo("s3.amazonaws.com", 443) == ["mine"]


def test_afterwards_all_is_as_it_was():
    before = _socket.getaddrinfo
    with Harness(), Harness():
        assert _socket.getaddrinfo is not before
    assert _socket.getaddrinfo is before


def test_a_patch_that_stays_is_not_caught_in_a_circle(monkeypatch, asked):
    with Harness():
        inner = _socket.getaddrinfo
        monkeypatch.setattr(_socket, "getaddrinfo", lambda *args: inner(*args))
    with Harness(), pytest.raises(EndpointError, match="E501"):
        socket.getaddrinfo("s3.amazonaws.com", 443)
    assert socket.getaddrinfo("s3.amazonaws.com", 443)
    assert asked == ["s3.amazonaws.com"]
