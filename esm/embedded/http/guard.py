"""Who may ask: programs on this machine, never a web page.

A page in a browser can send requests to this machine, and a host name that its owner lets point
here (DNS rebinding) makes it even read the answers. The first names an Origin or says with
Sec-Fetch-Site that it comes from another site, the second names its own host.

A bucket's name is no part of the host, as in `bucket.localhost`: the AWS SDK for Python and the AWS
CLI put it into the path where an endpoint is given, others are told to (`forcePathStyle`).
"""

from __future__ import annotations

import re

from esm.embedded.http.messages import Headers

_HOST = re.compile(rb"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_OTHER_SITES = (b"cross-site", b"same-site")


def why_refused(headers: Headers) -> str | None:
    """Why a request gets no answer but this one; None when it is welcome."""
    hosts = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if _HOST.fullmatch(value) is None:
                return "only the hosts 127.0.0.1, localhost and [::1] are answered here"
        elif name == b"origin" or (name == b"sec-fetch-site" and value.lower() in _OTHER_SITES):
            return "web pages are not answered here: a request must not carry an Origin"
    return None if hosts == 1 else "a request must name its host, once"
