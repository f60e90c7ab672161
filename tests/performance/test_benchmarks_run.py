"""Every benchmark runs, with sizes that measure nothing, and prints its table."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.performance.measure import Cost, cost_of
from tests.performance.report import Report
from tests.performance.sides.dagster_ticks import run as ticks
from tests.support.processes import environment_of_a_run

TINY = ["--bench-rows", "1000", "--bench-units", "3", "--bench-tables", "2", "--bench-rounds", "1"]
FOLDER = Path(__file__).parent


def test_the_report_is_a_table_with_the_ratio_to_its_baseline() -> None:
    report = Report()
    base = Cost(2.0, 300.0, 200.0, {})
    report.add("Loading", "the floor", base)
    assert report.add("Loading", "dltsync", Cost(3.0, 1400.0, 200.0, {}), base, "aim: 1.6") == 1.5
    assert report.markdown().splitlines() == [
        "**Loading**",
        "",
        "| | CPU s | ratio | peak MB | |",
        "| --- | ---: | ---: | ---: | --- |",
        "| the floor | 2.00 | 1 | 300 |  |",
        "| dltsync | 3.00 | 1.50 | 1,400 | aim: 1.6 |",
    ]


def test_the_statements_of_a_sensors_tick_do_not_grow_with_the_partitions() -> None:
    few, many = ({name: cost["statements"] for name, cost in ticks(count).items()} for count in (20, 200))
    assert few == many
    assert few["nothing changed"] <= 5, "runs, the list of partitions, and the newest materialization"


def test_the_peak_of_a_side_is_not_that_of_the_process_that_started_it() -> None:
    large = bytearray(400_000_000)
    assert 20 < cost_of("sandbox_encoding", {"rows": 10}).peak_mb < len(large) / 1e6


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pytest_benchmark") is None, reason="pytest-benchmark is not installed")
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.glob("bench_*.py")))
def test_a_benchmark_runs_and_prints_its_table(file: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--benchmark-only", "-p", "no:cacheprovider", *TINY]
    found = subprocess.run(
        [*command, f"tests/performance/{file}"],
        cwd=FOLDER.parents[1],
        env=environment_of_a_run(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert " failed" not in found.stdout
    assert "| | CPU s | ratio | peak MB | |" in found.stdout


@pytest.mark.slow  # collects every test once more
def test_benchmarks_are_collected_only_when_they_are_asked_for() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/performance"],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "bench_" not in found.stdout, found.stdout
