"""Whose an endpoint is: this machine's, AWS's, or somebody else's.

https://docs.aws.amazon.com/general/latest/gr/rande.html
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

_OF_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine, in a way that no name server is asked for."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_of_aws(host: str) -> bool:
    """Whether a host, in lower case, is one of AWS's."""
    return host.endswith(_OF_AWS)
