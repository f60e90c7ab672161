"""The commands of the specification that run tests: on a server of the user's own, and the benchmarks alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.db_url import server_at
from tests.support.processes import environment_of_a_run
from tests.support.sandbox_server import SandboxServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]


def pytest_run(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=environment_of_a_run(PYTHONPATH=str(ROOT), **environment),
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_integration_tests_run_on_the_server_of_a_url(own_sandbox: SandboxServer) -> None:
    """`pytest tests/integration --db-url=mssql://user@server/database`, with the password from the environment."""
    url = f"mssql://{own_sandbox.user}@{own_sandbox.host}:{own_sandbox.port}/master"
    printed = pytest_run(
        "tests/integration/test_end_to_end.py",
        f"--db-url={url}",
        "-k",
        "status or wrong_password",
        DLTSYNC_TEST_PASSWORD=own_sandbox.password,
    )
    assert f"tests over the wire: SQL Server at {own_sandbox.host}:{own_sandbox.port}" in printed
    assert own_sandbox.password not in printed
    assert int(re.findall(r"(\d+) passed", printed)[-1]) >= 2


def test_a_url_without_a_user_logs_in_by_integrated_security() -> None:
    server = server_at("mssql://server/testdb")
    assert (server.host, server.port, server.database) == ("server", 1433, "testdb")
    assert "Trusted_Connection=yes" in server.odbc()
    assert server.database_section["integrated_security"] is True


def test_the_benchmarks_are_collected_with_their_option_alone() -> None:
    """`pytest tests/performance --benchmark-only`; without the option there are none."""
    with_option = pytest_run("tests/performance", "--benchmark-only", "--collect-only", "-q")
    assert {"bench_floor", "bench_memory", "bench_units"} <= set(
        re.findall(r"tests/performance/(\w+)\.py::", with_option)
    )
    without = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/performance", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "bench_" not in without.stdout
