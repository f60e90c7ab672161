from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sqlserver_sandbox.engine import DuckDbEngine
from tests.sandbox.engine.client import Client

USERS = {"sa": "Pass-w0rd"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDbEngine]:
    engine = DuckDbEngine(tmp_path / "data", USERS, threads=1)
    yield engine
    engine.close()


@pytest.fixture
def connect(engine: DuckDbEngine) -> Callable[..., Client]:
    """Opens sessions."""

    def open_session(database: str = "") -> Client:
        return Client(engine.login(user="sa", password="Pass-w0rd", database=database, application="test", host="here"))

    return open_session


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """One session for a module's tests that only ask for values."""
    engine = DuckDbEngine(tmp_path_factory.mktemp("shared"), USERS, threads=1)
    yield Client(engine.login(user="sa", password="Pass-w0rd", database="", application="test", host="here"))
    engine.close()
