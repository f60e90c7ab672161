"""The tables of `examples/dagster/shop.sql` in a database of their own, for the tests that run the examples."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyodbc

from tests.support.sandbox_server import SandboxServer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def make_example_database(sandbox: SandboxServer) -> str:
    """The name of a new database with the tables of the examples."""
    database = f"shop_{uuid.uuid4().hex[:8]}"
    with closing(pyodbc.connect(sandbox.odbc(), autocommit=True)) as master:
        master.execute(f"CREATE DATABASE {database}")
        master.execute(f"ALTER DATABASE {database} SET ALLOW_SNAPSHOT_ISOLATION ON")
    with closing(pyodbc.connect(sandbox.odbc(database=database), autocommit=True)) as connection:
        for statement in (EXAMPLES / "dagster" / "shop.sql").read_text(encoding="utf-8").split("\nGO\n"):
            connection.execute(statement)
    return database


@dataclass(frozen=True)
class ExampleShop:
    """The config of the examples over such a database. `command` is dltsync, as it would be installed."""

    root: Path
    config: Path
    command: Path
    variables: dict[str, str]
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables, "PYTHONPATH": str(ROOT), "DLT_SYNC_CONFIG": str(self.config)}

    def ran(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """A finished process, with what it printed."""
        return subprocess.run(
            list(map(str, command)),
            cwd=self.root,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )


@contextmanager
def example_shop(sandbox: SandboxServer, root: Path) -> Iterator[ExampleShop]:
    """The shop of the examples, not loaded yet."""
    login = sandbox.database_config(database=make_example_database(sandbox))
    config = root / "dltsync.yaml"
    config.write_text((EXAMPLES / "config" / "dltsync.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    command = root / "dltsync"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dltsync_core.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    variables = {
        "DLT_SYNC_SERVER": f"{login.server},{login.port}",
        "DLT_SYNC_DATABASE": str(login.database),
        "DLT_SYNC_USERNAME": str(login.username),
        "DLT_SYNC_PASSWORD": sandbox.password,
        "SHOP_TRUST_CERTIFICATE": "true",
        "SHOP_DATA": str(root / "data"),
    }
    yield ExampleShop(root, config, command, variables, sandbox.password)
