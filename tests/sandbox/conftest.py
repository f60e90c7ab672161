"""Connections to the canned server, by each of three clients that share no code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TypeAlias

import mssql_python
import pyodbc
import pytds
import pytest

from sqlserver_sandbox.certificate import tls_context
from sqlserver_sandbox.server import Server
from tests.sandbox.wire.canned import PASSWORD, USER, CannedEngine
from tests.support.sandbox_server import braced, odbc_driver

Connect: TypeAlias = Callable[..., Any]


@pytest.fixture(scope="session")
def certificate_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


class CannedServer:
    """A server in this process, and its engine."""

    def __init__(self, engine: CannedEngine, server: Server, *, tls: bool) -> None:
        self.engine = engine
        self.server = server
        self.tls = tls

    @property
    def address(self) -> str:
        return f"127.0.0.1,{self.server.port}"

    def string(self, *, password: str = PASSWORD, database: str = "master", **options: str) -> str:
        chosen = {"Encrypt": "yes" if self.tls else "no", "TrustServerCertificate": "yes", **options}
        return f"SERVER={self.address};UID={USER};PWD={braced(password)};DATABASE={database};" + ";".join(
            f"{key}={value}" for key, value in chosen.items()
        )

    def odbc(self, *, password: str = PASSWORD, database: str = "master", **options: str) -> str:
        return f"DRIVER={braced(str(odbc_driver()))};" + self.string(password=password, database=database, **options)


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def canned(request: pytest.FixtureRequest, certificate_folder: Path) -> Iterator[CannedServer]:
    """A server with canned answers, once without and once with TLS."""
    yield from _serve(certificate_folder, tls=bool(request.param))


@pytest.fixture
def canned_tls(certificate_folder: Path) -> Iterator[CannedServer]:
    yield from _serve(certificate_folder, tls=True)


@pytest.fixture
def canned_plain(certificate_folder: Path) -> Iterator[CannedServer]:
    yield from _serve(certificate_folder, tls=False)


def _serve(certificate_folder: Path, *, tls: bool) -> Iterator[CannedServer]:
    engine = CannedEngine()
    server = Server(engine, tls=tls_context(certificate_folder) if tls else None)
    try:
        yield CannedServer(engine, server, tls=tls)
    finally:
        server.stop()
    assert all(session.closed for session in engine.sessions)


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """Connections entered here are closed before the server stops."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def by_pyodbc(canned: CannedServer, clients: ExitStack) -> pyodbc.Connection:
    return clients.enter_context(closing(pyodbc.connect(canned.odbc(), timeout=10)))


@pytest.fixture
def by_mssql(canned: CannedServer, clients: ExitStack) -> mssql_python.Connection:
    return clients.enter_context(closing(mssql_python.connect(canned.string())))


@pytest.fixture
def by_pytds(canned_plain: CannedServer, clients: ExitStack) -> Any:
    """python-tds without TLS: its TLS needs a library that nothing else here does."""
    connection = pytds.connect("127.0.0.1", port=canned_plain.server.port, user=USER, password=PASSWORD, timeout=20)
    return clients.enter_context(closing(connection))
