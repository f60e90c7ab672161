"""A look at the Delta tables of a directory with delta-rs and DuckDB alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from dltsync_core.identity import Target, identifier_part


def deltalake() -> Any:
    """The package; the test is skipped without."""
    return pytest.importorskip("deltalake", reason="deltalake is not installed (pip install 'dltsync[delta]')")


def delta_root(root: str | Path) -> Path:
    """The directory that a test gives its tables."""
    return Path(root) / "tables"


def table_at(root: str | Path, target: Target) -> Any:
    return deltalake().DeltaTable(str(delta_root(root).joinpath(*map(identifier_part, target))))


def delta_query(root: str | Path, statement: str) -> list[tuple[Any, ...]]:
    """A statement over all tables, each under its schema's name and its own."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for log in sorted(delta_root(root).glob("*/*/_delta_log")):
            schema, name = (f'"{part}"' for part in log.parent.parts[-2:])
            connection.register("read_by_delta_rs", deltalake().DeltaTable(str(log.parent)).to_pyarrow_table())
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            connection.execute(f"CREATE TABLE {schema}.{name} AS FROM read_by_delta_rs")
        return connection.execute(statement).fetchall()


def unreferenced_files(root: str | Path) -> list[str]:
    """Files that no version of a table has, and notes of loads at work."""
    found = []
    for log in sorted(delta_root(root).glob("*/*/_delta_log")):
        directory = log.parent
        said = "".join(path.read_text(encoding="utf-8") for path in log.glob("*.json"))
        found += [str(path) for path in directory.glob("*.parquet") if path.name not in said]
        found += [str(path) for path in (directory / "_dltsync" / "attempts").glob("*")]
    return found
