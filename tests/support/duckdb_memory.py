"""An empty DuckDB in memory for each example of a test that asks it hundreds of times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import duckdb


@contextmanager
def empty_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Without tables, and with the usual settings. It is one per process: opening takes longer than an example's statements."""
    connection = _opened()
    try:
        yield connection
    finally:
        for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            connection.execute(f'DROP TABLE "{table}"')
        connection.execute("RESET TimeZone")


@cache
def _opened() -> duckdb.DuckDBPyConnection:
    # One thread: handing a dozen rows to a thread for each core costs more than reading them.
    return duckdb.connect(":memory:", config={"threads": 1})
