"""The server comes up, is found, and goes away without a trace."""

from __future__ import annotations

import json
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import pytest
from freezegun import freeze_time
from over_http import PATIENCE_S, Clients, request, send, wait_for

from esm.embedded import endpoint_file
from esm.embedded.aws import EmbeddedAws
from esm.embedded.sagemaker import SageMakerEndpoint
from esm.errors import EndpointError

ARN = "arn:aws:sagemaker:us-east-1:123456789012:endpoint/slow"
JSON = "application/json"


def port_of(aws: EmbeddedAws) -> int:
    port = urlsplit(aws.url).port
    assert port is not None
    return port


# --- start and stop ------------------------------------------------------------------------------


def test_time_that_a_test_freezes_is_not_the_server_s():
    aws = EmbeddedAws(port=0)
    with freeze_time("2040-01-01"):
        aws.start()
        threading.Event().wait(0.3)  # the server has planned what it does next
    stopping = threading.Thread(target=aws.stop, daemon=True)
    stopping.start()
    stopping.join(PATIENCE_S)
    assert not stopping.is_alive()


def test_a_port_that_is_asked_for_and_taken_is_told():
    with EmbeddedAws(port=0) as first:
        with pytest.raises(EndpointError) as taken:
            EmbeddedAws(port=port_of(first)).start()
        assert str(taken.value) == (
            f"E535  port {port_of(first)} of 127.0.0.1 is taken\n"
            "why    another program listens there, perhaps another esm serve\n"
            "fix    --port 0   # any that is free"
        )


def test_the_usual_port_gives_way_to_a_free_one(monkeypatch: pytest.MonkeyPatch):
    with EmbeddedAws(port=0) as other:
        monkeypatch.setattr("esm.embedded.aws.DEFAULT_PORT", port_of(other))
        with EmbeddedAws() as aws:
            assert port_of(aws) != port_of(other)


def test_each_start_is_an_incarnation_of_its_own():
    assert EmbeddedAws().incarnation != EmbeddedAws().incarnation


def test_a_stopped_server_leaves_its_port_and_no_thread():
    aws = EmbeddedAws(port=0)
    aws.start()
    port, clients = port_of(aws), Clients(aws.url)
    clients("sqs").list_queues()
    clients("kinesis").list_streams()
    start = monotonic()
    aws.stop()
    aws.stop()
    assert monotonic() - start < 2
    clients.close()
    wait_for(lambda: not [t.name for t in threading.enumerate() if t.name.startswith("esm-")])
    with EmbeddedAws(port=port) as again:
        assert port_of(again) == port


def test_what_is_in_flight_is_answered():
    started, go_on = threading.Event(), threading.Event()

    def model(_: object) -> dict[str, bool]:
        started.set()
        return {"waited": go_on.wait(PATIENCE_S)}

    with EmbeddedAws(port=0) as aws, ThreadPoolExecutor(2) as others:
        clients, endpoint = Clients(aws.url), SageMakerEndpoint("slow", ARN)
        endpoint.serve(model)
        aws.models["slow"] = endpoint
        invoke = clients("sagemaker-runtime").invoke_endpoint
        asked = others.submit(invoke, EndpointName="slow", Body=b"{}", ContentType=JSON)
        assert started.wait(PATIENCE_S)
        stopped = others.submit(aws.stop)
        go_on.set()
        assert json.loads(asked.result()["Body"].read()) == {"waited": True}
        stopped.result(timeout=2)
        clients.close()


def test_without_uvicorn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(EndpointError) as missing:
        EmbeddedAws(port=0).start()
    assert missing.value.esm_code == "E536"
    assert missing.value.fix == 'pip install "lambda-esm[run]"'


def test_answers_come_at_once():
    """Without TCP_NODELAY every answer would wait for an acknowledgement, 40 ms."""
    call = request("GET /_esm/health HTTP/1.1", "Host: localhost")
    with EmbeddedAws(port=0) as aws:
        took = []
        for _ in range(10):
            start = monotonic()
            send(aws, call)
            took.append(monotonic() - start)
    assert sorted(took)[5] < 0.03


def test_nothing_is_written_while_all_is_well(capfd: pytest.CaptureFixture[str]):
    with EmbeddedAws(port=0) as aws:
        send(aws, b"nonsense\r\n\r\n")
        send(aws, request("GET /_esm/health HTTP/1.1", "Host: evil.example"))
    assert capfd.readouterr() == ("", "")


# --- the file that tells where it is -------------------------------------------------------------


def test_a_running_server_is_found_by_its_folder(tmp_path: Path):
    folder = tmp_path / ".esm"
    with EmbeddedAws(port=0) as aws:
        endpoint_file.write(folder, aws.url, aws.incarnation)
        assert endpoint_file.find_running(folder) == aws.url
        said = json.loads((folder / "endpoint.json").read_text())
        assert said.keys() == {"url", "pid", "incarnation"}
        assert stat.S_IMODE((folder / "endpoint.json").stat().st_mode) == 0o600
        assert (folder / ".gitignore").read_text() == "*\n"
        assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "endpoint.json"]
    assert endpoint_file.find_running(folder) is None


def test_another_server_at_the_same_port_is_not_taken_for_it(tmp_path: Path):
    with EmbeddedAws(port=0) as aws:
        endpoint_file.write(tmp_path, aws.url, "of another one")
        assert endpoint_file.find_running(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"url": "http://evil.example:80", "pid": 1, "incarnation": "x"}',
        '{"url": "http://127.0.0.1:99999", "pid": 1, "incarnation": "x"}',
        '{"url": "http://127.0.0.1:1", "pid": 1, "incarnation": "x"}',
    ],
)
def test_a_file_that_says_nothing_useful_is_no_server(tmp_path: Path, content: str):
    (tmp_path / "endpoint.json").write_text(content)
    assert endpoint_file.find_running(tmp_path) is None


def test_only_ones_own_file_is_removed(tmp_path: Path):
    endpoint_file.write(tmp_path, "http://127.0.0.1:1", "mine")
    endpoint_file.remove(tmp_path, "another's")
    assert (tmp_path / "endpoint.json").exists()
    endpoint_file.remove(tmp_path, "mine")
    endpoint_file.remove(tmp_path, "mine")
    assert not (tmp_path / "endpoint.json").exists()
