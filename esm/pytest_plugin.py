"""The pytest plugin: fixture `esm`, marker `esm`, options `--esm-seed` and `--esm-trace`.

Every test run of every project that has us installed imports this, so it imports nothing of ours
until the fixture is used.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from esm.harness import Harness

TRACE_FOLDER = "test-results"

_MARKER = (
    "esm(seed=0, strict=True): the seed of the fixture `esm`, and whether the test fails for "
    "records that it did not look at; strict may be a set of 'discarded', 'expired', 'blocked'."
)
_SWITCH = "@pytest.mark.esm(strict=False) switches this check off for a test."
_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9_.]+")
_LONGEST_NAME = 100

_harness = pytest.StashKey["Harness"]()
_phases = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--esm-seed` and `--esm-trace`."""
    group = parser.getgroup("esm", "event source mappings")
    group.addoption(
        "--esm-seed",
        type=int,
        metavar="N",
        help="seed of the fixture `esm`; a seed in a test's marker comes first (default: 0)",
    )
    group.addoption(
        "--esm-trace",
        choices=["off", "on", "retain-on-failure"],
        default="off",
        help=f"write the trace of each test that uses `esm` into {TRACE_FOLDER}/ (default: off)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture(name="esm")
def esm_fixture(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Streams, mappings and destinations in virtual time; see `esm.Harness`.

    At the end of a test that passed, records that were discarded without a destination, expired
    at the source or are blocked fail it, unless it looked at them.
    """
    from esm.harness import Harness

    seed, kinds = _options(request.node)
    with Harness(seed=seed) as harness:
        request.node.stash[_harness] = harness
        yield harness
    if kinds and request.node.stash[_phases].get("call") == "passed":
        _check(harness, kinds)


def _options(item: pytest.Item) -> tuple[int, frozenset[str]]:
    """Seed and strictness of a test: what its markers say, the nearest last, else the options."""
    given: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("esm"))):
        if marker.args or marker.kwargs.keys() - {"seed", "strict"}:
            _refuse_marker(item, marker)
        given.update(marker.kwargs)
        kinds = _kinds(marker.kwargs.get("strict", True))
        if kinds is None or type(marker.kwargs.get("seed", 0)) is not int:
            _refuse_marker(item, marker)
    seed = given.get("seed", item.config.getoption("esm_seed"))
    return seed or 0, _kinds(given.get("strict", True)) or frozenset()


def _kinds(strict: object) -> frozenset[str] | None:
    """None for what is neither a bool nor a set of kinds."""
    from esm.strictness import KINDS

    if isinstance(strict, bool):
        return KINDS if strict else frozenset()
    if not isinstance(strict, set | frozenset | list | tuple):
        return None
    kinds = frozenset(kind for kind in strict if isinstance(kind, str))
    return kinds if len(kinds) == len(strict) and kinds <= KINDS else None


def _refuse_marker(item: pytest.Item, marker: pytest.Mark) -> NoReturn:
    given = [repr(value) for value in marker.args]
    given += [f"{name}={value!r}" for name, value in marker.kwargs.items()]
    pytest.fail(f"{item.nodeid}: esm({', '.join(given)}): the marker is {_MARKER}", pytrace=False)


def _check(harness: Harness, kinds: frozenset[str]) -> None:
    from esm.strictness import complaints

    found = complaints(harness, kinds)
    if found:
        pytest.fail("\n\n".join([*found, _SWITCH]), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the story to what is printed of a failing test, and write its trace."""
    report = yield
    phases = item.stash.setdefault(_phases, {})
    phases[report.when] = report.outcome
    harness = item.stash.get(_harness, None)
    if harness is None:
        return report
    if report.failed:
        report.sections.append(("esm story", _story(harness)))
    if report.when == "teardown":
        _put_surroundings_back()
        del item.stash[_harness]
        try:
            _write_trace(item, harness, has_failed="failed" in phases.values())
        except OSError as error:
            report.outcome = "failed"
            report.longrepr = f"the trace cannot be written to {error.filename}: {error.strerror}"
    return report


def _story(harness: Harness) -> str:
    from esm.failure_story import failure_story

    try:
        return failure_story(harness)
    except Exception:  # what a test printed and where it failed must be seen all the same
        import traceback

        return f"The story cannot be told, which is a mistake of ours:\n{traceback.format_exc()}"


def _put_surroundings_back() -> None:
    """A `monkeypatch` that was undone after `esm` may have left what it had found."""
    from esm.embedded.surroundings import SURROUNDINGS

    SURROUNDINGS.put_back()


def _write_trace(item: pytest.Item, harness: Harness, *, has_failed: bool) -> None:
    mode = item.config.getoption("esm_trace")
    if mode == "on" or (mode == "retain-on-failure" and has_failed):
        harness.trace.write(_trace_path(item.config.rootpath, item.nodeid))


def _trace_path(root: Path, node_id: str) -> Path:
    """A file name for every test, also where two of them differ in what no file name can have."""
    import hashlib

    name = _NOT_IN_A_FILE_NAME.sub("-", node_id).strip("-.")[-_LONGEST_NAME:]
    digest = hashlib.blake2b(node_id.encode(), digest_size=4).hexdigest()
    return root / TRACE_FOLDER / f"{name}-{digest}.jsonl"
