"""The boundary between a mapping and a handler in this process."""

import asyncio
import decimal
import gc
import math
import os
import time
import traceback
import warnings
from datetime import UTC, datetime

import pytest

from esm.errors import EsmError, HandlerError
from esm.invokers.inline import Function, InlineInvoker
from esm.invokers.response import (
    RESPONSE_LIMIT_BYTES,
    HandlerIsAsync,
    NotSerialisable,
    ResponseTooLarge,
)
from esm.invokers.virtual_time import VirtualTime
from esm.ports import FunctionResult, TaskTimedOut

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
REQUEST_ID = "6f1d2f6c-2b1e-4c39-8a0b-6c0a5f0e7e11"
START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
EVENT = {"Records": []}


def invoke(handler, function=None, *, arn=ARN, freeze=False, **options):
    with VirtualTime(freeze=freeze) as virtual:
        invoker = InlineInvoker(handler, function or Function(), arn, virtual, **options)
        return invoker.invoke(EVENT, REQUEST_ID, START_MS)


def answer(response):
    return invoke(lambda event, context: response)


class TestContext:
    def test_it_has_everything_that_lambdas_has(self):
        seen = []
        invoke(lambda event, context: seen.append(context), Function(timeout=60, memory=512))
        context = seen[0]

        assert context.function_name == "orders"
        assert context.function_version == "$LATEST"
        assert context.invoked_function_arn == ARN
        assert context.memory_limit_in_mb == "512"
        assert context.aws_request_id == REQUEST_ID
        assert context.log_group_name == "/aws/lambda/orders"
        assert context.log_stream_name.startswith("2026/01/01/[$LATEST]")
        assert context.identity.cognito_identity_id is None
        assert context.identity.cognito_identity_pool_id is None
        assert context.client_context is None
        assert context.tenant_id is None
        assert context.w3c() == {}
        assert repr(context) == (
            f"LambdaContext(function_name='orders', aws_request_id='{REQUEST_ID}')"
        )

    def test_a_version_or_alias_is_in_it(self):
        result = invoke(
            lambda event, context: [context.function_name, context.function_version],
            arn=ARN + ":live",
        )
        assert result.payload == ["orders", "live"]

    def test_the_functions_own_name_comes_first(self):
        result = invoke(lambda event, context: context.function_name, Function(name="sign-ups"))
        assert result.payload == "sign-ups"

    def test_log_writes_to_stdout_as_it_is(self, capsys):
        invoke(lambda event, context: context.log({"a": 1}))
        assert capsys.readouterr().out == "{'a': 1}"

    def test_the_remaining_time_goes_down_as_the_handler_sleeps(self):
        def handler(event, context):
            left = [context.get_remaining_time_in_millis()]
            time.sleep(1.5)
            left.append(context.get_remaining_time_in_millis())
            return left

        assert invoke(handler).payload == [3_000, 1_500]

    def test_it_is_zero_in_a_context_that_is_kept_too_long(self):
        kept = []
        with VirtualTime(freeze=False) as virtual:
            invoker = InlineInvoker(lambda e, c: kept.append(c), Function(), ARN, virtual)
            invoker.invoke(EVENT, "1", START_MS)
            invoker.invoke(EVENT, "2", START_MS + 10_000)
            assert kept[0].get_remaining_time_in_millis() == 0
            assert kept[0].log_stream_name == kept[1].log_stream_name

    def test_handlers_see_virtual_time(self):
        result = invoke(lambda event, context: datetime.now(UTC).isoformat(), freeze=True)
        assert result.payload == "2026-01-01T00:00:00+00:00"


class TestResponses:
    @pytest.mark.parametrize(
        ("response", "payload"),
        [
            pytest.param(None, None, id="nothing"),
            pytest.param({"batchItemFailures": []}, {"batchItemFailures": []}, id="an object"),
            pytest.param(("a", (1, 2)), ["a", [1, 2]], id="tuples become lists"),
            pytest.param({1: "a", None: "b", False: "c"}, {"1": "a", "null": "b", "false": "c"},
                         id="keys become text"),
            pytest.param([decimal.Decimal("5"), decimal.Decimal("-1.10"), decimal.Decimal("1E+2")],
                         [5, -1.1, 100.0], id="a Decimal is a number"),
            pytest.param([b"caf\xc3\xa9"], ["café"], id="bytes inside are text"),
            pytest.param(b'{"batchItemFailures":[]}', {"batchItemFailures": []},
                         id="bytes are the body itself"),
            pytest.param(b"", None, id="an empty body"),
            pytest.param(b"\xff no json", "\ufffd no json", id="a body that is no JSON"),
            pytest.param("ok", "ok", id="text"),
        ],
    )  # fmt: skip
    def test_what_the_caller_gets(self, response, payload):
        assert answer(response) == FunctionResult(payload=payload)

    def test_types_survive_the_way_as_json_has_them(self):
        assert type(answer([decimal.Decimal("5")]).payload[0]) is int

    def test_the_payload_is_not_the_handlers_own_object(self):
        mine = {"batchItemFailures": []}
        assert answer(mine).payload is not mine

    @pytest.mark.parametrize(
        ("response", "text"),
        [
            pytest.param({1, 2}, "Object of type set is not JSON serializable", id="a set"),
            pytest.param(datetime(2026, 1, 1), "Object of type datetime", id="a datetime"),
            pytest.param([math.nan], "Out of range float", id="NaN"),
            pytest.param([-math.inf], "Out of range float", id="Infinity"),
            pytest.param([decimal.Decimal("NaN")], "Out of range float", id="a NaN Decimal"),
            pytest.param([decimal.Decimal("Infinity")], "Out of range", id="an infinite Decimal"),
            pytest.param({(1, 2): 3}, "keys must be str", id="a tuple as key"),
            pytest.param([b"\xff"], "can't decode byte 0xff", id="bytes that are no text"),
            pytest.param("\ud800", "surrogates not allowed", id="half a character"),
        ],
    )
    def test_what_is_no_json_is_a_function_error(self, response, text):
        result = answer(response)

        assert isinstance(result.error, NotSerialisable)
        assert "Unable to marshal response: " in str(result.error)
        assert text in str(result.error)
        assert result.payload is None

    def test_so_is_what_contains_itself(self):
        loop = []
        loop.append(loop)
        assert "Circular reference" in str(answer(loop).error)

    def test_so_is_what_is_nested_too_deeply(self):
        deep = []
        for _ in range(200_000):
            deep = [deep]
        assert isinstance(answer(deep).error, NotSerialisable)

    def test_a_response_may_have_so_many_bytes_and_no_more(self):
        fits = "é" * ((RESPONSE_LIMIT_BYTES - 2) // 2)

        assert answer(fits) == FunctionResult(payload=fits)
        too_large = answer(fits + "e")
        assert isinstance(too_large.error, ResponseTooLarge)
        assert str(too_large.error) == (
            "Response payload size exceeded maximum allowed payload size (6291556 bytes):"
            " it has 6291557 bytes"
        )

    def test_an_async_handler_is_a_function_error_that_says_why(self):
        async def handler(event, context):
            raise AssertionError("never runs")

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = invoke(handler)
            gc.collect()

        assert isinstance(result.error, HandlerIsAsync)
        assert str(result.error) == (
            "handler is async: Lambda does not await what a handler returns."
            " Let the handler be a plain function that calls asyncio.run(...)"
        )

    def test_a_handler_may_call_asyncio_run(self):
        async def slow():
            await asyncio.sleep(0.001)
            return "done"

        assert invoke(lambda event, context: asyncio.run(slow()), freeze=True).payload == "done"


class TestErrors:
    @pytest.mark.parametrize(
        "error",
        [RuntimeError("boom"), AssertionError("no"), SystemExit(1), GeneratorExit(), MemoryError()],
        ids=lambda e: type(e).__name__,
    )
    def test_an_exception_is_a_function_error(self, error):
        def handler(event, context):
            raise error

        assert invoke(handler).error is error

    def test_its_traceback_starts_at_the_users_line(self):
        def handler(event, context):
            raise RuntimeError("boom")

        error = invoke(handler).error

        (frame,) = traceback.extract_tb(error.__traceback__)
        assert frame.name == "handler"
        assert frame.line == 'raise RuntimeError("boom")'

    def test_a_handler_that_takes_the_wrong_arguments_is_a_function_error(self):
        assert "positional argument" in str(invoke(lambda event: None).error)

    @pytest.mark.parametrize("outcome", [pytest.fail, pytest.skip, pytest.xfail, pytest.exit])
    def test_an_outcome_of_pytest_belongs_to_the_test(self, outcome):
        expected = BaseException if outcome is not pytest.exit else pytest.exit.Exception
        with pytest.raises(expected, match="for the test"):
            invoke(lambda event, context: outcome("for the test"))

    def test_so_does_ctrl_c(self):
        def handler(event, context):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            invoke(handler)

    def test_so_does_an_assumption_of_hypothesis(self):
        errors = pytest.importorskip("hypothesis.errors")

        def handler(event, context):
            raise errors.UnsatisfiedAssumption

        with pytest.raises(errors.UnsatisfiedAssumption):
            invoke(handler)

    def test_after_an_outcome_sleeps_are_real_again(self):
        def handler(event, context):
            raise KeyboardInterrupt

        with VirtualTime(freeze=False) as virtual:
            invoker = InlineInvoker(handler, Function(), ARN, virtual)
            with pytest.raises(KeyboardInterrupt):
                invoker.invoke(EVENT, REQUEST_ID, START_MS)
            assert not virtual.runs_here()


class TestDurations:
    def test_an_invocation_takes_no_time_by_itself(self):
        assert answer(None).duration_ms == 0

    def test_latency_and_sleeps_add_up(self):
        result = invoke(lambda event, context: time.sleep(1), latency_ms=lambda: 500)
        assert result == FunctionResult(duration_ms=1_500)

    def test_a_failed_invocation_took_its_time_too(self):
        def handler(event, context):
            time.sleep(1)
            raise RuntimeError("boom")

        assert invoke(handler).duration_ms == 1_000

    def test_the_timeout_itself_is_still_in_time(self):
        result = invoke(lambda event, context: time.sleep(2.5), latency_ms=lambda: 500)
        assert (result.timed_out, result.error, result.duration_ms) == (False, None, 3_000)

    def test_a_longer_invocation_times_out(self):
        result = invoke(lambda event, context: "done", latency_ms=lambda: 3_001)

        assert result.timed_out
        assert result.payload is None
        assert result.duration_ms == 3_000
        assert isinstance(result.error, TaskTimedOut)
        assert str(result.error) == "Task timed out after 3.00 seconds"

    def test_a_sleep_past_the_timeout_stops_the_handler_there(self):
        steps = []

        def handler(event, context):
            steps.append("before")
            time.sleep(10)
            steps.append("after")

        result = invoke(handler, Function(timeout=5))

        assert steps == ["before"]
        assert result.timed_out
        assert result.duration_ms == 5_000
        assert str(result.error) == "Task timed out after 5.00 seconds"

    def test_a_handler_cannot_talk_its_way_out_of_a_timeout(self):
        def handler(event, context):
            try:
                time.sleep(10)
            except BaseException:
                return "fine"

        result = invoke(handler)

        assert result.timed_out
        assert result.payload is None


class TestEnvironment:
    def test_it_is_there_during_the_invocation_and_gone_after(self, monkeypatch):
        monkeypatch.setenv("ESM_TEST_OLD", "before")
        monkeypatch.delenv("ESM_TEST_NEW", raising=False)
        function = Function(environment={"ESM_TEST_OLD": "during", "ESM_TEST_NEW": "new"})

        result = invoke(
            lambda e, c: [os.environ["ESM_TEST_OLD"], os.environ["ESM_TEST_NEW"]], function
        )

        assert result.payload == ["during", "new"]
        assert os.environ["ESM_TEST_OLD"] == "before"
        assert "ESM_TEST_NEW" not in os.environ

    def test_it_is_gone_after_an_error_and_an_outcome_too(self, monkeypatch):
        monkeypatch.delenv("ESM_TEST_NEW", raising=False)
        function = Function(environment={"ESM_TEST_NEW": "new"})

        assert invoke(lambda e, c: {}["missing"], function).error is not None
        with pytest.raises(pytest.skip.Exception):
            invoke(lambda e, c: pytest.skip("no"), function)

        assert "ESM_TEST_NEW" not in os.environ

    def test_a_handler_may_remove_its_variables(self):
        function = Function(environment={"ESM_TEST_NEW": "new"})
        assert invoke(lambda e, c: os.environ.pop("ESM_TEST_NEW"), function).payload == "new"
        assert "ESM_TEST_NEW" not in os.environ


class TestFunction:
    def test_the_defaults_are_awss(self):
        assert Function() == Function(name=None, timeout=3, memory=128, environment=None)

    @pytest.mark.parametrize(
        "limits", [{"timeout": 1, "memory": 128}, {"timeout": 900, "memory": 10_240}]
    )
    def test_the_limits_themselves_are_allowed(self, limits):
        assert Function(**limits).timeout == limits["timeout"]

    @pytest.mark.parametrize(
        ("field", "value", "code", "text"),
        [
            ("name", "", "E310", "'' is not a function name"),
            ("name", "my function", "E310", "'my function' is not a function name"),
            ("name", "x" * 65, "E310", "is not a function name"),
            ("name", 5, "E310", "5 is not a function name"),
            ("timeout", 0, "E311", "timeout=0 must be whole seconds from 1 to 900"),
            ("timeout", 901, "E311", "timeout=901 must be"),
            ("timeout", 2.5, "E311", "timeout=2.5 must be"),
            ("timeout", True, "E311", "timeout=True must be"),
            ("memory", 127, "E312", "memory=127 must be whole megabytes from 128 to 10240"),
            ("memory", 10_241, "E312", "memory=10241 must be"),
            ("memory", "128", "E312", "memory='128' must be"),
            ("environment", {"N": "1"}, "E313", "'N': '1' must map"),
            ("environment", {"1N": "1"}, "E313", "'1N': '1' must map"),
            ("environment", {"LIMIT": 1}, "E313", "'LIMIT': 1 must map"),
            ("environment", {"LIMIT": "\0"}, "E313", "must map"),
            ("environment", ["LIMIT=1"], "E313", "must map names to text"),
        ],
    )
    def test_what_aws_refuses_is_refused(self, field, value, code, text):
        with pytest.raises(EsmError) as refused:
            Function(**{field: value})

        assert isinstance(refused.value, HandlerError)
        assert refused.value.esm_code == code
        assert text in str(refused.value)
