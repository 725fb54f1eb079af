"""Imports point one way, and what is heavy or impure stays in the part that is there for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "esm").rglob("*.py"))

# The parts of the house, from the inside out: a part knows itself and the lines above its own.
LAYERS = [
    {"core"},
    {"errors"},
    {"instants"},
    {"aws_failures", "hosts", "lineage", "patience", "ports", "scenarios", "settings", "state"},
    {"payloads"},
    {"books", "clock", "faults", "mapping", "trace"},
    {"template"},
    {"checkpoints", "destinations", "embedded", "invokers", "runner", "sources"},
    {"feeding", "generating", "loading", "metrics", "reading", "sizing", "story", "wiring"},
    {"harness", "live"},
    {"__init__", "cli", "pytest_plugin"},
    {"__main__"},
]
LAYER_OF = {part: number for number, parts in enumerate(LAYERS) for part in parts}

# Files that make one part: the loop with its mappings, a Harness with what it shows of them,
# handlers with how they are imported.
BELONGS_TO = {
    "assembly": "harness",
    "cautions": "harness",
    "failure_story": "harness",
    "data_template": "generating",
    "generating_changes": "generating",
    "generating_scenarios": "generating",
    "feeding_calls": "feeding",
    "feeding_changes": "feeding",
    "feeding_pace": "feeding",
    "feeding_records": "feeding",
    "importing": "loading",
    "isolation": "loading",
    "own_modules": "loading",
    "own_names": "loading",
    "agenda": "runner",
    "feedback": "runner",
    "pipeline": "runner",
    "strictness": "harness",
    "services": "harness",
    "view": "harness",
}

# The embedded Kinesis is the in-memory stream, spoken to through the API.
EXCEPTIONS = {("embedded", "sources")}

# What `core` may use of the standard library: nothing that reads a clock, draws by chance, does IO
# or starts a thread.
PURE = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "dataclasses",
    "decimal",
    "difflib",
    "enum",
    "functools",
    "heapq",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "types",
    "typing",
    "zlib",
}

# Who may import what: parts, or single modules of them.
HOMES = {
    "boto3": {"embedded", "invokers/endpoint", "sources/live_clients"},
    "botocore": {
        "aws_failures",
        "embedded",
        "invokers/endpoint",
        "sources/kinesis_subscription_wire",
        "sources/live_calls",
        "sources/live_clients",
    },
    "click": {"cli"},
    "confluent_kafka": set[str](),
    "duckdb": {"embedded/redshift_database"},
    "freezegun": {"invokers"},
    "moto": {"embedded"},
    "pydantic": {"mapping"},
    "pytest": {"pytest_plugin"},
    "rich": {"cli"},
    "sqlite3": {"checkpoints"},
    "time": {"clock", "invokers"},  # invokers put a virtual sleep where a handler looks for one
    "uvicorn": {"embedded/http/server"},
    "yaml": {"template"},
}
CLOCK_READINGS = {"now", "today", "utcnow"}


def name_of(module: Path) -> str:
    """`core/shard` for `esm/core/shard.py`."""
    return module.relative_to(ROOT / "esm").with_suffix("").as_posix()


def part_of(module: Path) -> str:
    """`core` for `esm/core/shard.py`, `runner` for `esm/runner.py` and `esm/pipeline.py`."""
    name = name_of(module).split("/")[0]
    return BELONGS_TO.get(name, name)


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of everything that is imported, also inside functions and for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "relative imports are banned"
            if node.module == "esm":
                yield from (f"esm.{alias.name}" for alias in node.names)
            else:
                yield node.module


def outward(part: str, tree: ast.Module) -> set[str]:
    """Parts of `esm` that a module imports although they are not above its own."""
    named = {dotted.split(".")[1] for dotted in imports(tree) if dotted.startswith("esm.")}
    others = {BELONGS_TO.get(name, name) for name in named} - {part}
    return {
        other
        for other in others
        if LAYER_OF.get(other, len(LAYERS)) >= LAYER_OF[part] and (part, other) not in EXCEPTIONS
    }


def strangers(module: str, tree: ast.Module) -> set[str]:
    """Packages that a module imports although they have their home elsewhere."""
    packages = {dotted.split(".")[0] for dotted in imports(tree)}
    own = {module, module.split("/")[0]}
    return {package for package in packages & HOMES.keys() if not own & HOMES[package]}


def clock_readings(tree: ast.Module) -> set[str]:
    """Calls like `datetime.now()`: the time comes from a Clock."""
    return {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in CLOCK_READINGS
        and ast.unparse(node.value).split(".")[-1] in {"datetime", "date"}
    }


def parse(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), filename=str(module))


@pytest.fixture(params=MODULES, ids=name_of)
def module(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_part_has_a_place_in_the_order():
    assert {part_of(module) for module in MODULES} - LAYER_OF.keys() == set()


def test_imports_point_one_way(module: Path):
    assert outward(part_of(module), parse(module)) == set()


def test_packages_stay_in_their_part(module: Path):
    assert strangers(name_of(module), parse(module)) == set()


def test_only_clock_reads_the_clock(module: Path):
    readings = clock_readings(parse(module))
    assert readings == set() or part_of(module) == "clock"


@pytest.mark.parametrize(
    "core_module", [m for m in MODULES if part_of(m) == "core"], ids=lambda m: m.stem
)
def test_core_is_pure(core_module: Path):
    outside = {d for d in imports(parse(core_module)) if not d.startswith("esm.core")}
    assert {dotted.split(".")[0] for dotted in outside} - PURE == set()


@pytest.mark.parametrize(
    ("part", "source", "found"),
    [
        ("core", "from esm.ports import Clock", {"ports"}),
        ("core", "import esm.core.model", set()),
        ("sources", "from esm.runner import Runner", {"runner"}),
        ("sources", "from esm import checkpoints", {"checkpoints"}),
        ("runner", "def f():\n    import esm.sources.memory", {"sources"}),
        ("runner", "from esm.pipeline import Pipeline", set()),
        ("embedded", "from esm.sources.memory import Stream", set()),
        ("wiring", "from esm.sources import memory", set()),
        ("wiring", "from esm.harness import Harness", {"harness"}),
    ],
)
def test_the_order_is_seen_through_every_kind_of_import(part: str, source: str, found: set[str]):
    assert outward(part, ast.parse(source)) == found


@pytest.mark.parametrize(
    ("module_name", "source", "found"),
    [
        ("harness", "import boto3", {"boto3"}),
        ("sources/memory", "from botocore.client import BaseClient", {"botocore"}),
        ("sources/live_clients", "import boto3", set()),
        ("embedded/kinesis_api", "import botocore.client", set()),
        ("runner", "from time import sleep", {"time"}),
        ("clock", "import time", set()),
        ("payloads/kafka", "import confluent_kafka", {"confluent_kafka"}),
    ],
)
def test_a_package_away_from_home_is_seen(module_name: str, source: str, found: set[str]):
    assert strangers(module_name, ast.parse(source)) == found


@pytest.mark.parametrize(
    "source", ["datetime.now(UTC)", "datetime.datetime.utcnow()", "f(clock=dt.date.today)"]
)
def test_a_reading_of_the_clock_is_seen(source: str):
    assert len(clock_readings(ast.parse(source))) == 1
