"""The pytest plugin as a user's test suite meets it. What it says is asserted whole."""

from __future__ import annotations

import json
import re
import stat
import textwrap
from pathlib import Path

import pytest

# Loaded once here, or every run within this process would load them anew.
import esm.failure_story
import esm.strictness
import esm.view  # noqa: F401

pytest_plugins = ["pytester"]

HEAD = """
    import base64, json, time
    from datetime import datetime, timezone
    import pytest

    def body(record):
        return json.loads(base64.b64decode(record["kinesis"]["data"]))

    def refuse_57(event, context):
        for record in event["Records"]:
            if body(record)["id"] == 57:
                raise ValueError("bad order")

    def nothing(event, context):
        pass
"""
SWITCH = "@pytest.mark.esm(strict=False) switches this check off for a test."


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini(
        "[pytest]\naddopts = --strict-markers\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    return pytester


def run(suite: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    suite.makepyfile(test_it=textwrap.dedent(HEAD) + textwrap.dedent(test))
    return suite.runpytest_inprocess("-p", "no:cacheprovider", *options)


def between(result: pytest.RunResult, first: str, last: str) -> str:
    """What stands between two lines of the output."""
    lines = [line.rstrip() for line in result.outlines]
    start = next(at for at, line in enumerate(lines) if re.fullmatch(first, line))
    end = next(at for at, line in enumerate(lines) if at > start and re.fullmatch(last, line))
    return "\n".join(lines[start + 1 : end])


def complaint(result: pytest.RunResult) -> str:
    return between(result, r"_+ ERROR at teardown of \w+ _+", r"-+ esm story -+")


def story(result: pytest.RunResult) -> str:
    return between(result, r"-+ esm story -+", r"=+ .* =+")


POISON = """
    def test_poison(esm):
        orders = esm.kinesis("orders")
        m = esm.map(orders, refuse_57, maximum_retry_attempts=2,
                    bisect_batch_on_function_error=True)
        orders.put_many({"id": number} for number in range(1, 101))
        assert esm.drain() == "idle"
        assert m.lag() == 0
"""


# --- strictness ----------------------------------------------------------------------------------


def test_a_test_that_overlooks_a_discard_fails_at_teardown(suite):
    result = run(suite, POISON)

    result.assert_outcomes(passed=1, errors=1)
    assert complaint(result) == (
        "refuse_57 discarded 1 record without a destination, and the test never looked.\n"
        "  #57 of shard 0: RetryAttemptsExhausted, ValueError: bad order\n"
        "If that is meant, look at it: mapping.discarded. "
        'Else: on_failure=esm.queue("failures")\n'
        "\n" + SWITCH
    )


def test_its_story_shows_the_poison_record_and_the_line(suite):
    assert story(run(suite, POISON)) == (
        "refuse_57: 99 delivered, 1 discarded; 15 invocations\n"
        "✗ discarded #57: RetryAttemptsExhausted after 3 attempts, no destination\n"
        "\n"
        "batch 1 of shard 0, #1-#100 failed: ValueError: bad order\n"
        "├─ #1-#50 ✓\n"
        "└─ #51-#100 failed\n"
        "   ├─ #51-#75 failed\n"
        "   │  ├─ #51-#62 failed\n"
        "   │  │  ├─ #51-#56 ✓\n"
        "   │  │  └─ #57-#62 failed\n"
        "   │  │     ├─ #57-#59 failed\n"
        "   │  │     │  ├─ #57 ✗ discarded after 3 attempts over 1.5s\n"
        "   │  │     │  └─ #58-#59 ✓\n"
        "   │  │     └─ #60-#62 ✓\n"
        "   │  └─ #63-#75 ✓\n"
        "   └─ #76-#100 ✓\n"
        "\n"
        "ValueError: bad order\n"
        '  test_it.py:11: raise ValueError("bad order")\n'
        "\n"
        "properties: BisectBatchOnFunctionError=True, MaximumRetryAttempts=2\n"
        "\n"
        "seed 0; run it again with --esm-seed=0"
    )


BLOCKED = """
    def test_blocked(esm):
        orders = esm.kinesis("orders")
        m = esm.map(orders, refuse_57, batch_size=1)
        orders.put_many({"id": number} for number in (57, 58, 59))
        esm.advance("1m")
"""


def test_a_test_that_overlooks_a_blocked_shard_fails_at_teardown(suite):
    result = run(suite, BLOCKED)

    result.assert_outcomes(passed=1, errors=1)
    assert complaint(result) == (
        "refuse_57 is blocked: 1 record tried and not resolved, before 2 more, "
        "and the test never looked.\n"
        "  #1 of shard 0: 7 attempts, ValueError: bad order\n"
        "If that is meant, look at it: mapping.lag(). "
        "Else: maximum_retry_attempts=…, or more time\n"
        "\n" + SWITCH
    )


EXPIRED = """
    def test_expired(esm):
        orders = esm.kinesis("orders", retention="24h")
        m = esm.map(orders, refuse_57)
        orders.put_many({"id": 57} for number in range(3))
        esm.drain()
"""


def test_a_test_that_overlooks_expired_records_fails_at_teardown(suite):
    result = run(suite, EXPIRED)

    result.assert_outcomes(passed=1, errors=1)
    assert complaint(result) == (
        "refuse_57 lost 3 records that expired at the source undelivered, "
        "and the test never looked.\n"
        "  #1-#3 of shard 0\n"
        "If that is meant, look at it: mapping.expired. "
        "Else: a longer retention=…, or maximum_retry_attempts=…\n"
        "\n" + SWITCH
    )


def test_what_a_destination_did_not_take_counts_as_discarded_without_one(suite):
    result = run(
        suite,
        """
        def test_lost(esm):
            orders, dlq = esm.kinesis("orders"), esm.queue("dlq")
            esm.map(orders, refuse_57, maximum_retry_attempts=0, batch_size=1, on_failure=dlq)
            dlq.fail(times=1)
            orders.put_many({"id": 57} for number in range(2))
            esm.drain()
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    assert complaint(result) == (
        "refuse_57 discarded 1 record that sqs:dlq did not take, and the test never looked.\n"
        "  #1 of shard 0: RetryAttemptsExhausted, ValueError: bad order\n"
        "If that is meant, look at it: mapping.discarded. Else: let the destination take them\n"
        "\n" + SWITCH
    )


def test_many_discards_are_shown_by_the_first_five(suite):
    result = run(
        suite,
        """
        def test_all_bad(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, refuse_57, maximum_retry_attempts=0, batch_size=1)
            orders.put_many({"id": 57} for number in range(7))
            esm.drain()
        """,
    )
    assert complaint(result).splitlines()[5:7] == [
        "  #5 of shard 0: RetryAttemptsExhausted, ValueError: bad order",
        "  … and 2 more",
    ]


def test_every_mapping_and_every_kind_has_its_own_complaint(suite):
    result = run(
        suite,
        """
        def test_two(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, refuse_57, name="gives-up", maximum_retry_attempts=0)
            esm.map(orders, refuse_57, name="goes-on")
            orders.put({"id": 57})
            esm.advance("1m")
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    heads = [block.splitlines()[0] for block in complaint(result).split("\n\n")]
    assert heads == [
        "gives-up discarded 1 record without a destination, and the test never looked.",
        "goes-on is blocked: 1 record tried and not resolved, and the test never looked.",
        SWITCH,
    ]


def test_looking_at_discarded_excuses_discards(suite):
    run(suite, POISON + "        assert len(m.discarded) == 1\n").assert_outcomes(passed=1)


def test_looking_at_lag_excuses_blocked_records(suite):
    run(suite, BLOCKED + "        assert m.lag() == 3\n").assert_outcomes(passed=1)


def test_looking_at_expired_excuses_expiry(suite):
    run(suite, EXPIRED + "        assert len(m.expired) == 3\n").assert_outcomes(passed=1)


def test_looking_at_one_thing_does_not_excuse_another(suite):
    run(suite, POISON + "        m.expired\n").assert_outcomes(passed=1, errors=1)
    run(suite, BLOCKED + "        m.discarded, m.expired\n").assert_outcomes(passed=1, errors=1)
    run(suite, EXPIRED + "        m.lag()\n").assert_outcomes(passed=1, errors=1)


def test_looking_at_the_destination_excuses_what_it_did_not_take(suite):
    run(
        suite,
        """
        def test_lost(esm):
            orders, dlq = esm.kinesis("orders"), esm.topic("dlq")
            esm.map(orders, refuse_57, maximum_retry_attempts=0, on_failure=dlq)
            dlq.fail()
            orders.put({"id": 57})
            esm.drain()
            assert dlq.messages == []
        """,
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("kind", ["queue", "topic", "bucket"])
def test_a_discard_that_a_destination_has_needs_no_look(suite, kind):
    run(
        suite,
        f"""
        def test_kept(esm):
            orders, failures = esm.kinesis("orders"), esm.{kind}("failures")
            esm.map(orders, refuse_57, maximum_retry_attempts=0, on_failure=failures)
            orders.put({{"id": 57}})
            esm.drain()
        """,
    ).assert_outcomes(passed=1)


def test_records_that_nobody_has_tried_are_not_blocked(suite):
    run(
        suite,
        """
        def test_unread(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, refuse_57)
            orders.put({"id": 57})

        def test_in_a_window(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, refuse_57, maximum_batching_window_in_seconds=300)
            orders.put({"id": 57})
            esm.advance("1m")

        def test_in_flight_for_the_first_time(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, refuse_57)
            m.inject.latency("2s")
            orders.put({"id": 57})
            esm.advance("1s")
        """,
    ).assert_outcomes(passed=3)


def test_a_throttled_batch_and_a_waiting_half_are_blocked(suite):
    result = run(
        suite,
        """
        def test_throttled(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, nothing)
            m.inject.throttle(times=100)
            orders.put({"id": 1})
            esm.advance("1m")

        def test_halves(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, refuse_57, bisect_batch_on_function_error=True)
            orders.put_many({"id": number} for number in (57, 58))
            esm.advance("1m")
        """,
    )
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        [
            "nothing is blocked: 1 record tried and not resolved, and the test never looked.",
            "  #1 of shard 0: 6 throttles, Rate Exceeded.",
            "refuse_57 is blocked: 2 records tried and not resolved, and the test never looked.",
            "  #1 of shard 0: 7 attempts, ValueError: bad order",
        ]
    )


def test_a_test_that_failed_by_itself_hears_no_complaint(suite):
    result = run(suite, POISON + "        assert False\n")
    result.assert_outcomes(failed=1)
    assert "never looked" not in result.stdout.str()


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ("pytest.skip('enough')", {"skipped": 1}),
        ("pytest.xfail('known')", {"xfailed": 1}),
    ],
)
def test_a_test_that_did_not_end_hears_no_complaint(suite, ending, outcome):
    run(suite, POISON + f"        {ending}\n").assert_outcomes(**outcome)


# --- the marker ----------------------------------------------------------------------------------


def test_strictness_can_be_switched_off(suite):
    marked = POISON.replace("    def test", "    @pytest.mark.esm(strict=False)\n    def test")
    run(suite, marked).assert_outcomes(passed=1)


@pytest.mark.parametrize(("kinds", "errors"), [("'discarded'", 1), ("'expired', 'blocked'", 0)])
def test_strictness_can_be_chosen_by_kind(suite, kinds, errors):
    marked = POISON.replace(
        "    def test", f"    @pytest.mark.esm(strict={{{kinds}}})\n    def test"
    )
    run(suite, marked).assert_outcomes(passed=1, errors=errors)


def test_the_nearest_marker_says_what_it_says_and_leaves_the_rest(suite):
    run(
        suite,
        """
        pytestmark = pytest.mark.esm(strict=False, seed=1)

        @pytest.mark.esm(seed=2)
        class TestIt:
            @pytest.mark.esm(strict=True)
            def test_seed(self, esm):
                assert esm.seed == 2

        def test_module(esm):
            assert esm.seed == 1
            orders = esm.kinesis("orders")
            esm.map(orders, refuse_57)
            orders.put({"id": 57})
            esm.advance("1m")
        """,
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "wrong",
    [
        "sede=1",
        "1",
        "strict={'lag'}",
        "strict='discarded'",
        "strict={'discarded': 1}",
        "strict=None",
        "strict=[['x']]",
        "seed='7'",
        "seed=True",
    ],
)
def test_a_marker_that_says_something_else_is_refused(suite, wrong):
    result = run(suite, f"@pytest.mark.esm({wrong})\ndef test_it(esm): pass\n")
    result.assert_outcomes(errors=1)
    said = between(result, r"_+ ERROR at setup of test_it _+", r"=+ short test summary info =+")
    assert said.startswith(f"test_it.py::test_it: esm({wrong}): the marker is esm(seed=0, strict=")
    assert "\n" not in said


def test_a_marker_is_judged_where_a_nearer_one_hides_it(suite):
    result = run(
        suite,
        """
        pytestmark = pytest.mark.esm(strict="discarded")

        @pytest.mark.esm(strict=True)
        def test_it(esm): pass
        """,
    )
    result.assert_outcomes(errors=1)


def test_the_marker_is_registered(suite):
    suite.runpytest_inprocess("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.esm(seed=0, strict=True): the seed of the fixture `esm`, *"]
    )


# --- seeds ---------------------------------------------------------------------------------------


def test_the_seed_is_zero_unless_told(suite):
    test = "def test_seed(esm): assert esm.seed == {}\n"
    run(suite, test.format(0)).assert_outcomes(passed=1)
    run(suite, test.format(7), "--esm-seed=7").assert_outcomes(passed=1)
    run(suite, "@pytest.mark.esm(seed=3)\n" + test.format(3), "--esm-seed=7").assert_outcomes(
        passed=1
    )


def test_a_seed_that_is_no_number_is_refused(suite):
    result = run(suite, "def test_seed(esm): pass\n", "--esm-seed=many")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--esm-seed: invalid int value: 'many'"])


def test_a_failing_test_says_how_to_run_it_again(suite):
    result = run(suite, "def test_seed(esm): assert False\n", "--esm-seed=7")
    assert story(result) == "seed 7; run it again with --esm-seed=7"


# --- the story -----------------------------------------------------------------------------------


def test_an_assertion_in_a_handler_heads_the_story(suite):
    result = run(
        suite,
        """
        def check(event, context):
            total = body(event["Records"][0])["total"]
            assert total > 0, "an order costs something"

        def test_totals(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, check, maximum_retry_attempts=1)
            orders.put({"total": 0})
            esm.drain()
            assert len(m.delivered) == 1
        """,
    )
    result.assert_outcomes(failed=1)
    assert story(result) == (
        "An assertion failed in the handler of check:\n"
        "  an order costs something\n"
        "  assert 0 > 0\n"
        '  test_it.py:18: assert total > 0, "an order costs something"\n'
        "\n"
        "check: 0 delivered, 1 discarded; 2 invocations\n"
        "✗ discarded #1: RetryAttemptsExhausted after 2 attempts, no destination\n"
        "\n"
        "properties: MaximumRetryAttempts=1\n"
        "\n"
        "seed 0; run it again with --esm-seed=0"
    )


def test_a_test_that_forgot_to_let_time_pass_is_told(suite):
    result = run(
        suite,
        """
        def test_forgot(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, nothing)
            orders.put_many([{"id": 1}, {"id": 2}])
            assert m.delivered
        """,
    )
    assert story(result) == (
        "nothing: 0 delivered; 0 invocations\n"
        "\n"
        "2 records not tried yet: time passes in advance(), drain() and until() only\n"
        "\n"
        "seed 0; run it again with --esm-seed=0"
    )


def test_the_error_is_shown_at_the_users_line_not_in_the_library_below(suite):
    result = run(
        suite,
        """
        def parse(event, context):
            json.loads("{")

        def test_parse(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, parse, maximum_retry_attempts=0)
            orders.put("x")
            esm.drain()
            assert not m.discarded
        """,
    )
    result.stdout.fnmatch_lines(["JSONDecodeError: *", '  test_it.py:17: json.loads("{")'])


def test_settings_that_are_not_default_are_shown(suite):
    result = run(
        suite,
        """
        from esm import Harness, Settings

        def test_settings(esm, request):
            esm.settings = Settings(backoff_cap="5s")
            assert False
        """,
    )
    assert story(result).splitlines()[0] == "settings: backoff_cap=5s (default 1m)"


def test_a_pytest_outcome_in_a_handler_is_the_tests(suite):
    result = run(
        suite,
        """
        def test_fail(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, lambda event, context: pytest.fail("seen enough"))
            orders.put("x")
            esm.drain()

        def test_skip(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, lambda event, context: pytest.skip("not today"))
            orders.put("x")
            esm.drain()
        """,
    )
    result.assert_outcomes(failed=1, skipped=1)
    result.stdout.fnmatch_lines(["E * Failed: seen enough"])


def test_a_story_that_cannot_be_told_does_not_hide_the_failure(suite):
    suite.makeconftest(
        """
        import esm.failure_story

        def untellable(harness):
            raise KeyError("lost")

        esm.failure_story.failure_story = untellable
        """
    )
    suite.makepyfile("def test_it(esm): assert 1 == 2")
    result = suite.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E * assert 1 == 2", "The story cannot be told, which is a mistake of ours:", "*'lost'"]
    )


def test_a_test_without_the_fixture_is_left_alone(suite):
    result = run(suite, "def test_it(): assert False\n", "--esm-trace=on")
    assert "esm story" not in result.stdout.str()
    assert not (suite.path / "test-results").exists()


MANY = """
    def named(number):
        def handler(event, context):
            for record in event["Records"]:
                if body(record)["id"] %% 300 == 7:
                    assert number != 3, "too much " * 50
                    raise ValueError(f"bad order {body(record)['id']}: {'long ' * 50}")
        handler.__name__ = f"handler_{number}"
        return handler

    def test_many(esm):
        for number in range(%s):
            orders = esm.kinesis(f"orders-{number}", shards=2)
            esm.map(orders, named(number), maximum_retry_attempts=2,
                    bisect_batch_on_function_error=True, parallelization_factor=number %% 10 + 1)
            orders.put_many({"id": id} for id in range(%s))
        esm.drain()
        assert False
"""


@pytest.mark.parametrize(("mappings", "records"), [(1, 2_000), (2, 2_000), (5, 10_000), (40, 20)])
def test_a_story_fits_a_terminal_however_much_there_is_to_tell(suite, mappings, records):
    told = story(run(suite, MANY % (mappings, records))).splitlines()
    assert len(told) <= 60
    assert max(map(len, told)) <= 80
    assert told[-1] == "seed 0; run it again with --esm-seed=0"
    assert [line for line in told if line.startswith("handler_0: ")]


def test_five_mappings_are_all_told_of(suite):
    told = story(run(suite, MANY % (5, 1_000)))
    assert told.startswith("An assertion failed in the handler of handler_3:\n  too much too much ")
    for number in range(5):
        assert f"\nhandler_{number}: 996 delivered, 4 discarded; " in told
    assert told.count('  test_it.py:21: raise ValueError(f"bad order ') == 4
    assert "more lines: print(mapping.timeline(problems_only=True))" in told


def test_an_error_without_line_is_told_by_its_text(suite):
    result = run(
        suite,
        """
        def test_injected(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, nothing, maximum_retry_attempts=1)
            m.inject.error("the database is down")
            orders.put("x")
            esm.drain()
            assert m.delivered
        """,
    )
    assert "\n\nRuntimeError: the database is down\n\n" in story(result)


# --- traces --------------------------------------------------------------------------------------

TWO = """
    @pytest.mark.parametrize("number", ["one/1", "one-1"])
    def test_two(esm, number):
        orders = esm.kinesis("orders")
        m = esm.map(orders, nothing)
        orders.put("x")
        esm.drain()
        assert number == "one-1"
"""


def traces(suite: pytest.Pytester) -> list[Path]:
    return sorted((suite.path / "test-results").glob("*"))


def test_no_trace_is_written_unless_told(suite):
    run(suite, TWO)
    assert traces(suite) == []


def test_traces_are_written_one_file_a_test_private_and_safely_named(suite):
    run(suite, TWO, "--esm-trace=on").assert_outcomes(passed=1, failed=1)
    first, second = traces(suite)
    for path in (first, second):
        assert re.fullmatch(r"test_it\.py-test_two-one-1-[0-9a-f]{8}\.jsonl", path.name)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert lines[0]["type"] == "trace"
        assert "Invoke" in {line["type"] for line in lines}


def test_only_traces_of_failed_tests_are_retained_if_told(suite):
    run(suite, TWO, "--esm-trace=retain-on-failure").assert_outcomes(passed=1, failed=1)
    assert len(traces(suite)) == 1


def test_a_trace_is_retained_when_a_test_fails_for_what_it_overlooked(suite):
    run(suite, POISON, "--esm-trace=retain-on-failure").assert_outcomes(passed=1, errors=1)
    assert len(traces(suite)) == 1


def test_a_very_long_name_still_makes_a_file(suite):
    test = f"@pytest.mark.parametrize('x', ['é' * 900])\ndef test_{'long' * 30}(esm, x): pass\n"
    run(suite, test, "--esm-trace=on").assert_outcomes(passed=1)
    assert len(traces(suite)) == 1


def test_a_trace_that_cannot_be_written_is_an_error_of_its_test(suite):
    (suite.path / "test-results").write_text("a file")
    result = run(suite, TWO + "\n    def test_other(): pass\n", "--esm-trace=on")
    result.assert_outcomes(passed=2, failed=1, errors=2)
    result.stdout.fnmatch_lines(["the trace cannot be written to */test-results: File exists"])


# --- beside others -------------------------------------------------------------------------------


def test_boto3_is_guarded_for_the_whole_test(suite):
    run(
        suite,
        """
        def test_guarded(esm):
            import boto3
            from esm.errors import EndpointError
            esm.kinesis("orders")
            client = boto3.client("kinesis", region_name="us-east-1",
                                  aws_access_key_id="x", aws_secret_access_key="y")
            client.put_record(StreamName="orders", Data=b"1", PartitionKey="1")
            with pytest.raises(EndpointError, match="E501"):
                client.put_record(StreamName="elsewhere", Data=b"1", PartitionKey="1")
            assert len(esm.streams["orders"].records) == 1
        """,
    ).assert_outcomes(passed=1)


def test_nothing_stays_frozen_after_a_test(suite):
    run(
        suite,
        """
        REAL = time.sleep, time.time, datetime

        def test_runs(esm):
            seen = []
            orders = esm.kinesis("orders")
            esm.map(orders, lambda event, context: seen.append(datetime.now(timezone.utc)))
            orders.put("x")
            esm.drain()
            assert seen[0].year == 2026 and seen[0].second == 0
            assert (time.sleep, time.time, datetime) == REAL

        def test_after():
            assert (time.sleep, time.time, datetime) == REAL
            assert abs(time.time() - datetime.now().timestamp()) < 5
        """,
    ).assert_outcomes(passed=2)


def test_it_works_in_a_frozen_test(suite):
    run(
        suite,
        """
        from freezegun import freeze_time

        @freeze_time("2019-05-05")
        def test_frozen(esm):
            seen = []
            orders = esm.kinesis("orders")
            esm.map(orders, lambda event, context: seen.append(datetime.now(timezone.utc)))
            esm.advance("1d")
            orders.put("x")
            esm.drain()
            assert str(seen[0])[:10] == "2019-05-06"
            assert str(datetime.now())[:10] == "2019-05-05"
        """,
    ).assert_outcomes(passed=1)


def test_it_works_in_async_tests(suite):
    run(
        suite,
        """
        import asyncio

        async def work():
            await asyncio.sleep(0)
            return "done"

        def handler(event, context):
            return asyncio.run(work())

        @pytest.mark.asyncio
        async def test_async(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, handler)
            orders.put("x")
            assert esm.drain() == "idle"
            assert m.invocations[0].response == "done"
            await asyncio.sleep(0)

        @pytest.mark.asyncio
        async def test_async_and_bad(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, refuse_57, maximum_retry_attempts=0)
            orders.put({"id": 57})
            await asyncio.sleep(0)
            esm.drain()
        """,
    ).assert_outcomes(passed=2, errors=1)


def test_it_works_with_xdist(suite):
    suite.makepyfile(test_it=textwrap.dedent(HEAD) + textwrap.dedent(TWO) + textwrap.dedent(POISON))
    result = suite.runpytest_subprocess("-n2", "--esm-trace=on", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=1, errors=1)
    assert len(traces(suite)) == 3
    result.stdout.fnmatch_lines(["refuse_57 discarded 1 record *", "*esm story*"])


def test_it_works_with_hypothesis(suite):
    run(
        suite,
        """
        from hypothesis import given, strategies as st
        from esm import Harness

        @given(st.lists(st.integers(0, 99), max_size=5))
        def test_property(items):
            harness = Harness(freeze=False)
            orders = harness.kinesis("orders")
            m = harness.map(orders, nothing)
            orders.put_many({"id": item} for item in items)
            assert harness.drain() == "idle"
            assert m.lag() == 0
        """,
    ).assert_outcomes(passed=1)


def test_it_works_in_classes_other_fixtures_and_doctests(suite):
    suite.makepyfile(
        mod='''
        def documented():
            """
            >>> getfixture("esm").kinesis("orders").put("x").ordinal
            1
            """
        '''
    )
    run(
        suite,
        """
        import unittest

        @pytest.fixture
        def world(esm):
            orders = esm.kinesis("orders")
            return orders, esm.map(orders, refuse_57, maximum_retry_attempts=0)

        class TestWorld:
            def test_it_is_the_same(self, world, esm):
                orders, mapping = world
                orders.put({"id": 57})
                esm.drain()
                assert len(mapping.discarded) == 1

        class Old(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _take(self, world, esm):
                self.orders, self.esm = world[0], esm

            def test_overlooks(self):
                self.orders.put({"id": 57})
                self.esm.drain()
        """,
        "--doctest-modules",
        "--esm-trace=on",
    ).assert_outcomes(passed=3, errors=1)
    assert len(traces(suite)) == 3


def test_what_fails_before_and_after_a_test_has_its_story(suite):
    result = run(
        suite,
        """
        def poisoned(esm):
            orders = esm.kinesis("orders")
            esm.map(orders, refuse_57, maximum_retry_attempts=0)
            orders.put({"id": 57})
            esm.drain()

        @pytest.fixture
        def before(esm):
            poisoned(esm)
            raise LookupError

        @pytest.fixture
        def after(esm):
            yield
            raise LookupError

        def test_before(before): pass

        def test_after(after, esm): poisoned(esm)
        """,
    )
    result.assert_outcomes(passed=1, errors=2)
    lines = result.outlines
    assert lines.count("refuse_57: 0 delivered, 1 discarded; 1 invocation") == 2


def test_asyncio_may_find_its_tests_by_itself(suite):
    run(
        suite,
        """
        async def test_async(esm):
            orders = esm.kinesis("orders")
            m = esm.map(orders, nothing)
            orders.put("x")
            esm.drain()
            assert m.lag() == 0
        """,
        "-o",
        "asyncio_mode=auto",
    ).assert_outcomes(passed=1)


def test_a_wider_scope_is_refused_by_pytest(suite):
    result = run(
        suite,
        """
        @pytest.fixture(scope="session")
        def world(esm): return esm

        def test_world(world): pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["ScopeMismatch: *function scoped fixture esm*"])


def test_collecting_runs_nothing(suite):
    result = run(suite, POISON, "--collect-only", "--esm-trace=on")
    result.stdout.fnmatch_lines(["*1 test collected*"])
    assert traces(suite) == []
