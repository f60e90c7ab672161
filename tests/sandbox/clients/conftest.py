"""Real clients on the real sandbox; every test has a schema of its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing

import pyodbc
import pytest

from tests.sandbox.clients.warehouse import Warehouse
from tests.support.sandbox_server import SandboxServer

_numbers = itertools.count(1)


@pytest.fixture
def connection(sandbox: SandboxServer) -> Iterator[pyodbc.Connection]:
    """pyodbc in autocommit, encrypted."""
    with closing(pyodbc.connect(sandbox.odbc(), autocommit=True, timeout=10)) as opened:
        yield opened


@pytest.fixture
def schema(connection: pyodbc.Connection) -> str:
    """A schema that no other test uses; it is left behind in the sandbox, which goes away."""
    name = f"s{os.getpid()}_{next(_numbers)}"
    connection.execute(f"CREATE SCHEMA {name}")
    return name


@pytest.fixture
def warehouse(sandbox: SandboxServer, connection: pyodbc.Connection) -> Iterator[Warehouse]:
    """A database that no other test uses: partition functions and schemes belong to the whole database."""
    name = f"w{os.getpid()}_{next(_numbers)}"
    connection.execute(f"CREATE DATABASE {name}")
    with closing(pyodbc.connect(sandbox.odbc(database=name), autocommit=True, timeout=10)) as opened:
        yield Warehouse(sandbox, name, opened)
