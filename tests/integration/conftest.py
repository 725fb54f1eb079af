"""Servers that we did not write, started when a test asks for one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from esm.clock import SystemClock

KINESIS_LOCAL = "kinesis-local@0.6.2"
INSTALL_TIMEOUT_S = 120
START_TIMEOUT_MS = 20_000

# Its own default for each is half a second.
QUICK = dict.fromkeys(
    (
        "CREATE_STREAM_DURATION", "SPLIT_SHARD_DURATION", "MERGE_SHARDS_DURATION",
        "UPDATE_SHARD_COUNT_DURATION", "REGISTER_STREAM_CONSUMER_DURATION",
    ),
    "20ms",
)  # fmt: skip


@pytest.fixture(scope="session")
def kinesis_local(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of kinesis-mock, as npm's kinesis-local carries it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("kinesis-local needs node and npm")
    package = installed(npm, request.config.cache.mkdir("servers"))
    plain, tls = free_ports(2)
    log = tmp_path_factory.mktemp("kinesis-local") / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [node, str(package / "main.js")],
            cwd=log.parent,
            env={
                **os.environ,
                **QUICK,
                "KINESIS_MOCK_CERT_PATH": str(package / "server.json"),
                "KINESIS_MOCK_PLAIN_PORT": str(plain),
                "KINESIS_MOCK_TLS_PORT": str(tls),
                "LOG_LEVEL": "ERROR",
                "SHARD_LIMIT": "1000",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for(process, plain, log)
            yield f"http://127.0.0.1:{plain}"
        finally:
            process.kill()
            process.wait(10)


def installed(npm: str, cache: Path) -> Path:
    """The package's folder; installed once, and moved there whole when it is complete."""
    home = cache / KINESIS_LOCAL
    package = home / "node_modules" / "kinesis-local"
    if package.exists():
        return package
    with tempfile.TemporaryDirectory(dir=cache) as started:
        command = [npm, "install", "--prefix", started, "--no-audit", "--no-fund",
                   "--ignore-scripts", KINESIS_LOCAL]  # fmt: skip
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"npm cannot install {KINESIS_LOCAL}: {error}")
        if not home.exists():
            home.mkdir()
            (Path(started) / "node_modules").rename(home / "node_modules")
    return package


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    clock = SystemClock()
    until_ms = clock.now_ms() + START_TIMEOUT_MS
    while process.poll() is None and clock.now_ms() < until_ms:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            clock.wait_until(clock.now_ms() + 20)
        else:
            return
    pytest.fail(f"kinesis-local did not start:\n{log.read_text()[-2_000:]}")
