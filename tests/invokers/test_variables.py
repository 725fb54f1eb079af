"""What a function finds in its environment, and what is left of it."""

import os
import time

import pytest

from esm import Function, Harness
from esm.invokers import variables
from esm.invokers.inline import InlineInvoker
from esm.invokers.virtual_time import VirtualTime

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
START_MS = 1_767_225_600_000
NAMES = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "TZ",
)


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    yield
    assert [name for name in NAMES if name in os.environ] == []


def an_invoker(virtual, handler, function=None, name="orders:live"):
    return InlineInvoker(handler, function or Function(), ARN + name, virtual)


def test_a_function_finds_what_lambda_gives_it():
    seen = {}

    def handler(event, context):
        seen.update({name: os.environ[name] for name in NAMES})
        assert os.environ["AWS_LAMBDA_LOG_GROUP_NAME"] == context.log_group_name
        assert os.environ["AWS_LAMBDA_LOG_STREAM_NAME"] == context.log_stream_name

    esm = Harness()
    stream = esm.kinesis()
    esm.map(stream, handler, function=Function(name="orders", memory=512))
    stream.put("one")
    esm.drain()

    assert seen.pop("AWS_EXECUTION_ENV").startswith("AWS_Lambda_python3.")
    assert seen.pop("AWS_LAMBDA_LOG_STREAM_NAME").startswith("2026/01/01/[$LATEST]")
    assert seen == {
        "AWS_LAMBDA_FUNCTION_NAME": "orders",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TZ": ":UTC",
    }


def test_functions_take_turns():
    seen = []

    def handler(event, context):
        names = ("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION")
        seen.append([os.environ[name] for name in names])

    with VirtualTime(freeze=False) as virtual:
        orders = an_invoker(virtual, handler)
        refunds = an_invoker(virtual, handler, name="refunds")
        for invoker in (orders, refunds, refunds, orders):
            invoker.invoke({}, "id", START_MS)

    assert seen == [["orders", "live"], *[["refunds", "$LATEST"]] * 2, ["orders", "live"]]


def test_the_functions_own_variables_come_first():
    function = Function(environment={"TZ": "Europe/Berlin"})
    with VirtualTime(freeze=False) as virtual:
        result = an_invoker(virtual, lambda e, c: os.environ["TZ"], function).invoke({}, "1", 0)
    assert result.payload == "Europe/Berlin"


def test_the_users_own_are_back_after_the_run(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "the test's")
    with VirtualTime(freeze=False) as virtual:
        an_invoker(virtual, lambda e, c: os.environ.pop("TZ")).invoke({}, "id", START_MS)
    assert os.environ["AWS_LAMBDA_FUNCTION_NAME"] == "the test's"
    monkeypatch.undo()


def test_they_are_gone_after_an_outcome_that_belongs_to_the_test():
    with (
        pytest.raises(KeyboardInterrupt),
        VirtualTime(freeze=False) as virtual,
    ):
        an_invoker(virtual, lambda e, c: (_ for _ in ()).throw(KeyboardInterrupt)).invoke({}, "", 0)
    assert "AWS_LAMBDA_FUNCTION_NAME" not in os.environ


def test_while_the_function_stays_the_same_nothing_is_set_again(monkeypatch):
    calls = []
    real = variables.set_variables
    monkeypatch.setattr(variables, "set_variables", lambda v: calls.append(len(v)) or real(v))
    with VirtualTime(freeze=False) as virtual:
        orders = an_invoker(virtual, lambda e, c: None)
        for _ in range(100):
            orders.invoke({}, "id", START_MS)
        assert calls == [8]
        an_invoker(virtual, lambda e, c: None, name="refunds").invoke({}, "id", START_MS)
        assert calls == [8, 4]  # name, version, log group and log stream
    assert calls == [8, 4, 8]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has its zone elsewhere")
def test_local_time_is_utc_as_on_lambda_and_the_users_again_afterwards(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    seen = []
    with VirtualTime(freeze=False) as virtual:
        invoker = an_invoker(virtual, lambda e, c: seen.append(time.localtime(0).tm_hour))
        invoker.invoke({}, "id", START_MS)
    seen.append(time.localtime(0).tm_hour)
    monkeypatch.undo()
    time.tzset()
    assert seen == [0, 19]
