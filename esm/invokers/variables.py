"""The environment variables that Lambda's runtime gives to a function.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
Left out are those by which libraries recognise a real Lambda and talk to its services or write
where only it has a place: LAMBDA_TASK_ROOT, LAMBDA_RUNTIME_DIR, AWS_LAMBDA_RUNTIME_API and
_X_AMZN_TRACE_ID. Credentials and region come from whoever keeps boto3 away from AWS.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esm.invokers.context import LambdaContext


def runtime_variables(context: LambdaContext) -> dict[str, str]:
    """What a function finds; the same names for every function."""
    return {
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": context.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": context.memory_limit_in_mb,
        "AWS_LAMBDA_FUNCTION_VERSION": context.function_version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": context.log_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": context.log_stream_name,
        "TZ": ":UTC",
    }


class RuntimeVariables:
    """Those of the function that runs, from the first invocation of a run until its end.

    Setting variables takes longer than an invocation, so they change only with the function.
    """

    def __init__(self) -> None:
        self._shown: Mapping[str, str] | None = None
        self._before: dict[str, str | None] = {}

    def show(self, variables: Mapping[str, str]) -> None:
        """Set a function's variables, unless they are the ones that were set last."""
        shown = self._shown
        if variables is shown:
            return
        if shown is None:
            self._before = set_variables(variables)
            _read_time_zone()
        else:
            set_variables({n: value for n, value in variables.items() if shown[n] != value})
        self._shown = variables

    def hide(self) -> None:
        """Put back what was there before the first of them."""
        if self._shown is None:
            return
        self._shown = None
        set_variables(self._before)
        _read_time_zone()


def set_variables(values: Mapping[str, str | None] | None) -> dict[str, str | None]:
    """Set variables, or remove those that are None; the answer undoes it."""
    if not values:
        return {}
    before = {name: os.environ.get(name) for name in values}
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return before


def _read_time_zone() -> None:
    """Let C code take notice of TZ; it would do so in its own time, or never."""
    if hasattr(time, "tzset"):  # not on Windows
        time.tzset()
