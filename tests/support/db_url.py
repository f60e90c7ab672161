"""The SQL Server that tests over the wire run on: the sandbox, or with `--db-url` a genuine one.

    --db-url=mssql://user:password@host:port/database

Without a password that of DLTSYNC_TEST_PASSWORD is taken, without a user integrated security. The login must be allowed to create
databases: each run makes its own, and drops them. The header of the run says which server answers.

Tests that need the sandbox itself (faults are injected into it, it is stopped, it answers from tins) are skipped on a genuine
server; the last lines of the run count them, with the reason.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.sandbox_server import SandboxServer, odbc_driver
from tests.support.server_shop import Server
from tests.support.sqlserver_shop import drop_database

OF_THE_SANDBOX = {
    "faulty_sandbox": "faults are injected into the sandbox",
    "canned_sandbox": "the sandbox answers with bytes that no server can be made to send",
    "own_sandbox": "the server is stopped, or a second one is needed",
    "sandbox": "what the sandbox does is tested",
}
"""Fixtures that a genuine server cannot stand in for, and why."""
COUNTED = "not on a genuine server: "
PASSWORD = "DLTSYNC_TEST_PASSWORD"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db-url", help="run the tests over the wire on this server: mssql://user:password@host:port/database"
    )


def pytest_report_header(config: pytest.Config) -> str:
    url = config.getoption("--db-url")
    return f"tests over the wire: {server_at(url).described if url else 'the sandbox, started by the tests'}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    genuine = bool(config.getoption("--db-url"))
    for item in items:
        if genuine:
            reason = _only_the_sandbox(item)
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=COUNTED + reason))
        elif item.get_closest_marker("server_only"):
            item.add_marker(pytest.mark.skip(reason="only a genuine SQL Server can decide this: --db-url"))


def _only_the_sandbox(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("sandbox_only")
    if marker is not None:
        return str(marker.args[0])
    fixtures = getattr(item, "fixturenames", ())
    return next((reason for name, reason in OF_THE_SANDBOX.items() if name in fixtures), None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", ())]
    reasons = Counter(text.split(COUNTED, 1)[1] for text in skipped if COUNTED in text)
    if reasons:
        ran = sum(len(terminalreporter.stats.get(outcome, ())) for outcome in ("passed", "failed"))
        terminalreporter.write_line(
            f"on a genuine server: {ran} tests ran, {sum(reasons.values())} need the sandbox ("
            + "; ".join(f"{count}: {reason}" for reason, count in reasons.most_common())
            + ")"
        )


def server_at(url: str) -> Server:
    """The server that a URL names. Raises pytest.UsageError when it is not whole: one that was asked for may not be missing."""
    parts = urlsplit(url)
    username = unquote(parts.username or "")
    password = unquote(parts.password or "") or os.environ.get(PASSWORD, "")
    if parts.scheme != "mssql" or not parts.hostname or (username and not password):
        raise pytest.UsageError(
            f"--db-url: write mssql://user:password@host:port/database; the password may be in {PASSWORD}, and without a user "
            "integrated security is used"
        )
    port = parts.port or 1433
    login = username or "integrated security"
    return Server(
        host=parts.hostname,
        port=port,
        database=unquote(parts.path.strip("/")) or "master",
        username=username,
        password=password,
        driver=str(odbc_driver()),
        described=f"SQL Server at {parts.hostname}:{port}, login {login}, databases of the tests' own",
    )


@contextmanager
def scratch_database(server: Server, *, snapshot: bool) -> Iterator[Server]:
    """A database of the tests' own on that server, with the settings of one in the sandbox, gone after the block."""
    name = f"dltsync_test_{uuid.uuid4().hex[:8]}"
    with closing(server.connect()) as connection:
        connection.execute(f"CREATE DATABASE {name} COLLATE SQL_Latin1_General_CP1_CI_AS")
        try:
            connection.execute(f"ALTER DATABASE {name} SET READ_COMMITTED_SNAPSHOT ON")
            connection.execute(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION {'ON' if snapshot else 'OFF'}")
            yield replace(server, database=name)
        finally:
            drop_database(connection, name)


@pytest.fixture(scope="session")
def home_server(request: pytest.FixtureRequest) -> Server:
    """The server, in the database that its login begins in: for making databases."""
    url = request.config.getoption("--db-url")
    if url:
        return server_at(url)
    sandbox: SandboxServer = request.getfixturevalue("sandbox")
    return Server(
        host=sandbox.host,
        port=sandbox.port,
        database=sandbox.database,
        username=sandbox.user,
        password=sandbox.password,
        driver=str(odbc_driver()),
        described=f"the sandbox at {sandbox.host}:{sandbox.port}",
    )


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, home_server: Server) -> Iterator[Server]:
    """Where the tests' tables are made: in the sandbox its first database, else one of the tests' own."""
    if not request.config.getoption("--db-url"):
        yield home_server
        return
    with scratch_database(home_server, snapshot=False) as made:
        yield made


@pytest.fixture(scope="session")
def snapshot_server(home_server: Server) -> Iterator[Server]:
    """The same server in a database that allows SNAPSHOT isolation."""
    with scratch_database(home_server, snapshot=True) as made:
        yield made
