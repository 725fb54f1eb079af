"""What `esm invoke` does: read the template and the event, call the function, print its response.

The clock is the real one; only sleeps of the handler are virtual, and count towards its Timeout.
"""

from __future__ import annotations

import difflib
import json
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from esm.assembly import TemplateMappings, function_of, load_handler_of
from esm.cli.environment import handlers_print_to_stderr, offline
from esm.cli.failures import BAD_OUTCOME, show
from esm.cli.invoking import at_users_line
from esm.cli.mask import Mask
from esm.cli.output import write_answer
from esm.cli.template_options import TemplateOptions
from esm.cli.variables import VariablesFile, read_variables
from esm.cli.watchdog import watched
from esm.clock import SystemClock
from esm.errors import EndpointError, EsmError, InputError, Place, TemplateError
from esm.harness import Harness
from esm.instants import from_ms
from esm.invokers.inline import Function, InlineInvoker
from esm.invokers.virtual_time import DeadlinePassed
from esm.pipeline import new_uuid
from esm.ports import FunctionResult, TaskTimedOut
from esm.template import FunctionResource, SourceKind, Template

_OURS = Path(__file__).resolve().parents[1]

_CDK_HASH = re.compile("[0-9A-F]{8}")  # which the CDK puts behind a construct's name

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
_EVENT_SOURCES = {
    SourceKind.KINESIS: "aws:kinesis",
    SourceKind.DYNAMODB: "aws:dynamodb",
    SourceKind.MSK: "aws:kafka",
    SourceKind.SELF_MANAGED_KAFKA: "SelfManagedKafka",
}
# Of whose events `esm generate` makes as many as wanted.
_GENERATED = {SourceKind.KINESIS: "kinesis", SourceKind.DYNAMODB: "dynamodb"}


def run(
    options: TemplateOptions, name: str, event_file: str, env_vars: VariablesFile | None
) -> int:
    """Invoke, print the response, and give the exit code."""
    template = options.load_to_run()
    function = _function(template, name)
    variables = _variables(function, env_vars)
    mask = Mask({*variables.values(), *template.secrets})
    with mask.on_errors():
        function = function.with_variables(variables)
        event = _read_event(event_file, _fix(function, _kinds(template, function)))
        _warn_of_another_source(template, function, event, event_file)
        result = _invoke(options, template, function, event)
    if result.error is None:
        text = json.dumps(result.payload, ensure_ascii=False)
        # Half a character, which JSON can have and UTF-8 cannot, goes back to its escape.
        write_answer(text.encode(errors="backslashreplace") + b"\n")
        return 0
    sys.stderr.write(mask.text("".join(_told(result.error))))
    return BAD_OUTCOME


def _function(template: Template, name: str) -> FunctionResource:
    if name in template.functions:
        return template.functions[name]
    if (reason := template.why_absent(name)) is not None:
        raise reason
    close = [each for each in template.functions if _CDK_HASH.fullmatch(each.removeprefix(name))]
    close = close or difflib.get_close_matches(name, template.functions, n=1, cutoff=0.4)
    if not close and name in template.mappings:
        close = [template.mappings[name].function_logical_id or ""]
    raise TemplateError(
        "E154",
        f"{template.path} has no function {name!r}",
        why=f"its functions: {', '.join(template.functions) or 'none'}",
        fix=f"esm invoke {close[0]}" if close else None,
    )


def _variables(function: FunctionResource, file: VariablesFile | None) -> dict[str, str]:
    name = function.logical_id
    fix = f'{{"{name}": {{"NAME": "value"}}}}'
    return read_variables(file, function.function_name, name, fix=fix)


def _read_event(file: str, fix: str | None) -> Any:
    """The event; `fix` makes one."""
    text = ""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _no_event(file, text, error, fix) from None
    except (OSError, ValueError, RecursionError) as error:
        message = f"the event cannot be read: {_reason(error)}"
        is_missing = isinstance(error, FileNotFoundError)
        raise InputError(
            "E488", message, place=Place(file), fix=fix if is_missing else None
        ) from None


def _reason(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case RecursionError():
            return "it is nested too deeply"
        case OSError(strerror=str(reason)):
            return reason
    return str(error)


def _no_event(file: str, text: str, error: json.JSONDecodeError, fix: str | None) -> InputError:
    if not text.strip():
        message = "there is no event: nothing is in it"
        return InputError("E489", message, place=Place(file), fix=fix)
    line = text.split("\n")[error.lineno - 1]
    return InputError(
        "E489",
        f"not JSON: {error.msg[0].lower()}{error.msg[1:]}",
        place=Place(file, error.lineno, error.colno, line),
        why="an event is one JSON document" if error.msg == "Extra data" else None,
    )


def _warn_of_another_source(
    template: Template, function: FunctionResource, event: object, file: str
) -> None:
    """A function with mappings hardly expects what none of them would send."""
    source = _source_of(event)
    kinds = _kinds(template, function)
    expected = [_EVENT_SOURCES[kind] for kind in SourceKind if kind in kinds & set(_EVENT_SOURCES)]
    if source is None or not expected or source in expected:
        return
    warning = EsmError(
        "W402",
        f"the event is from {source}, and mappings send {function.logical_id} events from"
        f" {' and '.join(expected)}",
        place=Place(file),
        why="it is sent all the same",
        fix=_fix(function, kinds),
    )
    show(warning, as_json=False)


def _kinds(template: Template, function: FunctionResource) -> set[SourceKind]:
    """What the function's mappings read."""
    mappings = template.mappings.values()
    return {m.kind for m in mappings if m.function_logical_id == function.logical_id}


def _fix(function: FunctionResource, kinds: set[SourceKind]) -> str | None:
    words = [word for kind, word in _GENERATED.items() if kind in kinds]
    if not words:
        return None
    return f"esm generate {words[0]} --count 3 | esm invoke {function.logical_id} --event -"


def _source_of(event: object) -> str | None:
    """What an event says of its source; SNS writes the name with a capital letter."""
    match event:
        case {"Records": [{"eventSource": str(source)}, *_]}:
            return source
        case {"Records": [{"EventSource": str(source)}, *_]}:
            return source
        case {"eventSource": str(source)}:
            return source
        case _:
            return None


def _invoke(
    options: TemplateOptions, template: Template, function: FunctionResource, event: Any
) -> FunctionResult:
    now_ms = SystemClock().now_ms()
    function.require()
    configuration = function_of(function)
    with ExitStack() as stack:
        stack.enter_context(offline(options.region, {}))
        stack.enter_context(handlers_print_to_stderr())
        harness = stack.enter_context(Harness(start=from_ms(now_ms), freeze=False))
        TemplateMappings(harness, template)
        handler = load_handler_of(function)
        stack.enter_context(harness.time)
        invoker = InlineInvoker(handler, configuration, function.arn, harness.time)
        result = _within_timeout(invoker, configuration, event, harness)
    if isinstance(result.error, EndpointError):
        raise at_users_line(result.error) from result.error
    return result


def _within_timeout(
    invoker: InlineInvoker, function: Function, event: Any, harness: Harness
) -> FunctionResult:
    """The invocation, which may work in reality for as long as its Timeout and not longer."""
    request_id, start_ms = new_uuid(harness.rng), harness.clock.now_ms()
    try:
        with watched(harness.time, function.timeout):
            return invoker.invoke(event, request_id, start_ms)
    except DeadlinePassed:  # the alarm rang when the handler had just returned
        return FunctionResult(error=TaskTimedOut(function.timeout), timed_out=True)


def _told(error: BaseException) -> Iterator[str]:
    """The user's own traceback; what Lambda's runtime says itself has none."""
    told = traceback.TracebackException.from_exception(error)
    _leave_us_out(told)
    if told.stack:
        yield from told.format()
    else:
        yield f"{type(error).__name__}: {error}\n"


def _leave_us_out(told: traceback.TracebackException) -> None:
    """Drop our frames, also those of errors inside this one or before it."""
    frames = [frame for frame in told.stack if not Path(frame.filename).is_relative_to(_OURS)]
    told.stack = traceback.StackSummary.from_list(frames)
    for before in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if before is not None:
            _leave_us_out(before)
