"""A real PostgreSQL on loopback, for the tests of a ledger that machines share. Debian's, started and stopped here.

Without one (not installed, or not to be started by this user) these tests are skipped and say why.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest


class PostgresServer:
    """A server that trusts loopback and knows no data worth keeping. It may be stopped and started again at the same port."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        self._user = _server_user()
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.place = Path(tempfile.mkdtemp(prefix="dltsync-postgres-"))

    def create(self, like: Path | None = None) -> None:
        """Lay out its data directory, or copy one that was laid out."""
        if self._user is not None:
            shutil.chown(self.place, self._user)
        if like is not None:
            subprocess.run(["cp", "-a", str(like), str(self.data)], check=True)
            return
        subprocess.run(
            [
                str(self._binaries / "initdb"),
                *("-D", str(self.data), "-U", "ledger", "-A", "trust", "-N", "-E", "UTF8", "--no-locale"),
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.place,
        )

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def address(self) -> str:
        """`user@host:port`."""
        return f"ledger@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when it answers."""
        options = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.place), "-F"]
        with (self.place / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self.data), *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.place,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it
            )
        _wait_until_ready(self.port, self._process, self.place / "log")

    def stop(self) -> None:
        """In order: every connection and its transaction is ended."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """At once, without a last word: the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(f"postgresql://{self.address}/{database}", autocommit=True) as connection:
            connection.execute(statement.encode())

    def cut_connections(self, database: str) -> None:
        """As a firewall does, or an administrator."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        )

    def remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.place, ignore_errors=True)


@contextmanager
def running_postgres(like: Path | None = None) -> Iterator[PostgresServer]:
    """A server that runs while the block does, and leaves nothing. `like` is a data directory to begin with a copy of."""
    server = PostgresServer()
    try:
        server.create(like)
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_data() -> Iterator[Path]:
    """A data directory for servers to begin with a copy of: to lay one out takes longer than most tests."""
    server = PostgresServer()
    try:
        server.create()
        yield server.data
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_server(postgres_data: Path) -> Iterator[str]:
    """`user@host:port` of a server for all tests of this process."""
    with running_postgres(postgres_data) as server:
        yield server.address


@pytest.fixture
def own_postgres(postgres_data: Path) -> Iterator[PostgresServer]:
    """A server to stop and break."""
    with running_postgres(postgres_data) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards."""
    with empty_postgres_database(postgres_server) as url:
        yield url


@contextmanager
def empty_postgres_database(postgres_server: str) -> Iterator[str]:
    """The same for a fixture of another scope."""
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"postgresql://{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"postgresql+psycopg://{postgres_server}/{name}"
    finally:
        with psycopg.connect(f"postgresql://{postgres_server}/postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def cut_connections(url: str) -> None:
    """End every other connection to a database, by its `postgres_url`: as a restart of the server does, or a firewall."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    if not found and on_path is None:
        pytest.skip("no PostgreSQL is installed (Debian: apt-get install postgresql)")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")


def _wait_until_ready(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            psycopg.connect(f"postgresql://ledger@127.0.0.1:{port}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")
