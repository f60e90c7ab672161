"""Options and fixtures of the benchmarks: `make bench`, or `pytest tests/performance --benchmark-only`.

Without `--benchmark-only` the files `bench_*.py` are not collected. After a run the tables of docs/performance.md are printed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.performance.measure import Cost, NotInstalled, cost_of
from tests.performance.report import Report
from tests.performance.tables import DATABASE, create_database
from tests.support.sandbox_server import SandboxServer

_REPORT = pytest.StashKey[Report]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks of dltsync")
    group.addoption("--bench-rows", type=int, default=1_000_000, help="rows of the large tables")
    group.addoption("--bench-units", type=int, default=100, help="partitions of the table of small units")
    group.addoption("--bench-tables", type=int, default=200, help="tables that do not change")
    group.addoption("--bench-rounds", type=int, default=2, help="runs of each side, of which the cheapest counts")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = Report()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_benchmark = collection_path.name.startswith("bench_") and collection_path.suffix == ".py"
    return True if is_benchmark and not config.getoption("benchmark_only", False) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash[_REPORT]
    if report.lines:
        terminalreporter.write_line("\n" + report.markdown() + "\n")
    for reason in report.skipped:
        terminalreporter.write_line(f"not measured: {reason}")


@dataclass(frozen=True)
class Bench:
    """One benchmark: the server, and how a side is measured. `rows`, `units`, `tables` are the sizes that were asked for."""

    server: SandboxServer
    report: Report
    rows: int
    units: int
    tables: int
    measure: Callable[[str, dict[str, Any]], Cost]

    @property
    def database(self) -> dict[str, Any]:
        """The section `database` of a config."""
        return {
            "server": self.server.host,
            "port": self.server.port,
            "database": DATABASE,
            "username": self.server.user,
            "password": self.server.password,
            "encrypt": "no",
            "trust_server_certificate": True,
        }

    @property
    def connection_string(self) -> str:
        """For mssql-python."""
        return self.server.connection_string(database=DATABASE, encrypt=False)

    @property
    def odbc(self) -> str:
        """For ODBC."""
        return self.server.odbc(database=DATABASE, encrypt=False)


@pytest.fixture(scope="session")
def bench_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """It offers TLS, without which connectorx does not connect; the others ask for none."""
    server = SandboxServer(tmp_path_factory.mktemp("bench"))
    server.start()
    try:
        create_database(server)
        yield server
    finally:
        # It writes millions of rows to disk, which takes longer than `stop` waits before it kills: no one needs them.
        with suppress(subprocess.TimeoutExpired):
            server.stop()


@pytest.fixture
def bench(bench_server: SandboxServer, benchmark: Any, request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """The first side that a test measures is the one that pytest-benchmark times; the processor time of all is in its
    `extra_info`."""
    option, report = request.config.getoption, request.config.stash[_REPORT]
    timed: list[str] = []

    def measure(side: str, arguments: dict[str, Any]) -> Cost:
        costs: list[Cost] = []

        def once() -> None:
            folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            costs.append(cost_of(side, {"folder": str(folder), **arguments}))

        try:
            if timed:
                for _ in range(option("--bench-rounds")):
                    once()
            else:
                timed.append(side)
                benchmark.pedantic(once, rounds=option("--bench-rounds"), iterations=1)
        except NotInstalled as error:
            report.skipped.append(f"{side}: {error} (`pip install -e '.[bench]'`)")
            pytest.skip(str(error))
        cheapest = min(costs, key=lambda cost: cost.cpu)
        key = f"{len(benchmark.extra_info)}: {side}"
        benchmark.extra_info[key] = {"cpu_seconds": cheapest.cpu, "peak_mb": cheapest.peak_mb}
        return cheapest

    return Bench(
        bench_server, report, option("--bench-rows"), option("--bench-units"), option("--bench-tables"), measure
    )
