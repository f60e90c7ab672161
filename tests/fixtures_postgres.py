"""A real PostgreSQL on loopback, for the tests of a ledger that machines share. Debian's, started and stopped here.

Without one (not installed, or not to be started by this user) these tests are skipped and say why.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """`user:password@host:port` of a server that trusts loopback and knows no data worth keeping."""
    binaries = _binaries()
    user = _server_user()
    place = Path(tempfile.mkdtemp(prefix="dltsync-postgres-"))
    if user is not None:
        shutil.chown(place, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = place / "data"
    subprocess.run(
        [str(binaries / "initdb"), "-D", str(data), "-U", "ledger", "-A", "trust", "-N", "-E", "UTF8", "--no-locale"],
        check=True,
        capture_output=True,
        user=user,
        cwd=place,
    )
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", str(place), "-F"]
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(data), *options], stdout=log, stderr=log, user=user, cwd=place
        )
    try:
        _wait_until_ready(port, server, place / "log")
        yield f"ledger@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards."""
    name = f"ledger_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"postgresql://{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    yield f"postgresql+psycopg://{postgres_server}/{name}"
    with psycopg.connect(f"postgresql://{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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
