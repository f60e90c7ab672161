"""A real sandbox server for the tests: a process of its own, a free port, a directory that goes away.

Any test may ask for `sandbox`. It is one server per test process; tests keep to databases and schemas of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mssql_python_odbc
import pytest

from dltsync_core.config import DatabaseConfig

USER = "sa"
PASSWORD = "Sandbox-Pa55!€;}"
"""With characters that connection strings have to quote."""
START_WITHIN = 30.0
STOP_WITHIN = 15.0


def odbc_driver() -> Path:
    """Microsoft's ODBC driver 18, as the mssql-python-odbc wheel brings it along."""
    libraries = Path(mssql_python_odbc.__file__).parent / "libs"
    found = sorted(libraries.glob("linux/debian_ubuntu/*/lib/libmsodbcsql-18*.so*")) or sorted(
        libraries.rglob("libmsodbcsql*18*")
    )
    if not found:
        raise FileNotFoundError(f"no ODBC driver under {libraries}")
    return found[0]


def braced(value: str) -> str:
    """A value as an ODBC connection string takes it whatever characters it has."""
    return "{" + value.replace("}", "}}") + "}"


class SandboxServer:
    """A running sandbox. `restart` keeps its data, its port and its password."""

    host = "127.0.0.1"
    user = USER
    password = PASSWORD
    database = "master"

    def __init__(self, folder: Path, *, tls: bool = True, arguments: Sequence[str] = ()) -> None:
        self.folder = folder
        self.tls = tls
        self.arguments = tuple(arguments)
        self.port = 0
        self.log = folder / "sandbox.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with its log when it does not."""
        ready = self.folder / "port"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "sqlserver_sandbox", "--data", str(self.folder / "data")]
        command += ["--port", str(self.port), "--user", self.user, "--ready-file", str(ready)]
        # The tests' statements are small: handing them to a thread for each core costs more than running them.
        command += ["--threads", "1"]
        # Its input is a pipe that ends with the tests' process, however that ends: no sandbox stays behind.
        command += ["--stop-at-end-of-input"]
        command += [*(["--tls"] if self.tls else []), *self.arguments]
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, "SQLSERVER_SANDBOX_PASSWORD": self.password},
                    start_new_session=True,  # Ctrl-C is for the tests, which then stop it
                )
            deadline = time.monotonic() + START_WITHIN
            while not ready.exists():
                self._check_alive(deadline)
                time.sleep(0.02)
        except BaseException:
            self.stop()
            raise
        self.port = int(ready.read_text())

    def _check_alive(self, deadline: float) -> None:
        if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the sandbox did not start:\n{self.log.read_text(errors='replace')}")

    def stop(self) -> int:
        """Stop it as an operator would (SIGTERM); returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        try:
            return process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            if process.stdin is not None:
                process.stdin.close()

    def restart(self) -> None:
        """Stop it, and start it again on the same data and port."""
        self.stop()
        self.start()

    def database_config(self, **options: Any) -> DatabaseConfig:
        """The section `database` of a config for this server; options replace or add fields."""
        given: dict[str, Any] = {
            "server": self.host,
            "port": self.port,
            "database": self.database,
            "username": self.user,
            "password": self.password,
            "trust_server_certificate": True,
        }
        return DatabaseConfig(**{**given, **options})

    def connection_string(self, *, database: str | None = None, encrypt: bool | None = None, **options: str) -> str:
        """For mssql-python; with `odbc` for pyodbc. Encrypted, without checking the certificate, unless told otherwise."""
        encrypted = self.tls if encrypt is None else encrypt
        parts = {
            "SERVER": f"{self.host},{self.port}",
            "DATABASE": database or self.database,
            "UID": self.user,
            "PWD": braced(self.password),
            "Encrypt": "yes" if encrypted else "no",
            "TrustServerCertificate": "yes",
            **options,
        }
        return ";".join(f"{key}={value}" for key, value in parts.items())

    def odbc(self, *, database: str | None = None, encrypt: bool | None = None, **options: str) -> str:
        """A connection string for pyodbc, with the driver by its path."""
        rest = self.connection_string(database=database, encrypt=encrypt, **options)
        return f"DRIVER={braced(str(odbc_driver()))};{rest}"


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """A sandbox that offers TLS, for all tests of this process."""
    server = SandboxServer(tmp_path_factory.mktemp("sandbox"))
    server.start()
    try:
        yield server
    finally:
        status = server.stop()
    assert status == 0


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[SandboxServer]:
    """A sandbox for one test that stops or breaks it."""
    server = SandboxServer(tmp_path)
    server.start()
    try:
        yield server
    finally:
        server.stop()
