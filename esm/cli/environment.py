"""What a handler finds around it on a command line: no way to AWS.

What it prints goes to stderr, because stdout is the command's answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

from esm.embedded.surroundings import (
    DUMMY_KEYS,
    NO_FILES,
    NO_METADATA,
    OTHER_CREDENTIALS,
    REGION_NAMES,
)


@contextmanager
def offline(region: str, variables: Mapping[str, str]) -> Iterator[None]:
    """Dummy credentials, a region, and the function's variables; all undone at the end."""
    before = dict(os.environ)
    for name in OTHER_CREDENTIALS:
        os.environ.pop(name, None)
    os.environ.update(DUMMY_KEYS | NO_FILES | NO_METADATA | dict.fromkeys(REGION_NAMES, region))
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def handlers_print_to_stderr() -> Iterator[None]:
    """Send stdout to stderr, also what child processes of a handler write there."""
    sys.stdout.flush()
    with redirect_stdout(sys.stderr), _stdout_descriptor_is_stderr():
        yield


@contextmanager
def _stdout_descriptor_is_stderr() -> Iterator[None]:
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
