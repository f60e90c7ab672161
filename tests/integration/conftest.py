"""The server these tests run on: the sandbox, or with `--db-url=mssql://user:password@host:port/database` a genuine one.

A genuine server needs a login that may create schemas, tables and partition functions in that database. Every test keeps
to a schema of its own and drops it. The header of the run says which server answers.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from dltsync_core.connect.data import DataSession, Rows
from tests.support.sandbox_server import SandboxServer, odbc_driver
from tests.support.server_shop import Server, ServerShop, Statements, made_shop


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db-url", help="run the integration tests on this server: mssql://user:password@host:port/database"
    )


def pytest_report_header(config: pytest.Config) -> str:
    url = config.getoption("--db-url", default=None)
    return f"integration tests: {server_at(url).described if url else 'the sandbox, started by the tests'}"


COSTLY = ("cli", "crash", "faults", "lake", "recovery", "security", "sqlserver_warehouse", "validation")
"""Folders whose tests start many processes or many loads: `make test-slow` runs them, `make test` would take far too long."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.path.relative_to(here).parts[0] in COSTLY:
            item.add_marker(pytest.mark.slow)
    if config.getoption("--db-url", default=None):
        return
    skip = pytest.mark.skip(reason="only a genuine SQL Server can decide this: --db-url")
    for item in items:
        if item.get_closest_marker("server_only"):
            item.add_marker(skip)


def server_at(url: str) -> Server:
    """The server a URL names. Raises pytest.UsageError when it is not whole: a server that was asked for may not be missing."""
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if parts.scheme != "mssql" or not parts.hostname or not parts.username or not parts.password or not database:
        raise pytest.UsageError("--db-url: write mssql://user:password@host:port/database")
    port = parts.port or 1433
    return Server(
        host=parts.hostname,
        port=port,
        database=unquote(database),
        username=unquote(parts.username),
        password=unquote(parts.password),
        driver=str(odbc_driver()),
        described=f"SQL Server at {parts.hostname}:{port}, database {unquote(database)}",
    )


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Server:
    """Where the tests' tables are made."""
    url = request.config.getoption("--db-url", default=None)
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
def snapshot_server(request: pytest.FixtureRequest, server: Server) -> Server:
    """The same server in a database that allows SNAPSHOT isolation: in the sandbox one of our own, else the one given."""
    if request.config.getoption("--db-url", default=None):
        return server
    name = f"shop_{uuid.uuid4().hex[:8]}"
    with closing(server.connect()) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        connection.execute(f"ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON")
    return replace(server, database=name)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Listens at the only door that statements for rows go through."""
    sent = Statements()
    rows, fetch, fetch_each = DataSession.rows, DataSession.fetch, DataSession.fetch_each

    def listen_rows(self: DataSession, statement: str, parameters: Sequence[str], doing: str) -> Rows:
        sent.rows.append(statement)
        return rows(self, statement, parameters, doing)

    def listen_fetch(self: DataSession, statement: str, parameters: Sequence[str], doing: str) -> list[tuple[Any, ...]]:
        sent.looks.append(statement)
        return fetch(self, statement, parameters, doing)

    def listen_fetch_each(
        self: DataSession, statement: str, parameters: Sequence[str], doing: str
    ) -> list[list[tuple[Any, ...]]]:
        sent.looks.append(statement)
        return fetch_each(self, statement, parameters, doing)

    monkeypatch.setattr(DataSession, "rows", listen_rows)
    monkeypatch.setattr(DataSession, "fetch_each", listen_fetch_each)
    monkeypatch.setattr(DataSession, "fetch", listen_fetch)
    return sent


@pytest.fixture
def shop(snapshot_server: Server, tmp_path: Path) -> Iterator[ServerShop]:
    """A shop with rows in it, gone afterwards."""
    with made_shop(snapshot_server, tmp_path) as made:
        yield made


@pytest.fixture
def shop_without_snapshot(server: Server, tmp_path: Path) -> Iterator[ServerShop]:
    """The same in a database that may not allow SNAPSHOT isolation (the sandbox's master does not)."""
    with made_shop(server, tmp_path) as made:
        yield made
