"""A sandbox that may be made to misbehave, and the hand that makes it.

def test_something(faults: FaultControl) -> None:
    faults.plan(Fault(Fail(1205), Where(kind="select", table="Orders", times=2)))
    ...
    assert faults.clear() == ["fail"]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pyodbc
import pytest

from sqlserver_sandbox.faults import Plan, render_plan
from sqlserver_sandbox.faults.plan import Fault
from tests.support.sandbox_server import SandboxServer

SEEDS = 24
"""How many schedules a plain test run plays: about a minute of two cores. `make test-faults` plays more."""
SQLSERVER_SEEDS = 8
"""How many of them over a SQL Server warehouse too, when no number is given."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption(
        "--fault-seeds",
        type=int,
        help=f"random fault schedules to play (default {SEEDS}, {SQLSERVER_SEEDS} of them over SQL Server too)",
    )
    group.addoption("--fault-seed", type=int, help="play this one schedule")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, usual in (("fault_seed", SEEDS), ("sqlserver_fault_seed", SQLSERVER_SEEDS)):
        if fixture in metafunc.fixturenames:
            one, count = (metafunc.config.getoption(name) for name in ("--fault-seed", "--fault-seeds"))
            seeds = [one] if one is not None else range(count or usual)
            metafunc.parametrize(fixture, seeds, ids=[f"seed-{seed}" for seed in seeds])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = [dict(report.user_properties) for report in terminalreporter.stats.get("passed", ())]
    played = [properties for properties in passed if "fault_schedule" in properties]
    if played:
        words = Counter(word for properties in played for word in str(properties["fault_happened"]).split())
        met = ", ".join(f"{word} in {count}" for word, count in words.most_common())
        quiet = sum(not properties["fault_happened"] for properties in played)
        terminalreporter.write_line(
            f"fault schedules played: {len(played)}, nothing lost, nothing doubled ({met}; no fault met in {quiet})"
        )


class Happened(NamedTuple):
    """One thing that went wrong: its place in the plan (from 1), what it was, on which connection, at which statement."""

    fault: int
    do: str
    connection: int
    at: str


class FaultControl:
    """Sets plans over a connection of its own, which the faults spare."""

    def __init__(self, server: SandboxServer) -> None:
        self.server = server
        self._connection = pyodbc.connect(server.odbc(), autocommit=True, timeout=10)

    def plan(self, *faults: Fault, seed: int = 0) -> None:
        """From now on this goes wrong, and nothing else. Connections are counted from here."""
        self._ask("EXEC sandbox_faults N'{}'".format(render_plan(Plan(faults, seed)).replace("'", "''")))

    def happened(self) -> list[Happened]:
        """What went wrong since the plan."""
        return self._ask("EXEC sandbox_faults")

    def clear(self) -> list[str]:
        """Nothing goes wrong any more; what did, in order."""
        return [happened.do for happened in self._ask("""EXEC sandbox_faults N'{"faults": []}'""")]

    def close(self) -> None:
        self._connection.close()

    def _ask(self, sql: str) -> list[Happened]:
        return [Happened(*row) for row in self._connection.execute(sql).fetchall()]


@pytest.fixture(scope="session")
def faulty_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox of its own for all tests of this process that need faults."""
    server = SandboxServer(tmp_path_factory.mktemp("faulty_sandbox"), arguments=["--allow-faults"])
    server.start()
    try:
        yield server
    finally:
        status = server.stop()
    assert status == 0


@pytest.fixture(scope="session")
def fault_control(faulty_sandbox: SandboxServer) -> Iterator[FaultControl]:
    control = FaultControl(faulty_sandbox)
    try:
        yield control
    finally:
        control.close()


@pytest.fixture
def faults(fault_control: FaultControl) -> Iterator[FaultControl]:
    """The faults of `faulty_sandbox`; none before the test and none after it."""
    fault_control.clear()
    try:
        yield fault_control
    finally:
        fault_control.clear()
