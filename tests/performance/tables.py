"""The tables that the benchmarks read, in a sandbox server that runs in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pyodbc

from tests.support.sandbox_server import SandboxServer

DATABASE = "bench"
SEED_VALUES = 6_000
"""Values that are inserted as literals, which the sandbox reads slowly. The other rows are copies with other keys."""

TWELVE = {
    "id": "int NOT NULL",
    "code": "nvarchar(20) NULL",
    "name": "nvarchar(60) NULL",
    "amount": "decimal(19,4) NULL",
    "price": "decimal(9,2) NULL",
    "quantity": "int NULL",
    "active": "bit NULL",
    "changed": "datetime2(6) NULL",
    "day": "date NULL",
    "ratio": "float NULL",
    "note": "nvarchar(40) NULL",
    "total": "bigint NULL",
}
"""The table of the floor: twelve columns of the usual types."""
NARROW = {"id": "int NOT NULL", "amount": "decimal(19,4) NULL", "changed": "datetime2(6) NULL"}


def wide(columns: int) -> dict[str, str]:
    """A table of that many columns, of the types of the twelve in turn."""
    kinds = list(TWELVE.items())[1:]
    repeated = {f"{kinds[n % len(kinds)][0]}_{n}": kinds[n % len(kinds)][1] for n in range(columns - 1)}
    return {"id": "int NOT NULL", **repeated}


def create_database(server: SandboxServer) -> None:
    """The database of the benchmarks, readable by SNAPSHOT isolation."""
    with closing(pyodbc.connect(server.odbc(), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
        connection.execute(f"ALTER DATABASE {DATABASE} SET ALLOW_SNAPSHOT_ISOLATION ON")


def connected(server: SandboxServer) -> Any:
    """A connection to the database of the benchmarks, to be closed."""
    return closing(pyodbc.connect(server.odbc(database=DATABASE), autocommit=True))


def create(server: SandboxServer, name: str, columns: dict[str, str], rows: int, partitions: int = 1) -> None:
    """A table of so many rows, numbered by `id` from 0; with several partitions in equal ranges of `id`."""
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    with connected(server) as connection:
        if partitions > 1:
            bounds = ", ".join(str(n * rows // partitions) for n in range(1, partitions))
            connection.execute(f"CREATE PARTITION FUNCTION pf_{name} (int) AS RANGE RIGHT FOR VALUES ({bounds})")
            connection.execute(f"CREATE PARTITION SCHEME ps_{name} AS PARTITION pf_{name} ALL TO ([PRIMARY])")
            connection.execute(f"CREATE TABLE dbo.{name} ({declared}) ON ps_{name}(id)")
        else:
            connection.execute(f"CREATE TABLE dbo.{name} ({declared}, CONSTRAINT pk_{name} PRIMARY KEY (id))")
        _fill(connection, name, columns, rows)


def _fill(connection: pyodbc.Connection, name: str, columns: dict[str, str], rows: int) -> None:
    have = min(SEED_VALUES // len(columns), 1_000, rows)
    values = ", ".join(f"({', '.join(_literal(kind, n) for kind in columns.values())})" for n in range(have))
    connection.execute(f"INSERT INTO dbo.{name} VALUES {values}")
    others = [column for column in columns if column != "id"]
    while have < rows:
        take = min(have, rows - have)
        named: Sequence[str] = [f"id + {have}", *others]
        connection.execute(f"INSERT INTO dbo.{name} SELECT {', '.join(named)} FROM dbo.{name} WHERE id < {take}")
        have += take


def _literal(kind: str, number: int) -> str:
    """The value of row `number`: different in every row of the seed where the type has so many values."""
    if kind.startswith("nvarchar"):
        return f"N'text of row {number}'"
    if kind.startswith("decimal"):
        return f"{number}.25"
    if kind.startswith("datetime2"):
        return f"'2024-01-01T00:{number % 60:02}:00.{number:06}'"
    return {
        "int NOT NULL": str(number),
        "int NULL": str(number * 7),
        "bigint NULL": str(number * 5_000_000_000),
        "bit NULL": str(number % 2),
        "date NULL": f"'2024-{number % 12 + 1:02}-{number % 28 + 1:02}'",
        "float NULL": f"{number}.125",
    }[kind]
