"""A table of six rows on a server that misbehaves, and a door to it for each driver."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeAlias

import mssql_python
import pyodbc
import pytest

from tests.support.fault_control import FaultControl
from tests.support.sandbox_server import SandboxServer

Open: TypeAlias = Callable[..., Any]
_numbers = itertools.count(1)


@pytest.fixture
def steady(faults: FaultControl) -> Iterator[pyodbc.Connection]:
    """A connection that the faults spare, in autocommit."""
    with closing(pyodbc.connect(faults.server.odbc(), autocommit=True, timeout=10)) as opened:
        opened.execute("EXEC sandbox_faults").fetchall()
        yield opened


@pytest.fixture
def table(steady: pyodbc.Connection) -> str:
    """id 1 to 6 with a text of 1000 characters each."""
    name = f"dbo.faulty{next(_numbers)}"
    steady.execute(f"CREATE TABLE {name} (id int NOT NULL PRIMARY KEY, name nvarchar(1000) NOT NULL)")
    rows = ", ".join(f"({number}, N'{str(number) * 1000}')" for number in range(1, 7))
    steady.execute(f"INSERT INTO {name} VALUES {rows}")
    return name


@pytest.fixture(params=["pyodbc", "mssql-python"])
def open_client(request: pytest.FixtureRequest, faulty_sandbox: SandboxServer) -> Iterator[Open]:
    """Opens connections by one driver; `autocommit` as given. They are closed after the test, broken or not."""
    with ExitStack() as stack:

        def close(connection: Any) -> None:
            try:
                connection.close()
            except (pyodbc.Error, mssql_python.Error, RuntimeError):
                return  # a broken connection complains when it is closed

        def opened(*, autocommit: bool = True) -> Any:
            if request.param == "pyodbc":
                made = pyodbc.connect(faulty_sandbox.odbc(), autocommit=autocommit, timeout=10)
            else:
                string = faulty_sandbox.connection_string()
                made = mssql_python.connect(string, autocommit=autocommit, timeout=10)
            stack.callback(close, made)
            return made

        yield opened


ERRORS = (pyodbc.Error, mssql_python.Error, RuntimeError)


@pytest.fixture
def sandbox_with_file(tmp_path: Path) -> Iterator[SandboxServer]:
    """A sandbox that refuses the first login, because a file says so."""
    file = tmp_path / "faults.json"
    file.write_text('{"faults": [{"do": "refuse_login", "number": 40613}]}')
    server = SandboxServer(tmp_path, arguments=["--faults", str(file)])
    server.start()
    yield server
    assert server.stop() == 0
