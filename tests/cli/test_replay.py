"""`esm replay`, as somebody with a captured event and a handler uses it: what comes out."""

from __future__ import annotations

import base64
import gzip
import io
import json
import sys

import pytest
from kpl_oracle import aggregate_of
from replay_desk import QUEUE, STREAM, Desk, all_at_once, event, record

# --- what comes out ------------------------------------------------------------------------------


def test_a_captured_event_is_delivered(three_orders: Desk):
    ended = three_orders.replay("orders.json", "--handler", "orders_app:fine")
    assert ended.code == 0
    assert ended.err == ""
    assert ended.out == (
        "records      3 captured: 3 delivered\n"
        "invocations  3 for 3 batches\n"
        "time on AWS  2s, from 2026-03-02T09:40:01.000Z to 2026-03-02T09:40:03.000Z\n"
    )


def test_records_that_are_all_there_make_one_batch(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fine"))
    assert "invocations  1 for 1 batch\n" in ended.out


def test_a_poison_record_ends_in_the_queue_and_its_story_is_told(three_orders: Desk):
    ended = three_orders.replay(
        *all_at_once("second_is_poison", "--bisect-batch-on-function-error"),
        *("--maximum-retry-attempts", "1"),
        *("--destination-config", f"OnFailure={{Destination={QUEUE}}}"),
    )
    assert ended.code == 1
    assert ended.out == (
        "records      3 captured: 2 delivered, 1 discarded\n"
        "invocations  6 for 5 batches: 4 failed\n"
        "errors       ValueError: no such order (4 times)\n"
        "               at orders_app.py:24\n"
        "discarded    1 RetryAttemptsExhausted, sent to sqs:failures\n"
        "time on AWS  0.5s, from 2026-03-02T09:40:01.000Z to 2026-03-02T09:40:01.500Z\n"
        "\n"
        "second_is_poison: 2 delivered, 1 discarded; 6 invocations\n"
        "✗ discarded #2: RetryAttemptsExhausted after 2 attempts, sent to sqs:failures\n"
        "\n"
        "batch 1 of shard 0, #1-#3 failed: ValueError: no such order\n"
        "├─ #1 ✓\n"
        "└─ #2-#3 failed\n"
        "   ├─ #2 ✗ discarded after 2 attempts over 0.5s\n"
        "   └─ #3 ✓\n"
    )


def test_everything_as_json(three_orders: Desk):
    answer = three_orders.replay(
        *all_at_once("failing", "--maximum-retry-attempts", "0", "-o", "json", "--seed", "7"),
        *("--destination-config", json.dumps({"OnFailure": {"Destination": QUEUE}})),
        *("--set", "backoff_cap=30s"),
    ).json
    assert answer["eventSourceArn"] == STREAM
    assert answer["functionArn"] == "arn:aws:lambda:eu-central-1:123456789012:function:failing"
    assert answer["records"] == {
        "read": 3, "delivered": 0, "filtered": 0, "discarded": 3, "dropped": 0, "expired": 0,
        "blocked": 0, "beforeStart": 0, "duplicates": 0,
    }  # fmt: skip
    assert answer["invocations"] == {
        "total": 1, "batches": 1, "retries": 0, "succeeded": 0, "partlyFailed": 0, "failed": 1,
    }  # fmt: skip
    assert answer["virtualTime"] == {
        "start": "2026-03-02T09:40:01.000Z",
        "end": "2026-03-02T09:40:01.000Z",
        "milliseconds": 0,
        "ended": "idle",
    }
    [discarded] = answer["discarded"]
    assert discarded["destination"] == QUEUE
    assert discarded["condition"] == "RetryAttemptsExhausted"
    assert discarded["invocationRecord"]["KinesisBatchInfo"]["batchSize"] == 3
    assert answer["errors"] == [
        {"error": "ValueError: no such order", "count": 1, "where": "orders_app.py:19"}
    ]
    assert answer["problems"] == ["discarded", "function-error"]
    assert answer["story"].startswith("failing: 0 delivered, 3 discarded")
    assert answer["timeline"].startswith("failing, from 2026-03-02T09:40:01.000Z")
    assert answer["properties"]["MaximumRetryAttempts"] == 0
    assert answer["settings"] == {"backoff_cap": "30s"}
    assert answer["seed"] == 7


def test_a_line_of_json_for_each_call(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("once_bitten", "-o", "jsonl"))
    assert ended.code == 0
    first, second = map(json.loads, ended.out.splitlines())
    assert first == {
        "at": "2026-03-02T09:40:01.000Z",
        "shardId": "shardId-000000000000",
        "lane": 0,
        "cause": "batch",
        "attempt": 1,
        "batchSize": 3,
        "startSequenceNumber": "49600001",
        "endSequenceNumber": "49600003",
        "requestId": first["requestId"],
        "durationMs": 0,
        "outcome": "failed",
        "error": "ValueError: not yet",
        "response": None,
    }
    assert (second["cause"], second["attempt"], second["outcome"]) == ("retry", 2, "succeeded")


def test_settings_that_differ_are_shown(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fine"), "--set", "backoff_cap=30s")
    assert ended.out.endswith("\nsettings     backoff_cap=30s\n")


def test_many_different_errors_are_cut(three_orders: Desk):
    three_orders.write("many.py", "def handler(e, c, n=[0]): n[0] += 1; raise ValueError(n[0])")
    ended = three_orders.replay(
        *("orders.json", "--handler", "many:handler", "--at-once"),
        *("--maximum-retry-attempts", "6"),
    )
    assert (
        "errors       ValueError: 1\n"
        "               at many.py:1\n"
        "             ValueError: 2\n"
        "             ValueError: 3\n"
        "             ValueError: 4\n"
        "             ValueError: 5\n"
        "             … and 2 others\n"
    ) in ended.out


def test_a_destination_that_aws_refuses(three_orders: Desk):
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:failures"
    ended = three_orders.replay(
        *all_at_once("fine"), "--destination-config", f"OnFailure={{Destination={arn}}}"
    )
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(f"E225  on-failure destination {arn}\n")


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_queues_and_topics_get_the_invocation_record(three_orders: Desk, service: str):
    arn = f"arn:aws:{service}:eu-central-1:123456789012:failures"
    [discarded] = three_orders.replay(
        *all_at_once("failing", "--maximum-retry-attempts", "0", "-o", "json"),
        *("--destination-config", f"OnFailure={{Destination={arn}}}"),
    ).json["discarded"]
    assert discarded["destination"] == arn
    assert "payload" not in discarded["invocationRecord"]


def test_a_bucket_gets_the_event_with_it(three_orders: Desk):
    [discarded] = three_orders.replay(
        *all_at_once("failing", "--maximum-retry-attempts", "0", "-o", "json"),
        *("--destination-config", "OnFailure={Destination=arn:aws:s3:::failures}"),
    ).json["discarded"]
    assert discarded["destination"] == "arn:aws:s3:::failures"
    assert json.loads(discarded["invocationRecord"]["payload"]) == event(1, 2, 3)


def test_the_whole_timeline_on_demand(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("fine", "--timeline"))
    assert "batch 1 #1-#3 succeeded; checkpoint #3" in ended.out


def test_the_same_run_twice_says_the_same(three_orders: Desk):
    run = all_at_once("second_is_poison", "--latency", "10ms..2s", "--maximum-retry-attempts", "3")
    outputs = {three_orders.replay(*run, "--seed", "5", "-o", "json").out for _ in range(2)}
    assert len(outputs) == 1
    assert three_orders.replay(*run, "--seed", "6", "-o", "json").out not in outputs


def test_the_trace_is_written_and_private(three_orders: Desk):
    three_orders.replay(*all_at_once("fine", "--trace", "trace.jsonl"))
    file = three_orders.folder / "trace.jsonl"
    head, *rest = map(json.loads, file.read_text().splitlines())
    assert (head["type"], head["version"]) == ("trace", 1)
    assert {"Invoke", "Succeeded", "Resolved"} <= {line["type"] for line in rest}
    assert file.stat().st_mode & 0o077 == 0


def test_a_trace_that_cannot_be_written_is_said_before_the_run(three_orders: Desk):
    three_orders.write("file", "")
    ended = three_orders.replay(*all_at_once("keeps_event", "--trace", "file/trace.jsonl"))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "file/trace.jsonl  E486  the trace cannot be written: Not a directory\n"
    assert not (three_orders.folder / "seen.jsonl").exists()


def test_a_trace_does_not_replace_the_capture(three_orders: Desk):
    before = (three_orders.folder / "orders.json").read_bytes()
    ended = three_orders.replay(*all_at_once("fine", "--trace", "./orders.json"))
    assert ended.code == 2
    assert ended.err == "orders.json  E486  the trace would replace a capture\n"
    assert (three_orders.folder / "orders.json").read_bytes() == before


def test_a_trace_stays_where_it_was_asked_for(three_orders: Desk):
    three_orders.write("moves.py", "import os\nhandler = lambda e, c: os.chdir('/')\n")
    three_orders.replay("orders.json", "--handler=moves:handler", "--trace=t/trace.jsonl")
    assert (three_orders.folder / "t" / "trace.jsonl").exists()


def test_duplicates_are_counted(three_orders: Desk):
    three_orders.write("again.json", event(2, 3))
    ended = three_orders.replay(*all_at_once("fine"), "again.json")
    assert ended.out.startswith("records      3 captured and 2 duplicates: 3 delivered\n")


def test_a_capture_on_standard_input(three_orders: Desk, monkeypatch: pytest.MonkeyPatch):
    pipe = io.TextIOWrapper(io.BytesIO(gzip.compress(json.dumps(event(4)).encode())))
    monkeypatch.setattr(sys, "stdin", pipe)
    ended = three_orders.replay("-", *all_at_once("fine"), "-")
    assert ended.out.startswith("records      4 captured: 4 delivered\n")


def test_standard_input_as_it_is(three_orders: Desk, monkeypatch: pytest.MonkeyPatch):
    lines = "\n".join(json.dumps(event(n)) for n in (1, 2))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    ended = three_orders.replay("-", "--as-is", "--handler", "orders_app:failing")
    assert ended.out.splitlines()[1:] == [
        "             -:1  ValueError: no such order",
        "             -:2  ValueError: no such order",
    ]


def test_standard_input_that_is_no_capture(three_orders: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    ended = three_orders.replay("-", "--handler", "orders_app:fine")
    assert (ended.code, ended.err) == (2, "-  E422  the file is empty\n")


def test_aggregates_that_reach_the_function_as_they_are_are_a_warning(three_orders: Desk):
    aggregated = record(1)
    aggregated["kinesis"]["data"] = base64.b64encode(aggregate_of("a", "b")).decode()
    three_orders.write("orders.json", {"Records": [aggregated, record(2)]})
    told = three_orders.replay("orders.json", "--handler", "orders_app:fine", "-o", "json")
    assert [warning["code"] for warning in told.json["warnings"]] == ["W510"]
    three_orders.write("orders.json", event(1, 2))
    told = three_orders.replay("orders.json", "--handler", "orders_app:fine", "-o", "json")
    assert told.json["warnings"] == []


def test_failures_that_nobody_heeds_are_a_warning(three_orders: Desk):
    three_orders.write(
        "reports.py",
        """
def handler(event, context):
    first = event["Records"][0]["kinesis"]["sequenceNumber"]
    return {"batchItemFailures": [{"itemIdentifier": first}]}
""",
    )
    flags = ["orders.json", "--handler", "reports:handler", "--at-once"]
    unheeded = three_orders.replay(*flags)
    assert unheeded.code == 0
    assert unheeded.out.splitlines()[:4] == [
        "records      3 captured: 3 delivered",
        "invocations  1 for 1 batch",
        "warning      W201  1 of the answers named batchItemFailures, which nobody heeds",
        "             --function-response-types ReportBatchItemFailures",
    ]
    heeding = ["--function-response-types", "ReportBatchItemFailures", "-ojson", "--limit", "1m"]
    assert three_orders.replay(*flags, *heeding).json["warnings"] == []


def test_the_function_sees_the_captured_role_or_one_of_its_own(three_orders: Desk):
    def role() -> str:
        line = (three_orders.folder / "seen.jsonl").read_text().splitlines()[-1]
        role: str = json.loads(line)["Records"][0]["invokeIdentityArn"]
        return role

    three_orders.replay(*all_at_once("keeps_event"))
    assert role() == "arn:aws:iam::123456789012:role/orders"
    three_orders.write(
        "output.json",
        {
            "Records": [
                {
                    "SequenceNumber": "1",
                    "ApproximateArrivalTimestamp": "2026-03-02T09:15:03.659000+00:00",
                    "Data": "aGk=",
                    "PartitionKey": "k",
                }
            ]
        },
    )
    three_orders.replay("output.json", "--handler", "orders_app:keeps_event")
    assert role() == "arn:aws:iam::123456789012:role/keeps_event-role"


# --- the end -------------------------------------------------------------------------------------


def test_what_is_blocked_for_ever_is_told_its_way_out(three_orders: Desk):
    ended = three_orders.replay(*all_at_once("failing", "--limit", "5m"))
    assert ended.code == 1
    assert ended.out == (
        "records      3 captured: 3 still blocked\n"
        "invocations  11 for 1 batch: 11 failed\n"
        "blocked      nothing limits the retries of a batch, and captures do not expire\n"
        "             --maximum-retry-attempts 2 ends them, and so does\n"
        "             --maximum-record-age-in-seconds 3600\n"
        "errors       ValueError: no such order (11 times)\n"
        "               at orders_app.py:19\n"
        "time on AWS  5m2s, from 2026-03-02T09:40:01.000Z to 2026-03-02T09:45:03.000Z\n"
        "             cut there by --limit\n"
        "\n"
        "failing: 0 delivered, 3 not resolved; 11 invocations\n"
        "#1-#3 … not resolved after 11 attempts over 4m3.5s: ValueError: no such order\n"
    )


def test_what_is_blocked_until_its_limits_is_told_so(three_orders: Desk):
    flags = ["--limit", "5m", "--maximum-retry-attempts", "100"]
    ended = three_orders.replay(*all_at_once("failing", *flags))
    line = "blocked      its limits were not reached yet: a longer --limit shows its end\n"
    assert line in ended.out


def test_the_answer_fits_a_terminal_of_80_columns(three_orders: Desk):
    three_orders.write(
        "wordy.py", "def handler(event, context): raise ValueError('far too long to say ' * 20)"
    )
    flags = ["--handler", "wordy:handler", "--limit", "8d", "--set", "backoff_cap=30s"]
    ended = three_orders.replay("orders.json", *flags)
    assert max(map(len, ended.out.splitlines())) <= 80
    as_is = three_orders.replay("orders.json", "--handler", "wordy:handler", "--as-is")
    assert max(map(len, as_is.out.splitlines())) <= 80


# --- when to fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "flags", "code"),
    [
        ("failing", ["--maximum-retry-attempts", "0"], 1),
        ("failing", ["--maximum-retry-attempts", "0", "--fail-on", "dropped"], 1),
        ("failing", ["--maximum-retry-attempts", "0", "--fail-on", "blocked"], 0),
        ("failing", ["--maximum-retry-attempts", "0", "--fail-on", "none"], 0),
        ("failing", ["--limit", "5m"], 1),
        ("failing", ["--limit", "5m", "--fail-on", "expired,discarded"], 0),
        ("once_bitten", [], 0),
        ("once_bitten", ["--fail-on", "function-error"], 1),
    ],
)
def test_the_exit_code_is_1_for_what_fail_on_names(
    three_orders: Desk, handler: str, flags: list[str], code: int
):
    assert three_orders.replay(*all_at_once(handler), *flags).code == code


def test_records_that_are_in_a_destination_are_not_dropped(three_orders: Desk):
    ended = three_orders.replay(
        *all_at_once("failing", "--maximum-retry-attempts", "0", "--fail-on", "dropped"),
        *("--destination-config", f"OnFailure={{Destination={QUEUE}}}"),
    )
    assert ended.code == 0


def test_the_limit_counts_from_the_last_record(three_orders: Desk):
    answer = three_orders.replay(
        "orders.json", "--handler", "orders_app:failing", "--limit", "5m", "-o", "json"
    ).json
    assert answer["records"]["blocked"] == 3
    assert answer["virtualTime"] == {
        "start": "2026-03-02T09:40:01.000Z",
        "end": "2026-03-02T09:45:03.000Z",
        "milliseconds": 302_000,
        "ended": "limit",
    }


# --- where to start ------------------------------------------------------------------------------


@pytest.mark.parametrize("instant", ["2026-03-02T09:40:02Z", "1772444402"])
def test_from_an_instant_on(three_orders: Desk, instant: str):
    ended = three_orders.replay(
        "orders.json", "--handler", "orders_app:fine",
        "--starting-position", "AT_TIMESTAMP", "--starting-position-timestamp", instant,
    )  # fmt: skip
    assert ended.code == 0
    assert ended.out.startswith(
        "records      3 captured: 2 delivered, 1 before the starting position\n"
    )


@pytest.mark.parametrize("instant", ["2031-01-01", "1e300", "nan", "tomorrow"])
def test_an_instant_that_no_record_has(three_orders: Desk, instant: str):
    ended = three_orders.replay(
        "orders.json", "--handler", "orders_app:fine",
        "--starting-position", "AT_TIMESTAMP", "--starting-position-timestamp", instant,
    )  # fmt: skip
    assert ended.code == 3


def test_a_filter_decides_what_is_delivered(three_orders: Desk):
    pattern = """Filters=[{Pattern='{"data": {"id": [1]}}'}]"""
    ended = three_orders.replay(*all_at_once("chatty", "--filter-criteria", pattern))
    assert (ended.code, ended.err) == (0, "handler says [1]\n")
    assert ended.out.startswith("records      3 captured: 1 delivered, 2 filtered\n")
    assert "\nfiltered     data.id is 2, not [1] (and 1 more like it)\n" in ended.out
    told = three_orders.replay(*all_at_once("chatty", "--filter-criteria", pattern, "-o", "json"))
    assert told.json["filtered"] == [{"reason": "data.id is 2, not [1]", "count": 2}]
