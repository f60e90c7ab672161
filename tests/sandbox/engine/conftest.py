from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sqlserver_sandbox.engine import DuckDbEngine
from sqlserver_sandbox.engine.duckdb.connection import Connection
from tests.sandbox.engine.client import Client

USERS = {"sa": "Pass-w0rd"}


@pytest.fixture(scope="session")
def functions() -> Iterator[Connection]:
    """A DuckDB instance with the sandbox's functions and macros, without a database: making it costs more than most tests."""
    made = Connection.open(threads=1)
    yield made
    made.close()


@pytest.fixture
def engine(functions: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DuckDbEngine]:
    """An engine with nothing in it, over the DuckDB instance that all of them share one after the other."""
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "open", lambda threads: functions.cursor())
        engine = DuckDbEngine(tmp_path / "data", USERS, threads=1)
    yield engine
    engine.close()
    for (name,) in functions.fetch("SELECT database_name FROM duckdb_databases() WHERE database_name LIKE 'db%'"):
        functions.run(f"DETACH {name}")


@pytest.fixture
def connect(engine: DuckDbEngine) -> Callable[..., Client]:
    """Opens sessions."""

    def open_session(database: str = "") -> Client:
        return Client(engine.login(user="sa", password="Pass-w0rd", database=database, application="test", host="here"))

    return open_session


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One session for the tests that only ask for values."""
    engine = DuckDbEngine(tmp_path_factory.mktemp("shared"), USERS, threads=1)
    yield Client(engine.login(user="sa", password="Pass-w0rd", database="", application="test", host="here"))
    engine.close()
