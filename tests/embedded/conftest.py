"""An embedded AWS for each file of tests that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from over_http import Clients

from esm.embedded.aws import EmbeddedAws


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws(port=0, fan_out_delay_ms=0) as aws:
        yield aws


@pytest.fixture(scope="module")
def clients(aws: EmbeddedAws) -> Iterator[Clients]:
    clients = Clients(aws.url)
    yield clients
    clients.close()
