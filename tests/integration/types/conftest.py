"""A sandbox that answers from tins, and a database in it for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyodbc
import pytest

from tests.support.sandbox_server import SandboxServer
from tests.support.server_shop import Server
from tests.support.type_tables import TypeTables

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def canned_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """Always the sandbox, also under --db-url: what it serves here no server can be made to hold on demand."""
    server = SandboxServer(tmp_path_factory.mktemp("canned_sandbox"), arguments=["--allow-canned"])
    server.start()
    yield server
    assert server.stop() == 0


@pytest.fixture
def canned_house(canned_sandbox: SandboxServer, tmp_path: Path) -> TypeTables:
    """Tables in a database of their own: tins belong to one."""
    name = f"tins{next(_numbers)}"
    with closing(pyodbc.connect(canned_sandbox.odbc(), autocommit=True)) as master:
        master.execute(f"CREATE DATABASE {name}")
    server = Server.of(canned_sandbox, "the sandbox, answering from tins", database=name)
    return TypeTables(server, tmp_path)
