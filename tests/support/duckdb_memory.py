"""DuckDB for tests that ask it hundreds of times: an empty one in memory, and a file read by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import duckdb

_numbers = count()


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


@contextmanager
def opened_file(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file, to be read only. Nothing else in this process may have it open. Times with an offset are shown in UTC."""
    connection = _opened().cursor()
    name = f"file_{next(_numbers)}"
    connection.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS {name} (READ_ONLY)")
    try:
        connection.execute(f"USE {name}")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    finally:
        connection.execute("USE memory")
        connection.execute(f"DETACH {name}")
        connection.close()


@cache
def _opened() -> duckdb.DuckDBPyConnection:
    # One thread: handing a dozen rows to a thread for each core costs more than reading them.
    return duckdb.connect(":memory:", config={"threads": 1})
