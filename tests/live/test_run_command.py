"""`esm run` as people use it: in a process of its own, fed over HTTP, ended by signals."""

from __future__ import annotations

import json
import signal
import sqlite3

import pytest
from live_desk import HANDLER, MAPPING, Desk

from esm.trace import read

FAST = ("--port", "0", "--poll-interval", "0.02")


def test_what_is_put_into_a_running_one_reaches_the_function(desk: Desk):
    running = desk.start("run", *FAST)
    running.put("a", "b")
    running.until_seen("a", "b")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert "embedded, ends with this run; esm serve lasts" in running.stderr
    assert running.stdout.splitlines() == [
        "mapping     delivered   filtered  discarded    expired    blocked",
        "SeenOrders          2          0          0          0          0",
        running.stdout.splitlines()[-1],
    ]
    assert "1 invocation" in running.stdout or "2 invocations" in running.stdout


def test_a_run_until_idle_ends_by_itself_and_says_what_it_did(desk: Desk):
    desk.capture("orders.jsonl", *(f"k{number}" for number in range(250)))
    done = desk.run("run", *FAST, "--feed", "orders.jsonl", "--until", "idle", "-o", "json")
    assert done.code == 0, done.stderr
    assert desk.seen == [f"k{number}" for number in range(250)]
    assert done.answer["ended"] == "idle"
    assert done.answer["mappings"][MAPPING]["delivered"] == 250
    assert done.answer["problems"] == []


def test_a_capture_may_be_fed_as_it_came_only_faster(desk: Desk):
    desk.capture("orders.jsonl", "a", "b", "c")
    feed = ("--feed", "orders.jsonl", "--feed-speed", "4")
    run = desk.run("run", *FAST, *feed, "--until", "idle", "-o", "json")
    assert desk.seen == ["a", "b", "c"]
    assert run.answer["mappings"]["SeenOrders"]["invocations"] > 1
    assert run.answer["milliseconds"] >= 500


@pytest.mark.parametrize("speed", ["0", "-1", "fast"])
def test_a_speed_is_a_number_above_zero(desk: Desk, speed: str):
    refused = desk.run("run", "--feed-speed", speed)
    assert refused.code == 2
    assert "Invalid value for '--feed-speed'" in refused.stderr


def test_ctrl_c_lets_what_is_in_flight_end_and_saves_it(desk: Desk):
    slow = HANDLER.replace("    lines", "    import time; time.sleep(0.5)\n    lines")
    desk.write(slow, batch=1)
    served = desk.serve()
    first = desk.start("run", *FAST[2:])
    served.until(lambda: first.url == served.url)
    first.put("a", "b", "c")
    first.until_seen("a")
    first.signal(signal.SIGINT)
    assert first.wait() == 130
    seen = desk.seen
    assert len(seen) < 3
    second = desk.run("run", *FAST[2:], "--until", "idle")
    assert second.code == 0, second.stderr
    assert desk.seen == ["a", "b", "c"]  # nothing twice, nothing left out


def test_sigterm_while_it_starts_ends_it_quietly(desk: Desk):
    desk.write(
        "import os, time\nopen(os.environ['SEEN'], 'a').write('loading\\n')\ntime.sleep(60)\n"
    )
    running = desk.start("run", *FAST)
    running.until_seen("loading")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert len(running.stderr.splitlines()) == 1  # where it would have been
    assert not (desk.folder / ".esm" / "endpoint.json").exists()


def test_a_second_signal_ends_it_at_once(desk: Desk):
    desk.write(HANDLER + "    import time; time.sleep(60)\n", timeout=100)
    running = desk.start("run", *FAST)
    running.put("a")
    running.until_seen("a")
    running.signal(signal.SIGINT)
    running.until(lambda: "stopping" in running.stderr)
    running.signal(signal.SIGINT)
    assert running.wait() == 130


def test_what_fails_is_told_in_a_line_and_goes_to_the_destination(desk: Desk):
    desk.write("def handler(event, context):\n    raise ValueError('no such tariff')\n")
    running = desk.start("run", *FAST, "--set", "backoff_first=10ms")
    running.put("a")
    running.until(lambda: "sent to the destination" in running.stderr)
    queues = running.client("sqs")
    url = queues.get_queue_url(QueueName="failed")["QueueUrl"]
    assert queues.receive_message(QueueUrl=url)["Messages"]
    running.signal(signal.SIGTERM)
    running.wait()
    lines = [line[10:] for line in running.stderr.splitlines() if MAPPING in line]
    assert lines == [
        "SeenOrders, shard 0: 1 record: the function failed: ValueError: no such tariff",
        "SeenOrders, shard 0: 1 record, attempt 2: the function failed: ValueError: no such tariff",
        "SeenOrders, shard 0: 1 record discarded (RetryAttemptsExhausted), sent to the destination",
    ]


def test_a_discarded_record_makes_exit_code_1(desk: Desk):
    desk.write("def handler(event, context):\n    raise ValueError\n")
    desk.capture("one.jsonl", "k")
    arguments = ("--feed", "one.jsonl", "--until", "idle", "--set", "backoff_first=10ms")
    assert desk.run("run", *FAST, *arguments).code == 1
    assert desk.run("run", *FAST, *arguments, "--fail-on", "none").code == 0


def test_with_aws_account_region_and_streams_are_said_before_anything_is_read(desk: Desk):
    """Here an `esm serve` stands for AWS, which has the template's stream already."""
    served = desk.serve()
    keys = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "mine"}
    arguments = ("--aws", "--endpoint-url", served.url, "--poll-interval", "0.02")
    run = desk.start("run", *arguments, **keys)
    run.until(lambda: "account 123456789012, us-east-1: stream/orders" in run.stderr)
    run.put("a")
    run.until_seen("a")
    run.signal(signal.SIGTERM)
    assert run.wait() == 0


def test_a_line_for_each_call_with_jsonl(desk: Desk):
    desk.capture("two.jsonl", "a", "b")
    desk.write(batch=1)
    arguments = ("--feed", "two.jsonl", "--until", "idle", "-o", "jsonl")
    done = desk.run("run", *FAST, *arguments)
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(call["batchSize"], call["outcome"]) for call in calls] == [(1, "succeeded")] * 2


def test_everything_that_happened_is_in_the_trace(desk: Desk):
    desk.capture("one.jsonl", "a")
    arguments = ("--feed", "one.jsonl", "--until", "idle", "--trace", "run.jsonl")
    desk.run("run", *FAST, *arguments)
    types = [line["type"] for line in read(desk.folder / "run.jsonl")]
    assert {"OpenShard", "GetRecords", "Invoke", "Succeeded", "SaveCheckpoint"} <= set(types)
    assert (desk.folder / "run.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("trace", "what"), [("one.jsonl", "a capture"), ("template.yaml", "the template")]
)
def test_a_trace_replaces_nothing_that_the_run_reads(desk: Desk, trace: str, what: str):
    desk.capture("one.jsonl", "a")
    before = (desk.folder / trace).read_bytes()
    refused = desk.run("run", *FAST, "--feed", "one.jsonl", "--trace", trace)
    assert refused.code == 2
    assert refused.stderr == f"{trace}  E486  the trace would replace {what}\n"
    assert (desk.folder / trace).read_bytes() == before


def test_a_feed_that_the_end_cuts_short_is_told(desk: Desk):
    desk.capture("three.jsonl", "a", "b", "c")
    running = desk.start("run", *FAST, "--feed", "three.jsonl", "--feed-speed", "0.001")
    running.until_seen("a")
    running.signal(signal.SIGTERM)
    assert running.wait() == 0
    assert running.stderr.splitlines()[-1] == (
        "three.jsonl: 1 of 3 records put: the run ended first"
    )
    assert desk.seen == ["a"]


def test_a_feed_that_cannot_be_put_ends_the_run_in_one_complaint(desk: Desk):
    desk.capture("one.jsonl", "a")
    change = {
        "eventID": "1",
        "eventName": "REMOVE",
        "eventSource": "aws:dynamodb",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_767_225_600,
            "Keys": {"id": {"S": "1"}},
            "SequenceNumber": "1",
            "SizeBytes": 1,
            "StreamViewType": "KEYS_ONLY",
        },
    }
    (desk.folder / "change.json").write_text(json.dumps({"Records": [change]}))
    feeds = ("--feed", "one.jsonl", "--feed", f"{MAPPING}=change.json")
    refused = desk.run("run", *FAST, *feeds)
    assert refused.code == 2
    assert refused.stderr.count("E493") == 1
    assert "Traceback" not in refused.stderr


class TestState:
    def test_a_second_run_on_the_same_state_is_refused(self, desk: Desk):
        first = desk.start("run", *FAST)
        first.until(lambda: "aws" in first.stderr)
        second = desk.run("run", *FAST)
        assert second.code == 6
        assert "E601" in second.stderr
        assert first.code is None

    def test_streams_of_an_earlier_start_are_others_and_the_checkpoints_are_set_aside(self, desk):
        first = desk.start("run", *FAST)
        first.put("a")
        first.until_seen("a")
        first.signal(signal.SIGTERM)
        first.wait()
        second = desk.start("run", *FAST)
        second.put("b")
        second.until_seen("b")
        assert "SeenOrders: the checkpoints of 1 shard are set aside" in second.stderr

    def test_a_run_goes_on_where_the_last_one_ended_as_long_as_the_server_lives(self, desk: Desk):
        served = desk.serve()
        for key in ("a", "b"):
            run = desk.start("run", "--poll-interval", "0.02")
            run.until(lambda run=run: f"{served.url}, the esm serve that is running" in run.stderr)
            run.put(key)
            run.until_seen(key)
            run.signal(signal.SIGTERM)
            run.wait()
        assert desk.seen == ["a", "b"]

    def test_fresh_begins_anew_and_says_so(self, desk: Desk):
        served = desk.serve()
        first = desk.start("run", "--poll-interval", "0.02")
        first.put("a")
        first.until_seen("a")
        first.signal(signal.SIGTERM)
        first.wait()
        again = desk.start("run", "--poll-interval", "0.02", "--fresh")
        again.until(lambda: desk.seen == ["a", "a"])
        assert "set aside, as you wanted" in again.stderr
        assert served.code is None

    def test_a_poison_record_at_the_very_beginning_can_be_seen_and_passed_over(self, desk: Desk):
        desk.write("def handler(event, context):\n    raise ValueError\n", retries=-1)
        served = desk.serve()
        poisoned = desk.start("run", "--poll-interval", "0.02")
        served.put("poison")
        poisoned.until(lambda: "the function failed" in poisoned.stderr)
        poisoned.signal(signal.SIGTERM)
        poisoned.wait()
        assert "reads on TRIM_HORIZON" in desk.run("checkpoints").stdout
        reset = desk.run("checkpoints", "reset", MAPPING, "--to-latest", "--execute")
        assert reset.code == 0, reset.stderr
        desk.write()
        mended = desk.start("run", "--poll-interval", "0.02")
        served.put("sound")
        mended.until_seen("sound")
        assert desk.seen == ["sound"]

    def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(self, desk: Desk):
        (desk.folder / ".esm").mkdir()
        file = desk.folder / ".esm" / "checkpoints.db"
        file.write_bytes(b"not a database")
        refused = desk.run("run", *FAST)
        assert refused.code == 6
        assert file.read_bytes() == b"not a database"
        assert "Traceback" not in refused.stderr

    def test_a_sound_file_is_left_behind(self, desk: Desk):
        run = desk.start("run", *FAST)
        run.put("a")
        run.until_seen("a")
        run.kill()
        with sqlite3.connect(desk.folder / ".esm" / "checkpoints.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


class TestMistakes:
    def test_a_mapping_that_is_not_there(self, desk: Desk):
        refused = desk.run("run", "SeenOrder")
        assert refused.code == 3
        assert "fix    esm run SeenOrders" in refused.stderr

    def test_an_endpoint_off_this_machine(self, desk: Desk):
        refused = desk.run("run", "--endpoint-url", "http://example.com:4566")
        assert refused.code == 5
        assert "is not on this machine" in refused.stderr
        assert "--aws" in refused.stderr

    def test_an_endpoint_where_nobody_listens(self, desk: Desk):
        refused = desk.run("run", "--endpoint-url", "http://127.0.0.1:1")
        assert refused.code == 5
        assert "E544" in refused.stderr

    def test_a_port_that_is_taken(self, desk: Desk):
        served = desk.serve()
        refused = desk.run("run", "--port", served.url.rpartition(":")[2])
        assert refused.code == 5
        assert "E535" in refused.stderr

    def test_a_handler_that_cannot_be_imported_is_told_before_anything_is_read(self, desk: Desk):
        desk.write("import no_such_module\n")
        refused = desk.run("run", *FAST)
        assert refused.code == 4
        assert "E302" in refused.stderr

    def test_nothing_but_disabled_mappings(self, desk: Desk):
        text = (desk.folder / "template.yaml").read_text()
        text = text.replace("BatchSize", "Enabled: false\n            BatchSize")
        (desk.folder / "template.yaml").write_text(text)
        refused = desk.run("run", *FAST)
        assert refused.code == 2
        assert "nothing to run: SeenOrders is disabled" in refused.stderr

    def test_a_feed_that_is_not_there(self, desk: Desk):
        refused = desk.run("run", *FAST, "--feed", "nowhere.jsonl")
        assert refused.code == 2
        assert "E420" in refused.stderr

    @pytest.mark.parametrize("until", ["soon", "-5"])
    def test_until_when(self, desk: Desk, until: str):
        refused = desk.run("run", *FAST, "--until", until)
        assert refused.code == 2
        assert "Invalid value for '--until'" in refused.stderr

    @pytest.mark.parametrize("url", ["localhost:4566", "http://", "http://[::1"])
    def test_an_endpoint_that_is_no_url(self, desk: Desk, url: str):
        refused = desk.run("run", "--endpoint-url", url)
        assert refused.code == 2
        assert f"{url} is no endpoint" in refused.stderr

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--limits", "--aws"), "--limits is of the embedded AWS: --aws is another"),
            (("--port", "1", "--aws"), "--port is of the embedded AWS: --aws is another"),
            (
                ("--limits", "--endpoint-url", "http://127.0.0.1:1"),
                "--limits is of the embedded AWS: --endpoint-url is another",
            ),
            (("--feed-speed", "2"), "--feed-speed is of --feed, which is not given"),
        ],
    )
    def test_an_option_that_nothing_would_come_of(
        self, desk: Desk, arguments: tuple[str, ...], said: str
    ):
        refused = desk.run("run", *arguments)
        assert refused.code == 2
        assert said in refused.stderr

    def test_one_that_stands_in_the_surroundings_is_for_other_commands_as_well(self, desk: Desk):
        ended = desk.run("run", *FAST, "--until", "idle", ESM_FEED_SPEED="2")
        assert ended.code == 0, ended.stderr

    def test_limits_of_a_serve_that_runs_already(self, desk: Desk):
        served = desk.serve()
        refused = desk.run("run", "--limits")
        assert refused.code == 2
        assert f"--limits is of an AWS that this run starts, and {served.url}" in refused.stderr
        assert "fix    esm serve --limits" in refused.stderr

    def test_a_port_while_the_environment_names_all_endpoints(self, desk: Desk):
        refused = desk.run("run", "--port", "0", AWS_ENDPOINT_URL="http://127.0.0.1:1")
        assert refused.code == 2
        assert "--port is of an AWS that this run starts, and all is read" in refused.stderr

    def test_how_often_to_read_what_is_pushed(self, desk: Desk):
        path = desk.folder / "template.yaml"
        consumer = "arn:aws:kinesis:us-east-1:123456789012:stream/orders/consumer/fan:1"
        path.write_text(path.read_text().replace("!GetAtt Orders.Arn", consumer))
        refused = desk.run("run", *FAST)
        assert refused.code == 2
        assert "E480  --poll-interval is of shards that are polled" in refused.stderr

    def test_a_profile_is_never_ignored(self, desk: Desk):
        refused = desk.run("run", "--profile", "work")
        assert refused.code == 2
        assert "fix    --aws --profile work" in refused.stderr

    @pytest.mark.parametrize(
        ("text", "said"),
        [("{\n", "E483  not JSON"), ('{"Sene": {}}', "E484  no variables for Seen")],
    )
    def test_a_file_of_variables_that_has_none(self, desk: Desk, text: str, said: str):
        (desk.folder / "env.json").write_text(text)
        refused = desk.run("run", "--env-vars", "env.json")
        assert refused.code == 2
        assert said in refused.stderr


def test_handlers_reach_the_embedded_aws_past_a_proxy_and_a_profile(desk: Desk):
    send = "import boto3\n\ndef handler(event, context):\n    boto3.client('sqs').list_queues()\n"
    desk.write(send)
    desk.capture("feed.jsonl", "a")
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    surroundings = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_PROFILE": "gone"}
    ended = desk.run(
        "run", *FAST, "--until", "idle", "--feed", "feed.jsonl", **proxy, **surroundings
    )
    assert ended.code == 0, ended.stderr


def test_a_call_that_would_go_past_the_embedded_aws_is_refused_with_the_way_in(desk: Desk):
    url = "https://sts.amazonaws.com"
    call = f"boto3.client('sts', endpoint_url='{url}').get_caller_identity()"
    desk.write(f"import boto3\n\ndef handler(event, context):\n    {call}\n")
    desk.capture("feed.jsonl", "a")
    ended = desk.run("run", *FAST, "--until", "idle", "--feed", "feed.jsonl")
    assert f"E501 sts GetCallerIdentity would have gone to {url}" in ended.stderr
    assert "fix boto3.client(…) without endpoint_url" in ended.stderr


def test_what_is_made_is_told_by_its_name(desk: Desk):
    consumer = """\
  Fan:
    Type: AWS::Kinesis::StreamConsumer
    Properties: {ConsumerName: fan, StreamARN: !GetAtt Orders.Arn}
"""
    path = desk.folder / "template.yaml"
    path.write_text(path.read_text().replace("  Failed:\n", f"{consumer}  Failed:\n"))
    served = desk.serve()
    served.until(lambda: "made" in served.stderr)
    assert "made   stream/orders, stream/orders/consumer/fan, failed\n" in served.stderr


def test_a_run_with_an_aws_of_its_own_leaves_a_serve_to_be_found(desk: Desk):
    served = desk.serve()
    assert desk.run("run", *FAST, "--until", "idle").code == 0
    assert desk.run("put", "orders", "--data", "x").code == 0
    assert served.url in (desk.folder / ".esm" / "endpoint.json").read_text()
