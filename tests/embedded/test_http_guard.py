"""The listener answers programs on this machine, and no web page."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
from over_http import PATIENCE_S, request, send

from esm.embedded.aws import EmbeddedAws
from esm.embedded.http.app import BODY_BYTES

HEALTH = "GET /_esm/health HTTP/1.1"
PUT = "POST / HTTP/1.1"
HOSTS_ONLY = "only the hosts 127.0.0.1, localhost and [::1] are answered here"
NO_PAGES = "web pages are not answered here: a request must not carry an Origin"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:{port}", "localhost:1", "LocalHost:{port}", "[::1]:4577"]
)
def test_this_machine_is_answered_under_its_names(aws: EmbeddedAws, host: str):
    port = aws.url.rpartition(":")[2]
    assert send(aws, request(HEALTH, f"Host: {host.format(port=port)}")).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4577",
        "localhost.evil.example",
        "bucket.localhost:4577",
        "127.0.0.1.evil.example",
        "127.0.0.2",
        "0.0.0.0:4577",
        "localhost:4577@evil.example",
        "localhost, evil.example",
        "2130706433",
        "[::1].evil.example",
        "",
    ],
)
def test_a_name_that_somebody_lets_point_here_is_not(aws: EmbeddedAws, host: str):
    reply = send(aws, request(HEALTH, f"Host: {host}"))
    assert (reply.status, reply.body) == (403, HOSTS_ONLY)


@pytest.mark.parametrize(
    ("method", "line"),
    [
        (HEALTH, "Origin: http://localhost:4577"),
        (HEALTH, "Origin: null"),
        (HEALTH, "oRiGiN: https://evil.example"),
        (HEALTH, "Sec-Fetch-Site: cross-site"),
        (PUT, "Origin: http://127.0.0.1:8080"),
        ("OPTIONS / HTTP/1.1", "Origin: https://evil.example"),
    ],
)
def test_a_web_page_is_not_answered(aws: EmbeddedAws, method: str, line: str):
    reply = send(aws, request(method, "Host: localhost", line))
    assert (reply.status, reply.body) == (403, NO_PAGES)
    assert "access-control" not in reply.text.lower()


def test_an_address_typed_into_a_browser_is_answered(aws: EmbeddedAws):
    assert send(aws, request(HEALTH, "Host: localhost", "Sec-Fetch-Site: none")).status == 200


@pytest.mark.parametrize(
    "lines",
    [
        ("GET /_esm/health HTTP/1.0",),
        (HEALTH,),
        (HEALTH, "Host: localhost", "hOST: localhost"),
    ],
    ids=["HTTP/1.0", "none", "two"],
)
def test_a_request_names_its_host_once(aws: EmbeddedAws, lines: tuple[str, ...]):
    reply = send(aws, request(*lines))
    assert (reply.status, reply.body) == (403, "a request must name its host, once")


def test_the_guard_stands_before_moto_too(aws: EmbeddedAws):
    line = "GET /moto-api/data.json HTTP/1.1"
    assert send(aws, request(line, "Host: evil.example")).status == 403
    inside = send(aws, request(line, "Host: localhost"))
    assert inside.status == 403
    assert "/moto-api is not answered" in inside.body


@pytest.mark.parametrize("path", ["/moto-api/reset", "/%6doto-api/reset", "//moto-api/reset"])
def test_nobody_resets_moto(aws: EmbeddedAws, path: str):
    aws.world.call("sqs", "CreateQueue", {"QueueName": "kept"}, aws.in_region(None).site)
    assert send(aws, request(f"POST {path} HTTP/1.1", "Host: localhost")).status >= 400
    found = aws.world.call("sqs", "ListQueues", {}, aws.in_region(None).site)
    assert len(found["QueueUrls"]) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nNo colon\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["words", "version", "length", "header", "TLS"],
)
def test_what_is_no_request_is_told_so(aws: EmbeddedAws, raw: bytes):
    assert send(aws, raw).status == 400


def test_a_body_that_is_too_large_is_refused_before_it_comes(aws: EmbeddedAws):
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {BODY_BYTES + 1}\r\n\r\n"
    reply = send(aws, head.encode())
    assert (reply.status, reply.body) == (413, f"a request has at most {BODY_BYTES:,} bytes")


def test_half_a_request_is_none(aws: EmbeddedAws):
    head = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: Kinesis_20131202.CreateStream\r\n"
    body = '{"StreamName": "half", "ShardCount": 1}'
    raw = f"{head}Content-Length: {len(body) + 1}\r\n\r\n{body}".encode()
    address = urlsplit(aws.url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S) as sock:
        sock.sendall(raw)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    assert "half" not in aws.streams


def test_only_this_machine_can_connect(aws: EmbeddedAws):
    assert aws.url.startswith("http://127.0.0.1:")
