"""`make demo` tells its story, and the same one every time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

from live_demo import masked  # noqa: E402


def run_demo(folder: Path) -> str:
    """What the demo prints when it is started from a folder; it must end well."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={"PYTHONUTF8": "1"},
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run_demo(tmp_path_factory.mktemp("anywhere"))


def test_it_says_what_it_said_when_the_readme_was_written(demo: str):
    shown = masked((ROOT / "README.md").read_text(encoding="utf-8"))
    assert f"$ make demo\n{masked(demo)}```" in shown


def test_it_fits_a_terminal_of_80_columns(demo: str):
    assert [line for line in demo.splitlines() if len(line) > 80] == []
    assert "\x1b" not in demo


def test_it_goes_through_the_template(demo: str):
    assert "$ esm validate\nno mistakes found\n" in demo
    assert '\n{"batchItemFailures": []}\n' in demo


def test_the_ordinary_batch_is_delivered(demo: str):
    assert "batch 1 #1-#8 succeeded" in demo
    assert "records      12 captured: 12 delivered\n" in demo


def test_the_three_shards_are_delivered_and_published(demo: str):
    assert "records      24 captured: 24 delivered\n" in demo
    assert "published    24 records on sam-app-EnrichedSignUps-" in demo


def test_the_poison_record_is_cut_out_and_put_aside(demo: str):
    assert "✗ discarded #7: RetryAttemptsExhausted after 3 attempts, sent to sqs:sam-app-" in demo
    assert "published    11 records on sam-app-EnrichedSignUps-" in demo
    assert "time on AWS  1m2s" in demo
    assert (
        "batch 1 of shard 0, #1-#12 partly failed from #7\n"
        "└─ #7-#12 failed\n"
        "   ├─ #7-#9 failed\n"
        "   │  ├─ #7 ✗ discarded after 3 attempts over 1.5s\n"
        "   │  └─ #8-#9 ✓\n"
        "   └─ #10-#12 ✓\n"
        "\n"
        "Exit code 1: not every record was delivered.\n"
    ) in demo


def test_a_chain_runs_live_from_the_feed_to_the_alerts(demo: str):
    live = demo.partition("$ esm run ")[2]
    assert "WindowSeconds=1" in live
    assert "--set tumbling_idle_grace=1s" in live
    assert (
        "TruckDetection: window over, truck-07/container deviates\n"
        "TruckAlerts: told the driver of truck-07/container\n"
        "TruckAlerts: told the fleet of truck-07/container\n"
    ) in live
    assert "TruckAlertsDeviations           1          0          0" in live
    seconds = re.search(r"idle after ([\d.]+)s\n$", live)
    assert seconds
    assert float(seconds[1]) < 20


def test_an_hour_of_all_four_applications_loses_nothing(demo: str):
    table = demo.partition("$ python scripts/hour.py\n")[2].partition("AWS would")[0].splitlines()
    rows = [line.split() for line in table if line.startswith("  ")][1:]
    assert len(rows) == 8
    for name, *numbers in rows:
        total, delivered, filtered, discarded, lag = (int(n.replace(",", "")) for n in numbers)
        assert total == delivered + filtered + discarded, name
        assert (delivered > 0, lag) == (True, 0), name
    for made in ("enriched sign-ups", "busy zones named", "prices changed", "driver told"):
        assert made in demo
