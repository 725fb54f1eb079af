"""`os._exit` in a handler is a function error, and ends neither the test nor the command."""

import os

import pytest

from esm import Harness
from esm.invokers.exiting import RuntimeExited
from esm.invokers.inline import Function, InlineInvoker
from esm.invokers.virtual_time import VirtualTime

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"


def invoke(handler):
    with VirtualTime(freeze=False) as virtual:
        return InlineInvoker(handler, Function(), ARN, virtual).invoke({}, "id", 0)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, "Runtime exited without providing a reason"),
        (3, "Runtime exited with error: exit status 3"),
    ],
)
def test_it_is_what_lambda_tells_of_a_runtime_that_ended(status, said):
    error = invoke(lambda event, context: os._exit(status)).error
    assert isinstance(error, RuntimeExited)
    assert str(error) == said


def test_a_handler_that_catches_exceptions_does_not_go_on():
    def handler(event, context):
        try:
            os._exit(1)
        except Exception:
            return "still here"

    assert isinstance(invoke(handler).error, RuntimeExited)


def test_a_batch_that_ends_the_runtime_is_tried_again():
    tries = []

    def handler(event, context):
        tries.append(1)
        if len(tries) == 1:
            os._exit(1)

    esm = Harness()
    stream = esm.kinesis()
    mapping = esm.map(stream, handler)
    stream.put("one")
    esm.drain()
    assert len(mapping.delivered) == 1
    assert [type(each.error) for each in mapping.invocations] == [RuntimeExited, type(None)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows starts children otherwise")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_ends_as_it_wants_to():
    def handler(event, context):
        child = os.fork()
        if child == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert invoke(handler).payload == 7


def test_afterwards_it_is_the_real_one():
    before = os._exit
    assert invoke(lambda event, context: os._exit is before).payload is False
    assert os._exit is before
