"""Whose an endpoint is."""

from __future__ import annotations

import pytest

from esm.hosts import is_loopback, is_of_aws


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4577", True),
        ("http://127.8.9.1", True),
        ("http://localhost:4566", True),
        ("http://kinesis.localhost", True),
        ("http://[::1]:4577", True),
        ("http://0.0.0.0:4577", False),
        ("https://kinesis.us-east-1.amazonaws.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("nonsense", False),
    ],
)
def test_which_endpoints_are_this_machine(url, expected):
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("kinesis.us-east-1.amazonaws.com", True),
        ("123456789012.data-kinesis.us-east-1.amazonaws.com", True),
        ("kinesis.cn-north-1.amazonaws.com.cn", True),
        ("kinesis.us-east-1.api.aws", True),
        ("amazonaws.com.example.com", False),
        ("myamazonaws.com", False),
        ("localhost", False),
    ],
)
def test_which_hosts_are_of_aws(host, expected):
    assert is_of_aws(host) is expected
