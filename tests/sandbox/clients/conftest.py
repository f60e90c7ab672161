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


@pytest.fixture(scope="module")
def partitioned(sandbox: SandboxServer) -> Iterator[Warehouse]:
    """One database for the module, with partition functions and filegroups; each test has a schema of its own."""
    name = f"r{os.getpid()}_{next(_numbers)}"
    with closing(pyodbc.connect(sandbox.odbc(), autocommit=True, timeout=10)) as master:
        master.execute(f"CREATE DATABASE {name}")
    with closing(pyodbc.connect(sandbox.odbc(database=name), autocommit=True, timeout=10)) as opened:
        found = Warehouse(sandbox, name, opened)
        found.run(
            *(f"ALTER DATABASE CURRENT ADD FILEGROUP {g}" for g in ("fg1", "fg2", "cold")),
            f"ALTER DATABASE {name} ADD FILE (NAME = f1, FILENAME = 'f1.ndf') TO FILEGROUP fg1",
            "CREATE PARTITION FUNCTION pf (int) AS RANGE LEFT FOR VALUES (10, 20)",
            "CREATE PARTITION FUNCTION pr (int) AS RANGE RIGHT FOR VALUES (10, 20)",
            "CREATE PARTITION FUNCTION pw (int) AS RANGE LEFT FOR VALUES (5, 30)",
            "CREATE PARTITION SCHEME ps AS PARTITION pf ALL TO ([PRIMARY])",
            "CREATE PARTITION SCHEME psr AS PARTITION pr ALL TO ([PRIMARY])",
            "CREATE PARTITION SCHEME psw AS PARTITION pw ALL TO ([PRIMARY])",
            "CREATE PARTITION SCHEME psf AS PARTITION pf TO ([PRIMARY], fg1, fg2)",
        )
        yield found


@pytest.fixture
def own_schema(partitioned: Warehouse) -> str:
    name = f"p{next(_numbers)}"
    partitioned.run(f"CREATE SCHEMA {name}")
    return name


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    warehouse.publishable()
    return warehouse


@pytest.fixture
def other(filled: Warehouse) -> Iterator[pyodbc.Connection]:
    with closing(filled.connect()) as opened:
        yield opened
